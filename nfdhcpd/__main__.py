"""nfdhcpd's command line: wires configuration, log and metrics, and stops on SIGTERM."""

from __future__ import annotations

import os
from pathlib import Path

import click

from common import config, daemon, metrics, supervisor
from common import log as logs
from nfdhcpd import service, settings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-nfdhcpd")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="Configuration file; /etc/syros/syros.toml if it exists."
)
def main(path: Path | None) -> None:
    """Answer DHCP, router and neighbour solicitations of this node's guests."""
    try:
        read = config.Config.read(path, os.environ)
        mine = read.section("nfdhcpd", settings.NfdhcpdSettings)
        logging = read.section("log", config.Log)
    except (config.ConfigError, ValueError) as err:
        raise click.ClickException(str(err)) from err
    logs.set_up(level=logging.level, form=logging.format)
    stop = daemon.stop_on_signals()
    try:
        nfdhcpd = service.Nfdhcpd(mine)
        metrics.serve(mine.metrics, nfdhcpd.metrics.registry)
    except OSError as err:
        raise click.ClickException(str(err)) from err
    nfdhcpd.start()
    supervisor.until(stop)
    nfdhcpd.stop()


if __name__ == "__main__":
    main()
