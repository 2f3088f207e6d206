"""seriald's command line: wires configuration and log; SIGHUP renews its certificate, SIGTERM is the end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click

from common import command, daemon, supervisor
from seriald.service import Seriald
from seriald.settings import SerialdSettings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-seriald")
@command.config_option
def main(path: Path | None) -> None:
    """Keep what this node's guests print on their serial ports, and give it to the API."""
    settings = command.settings(path, "seriald", SerialdSettings)
    # what it makes holds what guests print
    os.umask(0o077)
    # a guest takes three of them
    daemon.allow_many_files()
    try:
        asyncio.run(_run(settings))
    except OSError as err:
        raise click.ClickException(str(err)) from err


async def _run(settings: SerialdSettings) -> None:
    stop = daemon.stopping()
    served = Seriald(settings)
    await served.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, served.reload)
    await supervisor.until_set(stop)
    await served.stop()


if __name__ == "__main__":
    main()
