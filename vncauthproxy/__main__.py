"""vncauthproxy's command line: wires configuration, log and metrics; SIGHUP renews certificates, SIGTERM is the end."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

from common import command, daemon, metrics, supervisor
from vncauthproxy.service import Vncauthproxy
from vncauthproxy.settings import VncauthproxySettings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-vncauthproxy")
@command.config_option
def main(path: Path | None) -> None:
    """Let viewers to the consoles of guests, each by a secret of one use."""
    settings = command.settings(path, "vncauthproxy", VncauthproxySettings)
    # a session takes three of them
    daemon.allow_many_files()
    try:
        asyncio.run(_run(settings))
    except OSError as err:
        raise click.ClickException(str(err)) from err


async def _run(settings: VncauthproxySettings) -> None:
    stop = daemon.stopping()
    served = Vncauthproxy(settings)
    metrics.serve(settings.metrics, served.metrics.registry)
    await served.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, served.reload)
    await supervisor.until_set(stop)
    await served.stop()


if __name__ == "__main__":
    main()
