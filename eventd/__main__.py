"""eventd's command line: wires configuration, log, broker and metrics, and stops on SIGTERM."""

from __future__ import annotations

from pathlib import Path

import click

from common import command, config, daemon, metrics, supervisor
from common.bus import rabbit
from eventd import service, settings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-eventd")
@command.config_option
def main(path: Path | None) -> None:
    """Publish what happens in the Ganeti cluster of this node, while it is the master."""
    read = command.read(path)
    with command.meant():
        mine = read.section("eventd", settings.EventdSettings)
        broker = read.section("bus", config.Bus)
        address = metrics.address(mine.metrics_address, "[eventd] metrics_address")
        eventd = service.Eventd(mine, rabbit.RabbitBus(broker.url, ca_file=broker.ca_file, name="eventd"))
    stop = daemon.stop_on_signals()
    metrics.serve(address, eventd.metrics.registry)
    eventd.start()
    supervisor.until(stop)
    eventd.stop()


if __name__ == "__main__":
    main()
