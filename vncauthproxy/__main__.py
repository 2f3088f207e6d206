"""vncauthproxy's command line: wires configuration, log and metrics, and stops on SIGTERM."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path

import click
import prometheus_client

from common import config
from common import log as logs
from vncauthproxy.service import Vncauthproxy
from vncauthproxy.settings import VncauthproxySettings


@click.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="Configuration file; /etc/syros/syros.toml if it exists."
)
def main(path: Path | None) -> None:
    """Let viewers to the consoles of guests, each by a secret of one use."""
    try:
        read = config.Config.read(path, os.environ)
        settings = read.section("vncauthproxy", VncauthproxySettings)
        logging = read.section("log", config.Log)
    except (config.ConfigError, ValueError) as err:
        raise click.ClickException(str(err)) from err
    logs.set_up(level=logging.level, form=logging.format)
    _allow_many_files()
    try:
        asyncio.run(_run(settings))
    except OSError as err:
        raise click.ClickException(str(err)) from err


async def _run(settings: VncauthproxySettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    served = Vncauthproxy(settings)
    if settings.metrics:
        prometheus_client.start_http_server(
            settings.metrics[1], addr=settings.metrics[0], registry=served.metrics.registry
        )
    await served.start()
    await stop.wait()
    await served.stop()


def _allow_many_files() -> None:
    """A session takes three of them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
