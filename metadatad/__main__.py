"""metadatad's command line: wires configuration, log and metrics, and stops on SIGTERM."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from common import command, daemon, metrics, supervisor
from metadatad import service, settings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-metadatad")
@command.config_option
def main(path: Path | None) -> None:
    """Answer this node's guests at 169.254.169.254."""
    mine = command.settings(path, "metadatad", settings.MetadatadSettings)
    try:
        metadatad = service.Metadatad(mine)
        metrics.serve(mine.metrics, metadatad.metrics.registry)
    except OSError as err:
        raise click.ClickException(str(err)) from err
    asyncio.run(_run(metadatad))


async def _run(metadatad: service.Metadatad) -> None:
    stop = daemon.stopping()
    alive = asyncio.create_task(supervisor.until_set(stop))
    await metadatad.run(stop)
    await alive


if __name__ == "__main__":
    main()
