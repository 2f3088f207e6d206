"""metadatad's command line: wires configuration, log and metrics, and stops on SIGTERM."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from common import config, daemon, metrics, supervisor
from common import log as logs
from metadatad import service, settings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-metadatad")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="Configuration file; /etc/syros/syros.toml if it exists."
)
def main(path: Path | None) -> None:
    """Answer this node's guests at 169.254.169.254."""
    try:
        read = config.Config.read(path, os.environ)
        mine = read.section("metadatad", settings.MetadatadSettings)
        logging = read.section("log", config.Log)
    except (config.ConfigError, ValueError) as err:
        raise click.ClickException(str(err)) from err
    logs.set_up(level=logging.level, form=logging.format)
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
