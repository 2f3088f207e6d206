"""nfdhcpd's command line: wires configuration, log and metrics, and stops on SIGTERM."""

from __future__ import annotations

from pathlib import Path

import click

from common import command, daemon, metrics, supervisor
from nfdhcpd import service, settings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-nfdhcpd")
@command.config_option
def main(path: Path | None) -> None:
    """Answer DHCP, router and neighbour solicitations of this node's guests."""
    mine = command.settings(path, "nfdhcpd", settings.NfdhcpdSettings)
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
