"""eventd's command line: wires configuration, log, broker and metrics, and stops on SIGTERM."""

from __future__ import annotations

import os
from pathlib import Path

import click

from common import config, daemon, metrics, supervisor
from common import log as logs
from common.bus import rabbit
from eventd import service, settings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-eventd")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="Configuration file; /etc/syros/syros.toml if it exists."
)
def main(path: Path | None) -> None:
    """Publish what happens in the Ganeti cluster of this node, while it is the master."""
    try:
        read = config.Config.read(path, os.environ)
        mine = read.section("eventd", settings.EventdSettings)
        broker = read.section("bus", config.Bus)
        logging = read.section("log", config.Log)
        address = metrics.address(mine.metrics_address, "[eventd] metrics_address")
        eventd = service.Eventd(mine, rabbit.RabbitBus(broker.url, ca_file=broker.ca_file, name="eventd"))
    except (config.ConfigError, ValueError) as err:
        raise click.ClickException(str(err)) from err
    logs.set_up(level=logging.level, form=logging.format)
    stop = daemon.stop_on_signals()
    metrics.serve(address, eventd.metrics.registry)
    eventd.start()
    supervisor.until(stop)
    eventd.stop()


if __name__ == "__main__":
    main()
