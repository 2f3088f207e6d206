"""eventd's command line: wires configuration, log, broker and metrics, and stops on SIGTERM."""

from __future__ import annotations

import os
from pathlib import Path

import click
import prometheus_client

from common import config, daemon
from common import log as logs
from common.bus import rabbit
from eventd import service, settings


@click.command()
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
        address = _address(mine.metrics_address)
        eventd = service.Eventd(mine, rabbit.RabbitBus(broker.url, ca_file=broker.ca_file, name="eventd"))
    except (config.ConfigError, ValueError) as err:
        raise click.ClickException(str(err)) from err
    logs.set_up(level=logging.level, form=logging.format)
    stop = daemon.stop_on_signals()
    if address:
        prometheus_client.start_http_server(address[1], addr=address[0], registry=eventd.metrics.registry)
    eventd.start()
    stop.wait()
    eventd.stop()


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise config.ConfigError(f"[eventd] metrics_address: {text!r} is not address:port")
    return host.strip("[]"), int(port)


if __name__ == "__main__":
    main()
