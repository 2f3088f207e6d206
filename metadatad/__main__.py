"""metadatad's command line: wires configuration, log and metrics, and stops on SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click
import prometheus_client

from common import config
from common import log as logs
from metadatad import service, settings


@click.command()
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
        if mine.metrics:
            prometheus_client.start_http_server(
                mine.metrics[1], addr=mine.metrics[0], registry=metadatad.metrics.registry
            )
    except OSError as err:
        raise click.ClickException(str(err)) from err
    asyncio.run(_run(metadatad))


async def _run(metadatad: service.Metadatad) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await metadatad.run(stop)


if __name__ == "__main__":
    main()
