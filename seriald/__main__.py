"""seriald's command line: wires configuration and log, and stops on SIGTERM."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path

import click

from common import config
from common import log as logs
from seriald.service import Seriald
from seriald.settings import SerialdSettings


@click.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="Configuration file; /etc/syros/syros.toml if it exists."
)
def main(path: Path | None) -> None:
    """Keep what this node's guests print on their serial ports, and give it to the API."""
    try:
        read = config.Config.read(path, os.environ)
        settings = read.section("seriald", SerialdSettings)
        logging = read.section("log", config.Log)
    except (config.ConfigError, ValueError) as err:
        raise click.ClickException(str(err)) from err
    logs.set_up(level=logging.level, form=logging.format)
    # what it makes holds what guests print
    os.umask(0o077)
    _allow_many_files()
    try:
        asyncio.run(_run(settings))
    except OSError as err:
        raise click.ClickException(str(err)) from err


async def _run(settings: SerialdSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    served = Seriald(settings)
    await served.start()
    await stop.wait()
    await served.stop()


def _allow_many_files() -> None:
    """A guest takes three of them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
