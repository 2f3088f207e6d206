"""vncauthproxy's command line: wires configuration, log and metrics; SIGHUP renews certificates, SIGTERM is the end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click

from common import config, daemon, metrics, supervisor
from common import log as logs
from vncauthproxy.service import Vncauthproxy
from vncauthproxy.settings import VncauthproxySettings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-vncauthproxy")
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
