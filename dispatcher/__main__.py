"""`syros-dispatcher`: reads the configuration, wires the dispatcher, runs it until SIGTERM."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import prometheus_client

from cloud import console_proxies
from cloud.clients import Clients
from cloud.console_settings import ConsoleSettings
from cloud.context import Cloud
from cloud.settings import CloudSettings
from cloud.vault import Vault
from common import config, daemon, log, supervisor
from common.bus.rabbit import RabbitBus
from db.gate import Gate, Gated
from db.sessions import Sessions
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-dispatcher")
@click.option("--config", "path", type=click.Path(path_type=Path), help="configuration file")
def main(path: Path | None) -> None:
    """Apply events to the database; sweep and reconcile."""
    try:
        settings = config.Config.read(path, os.environ)
        run(settings)
    except config.ConfigError as err:
        sys.exit(f"syros-dispatcher: {err}")


def run(settings: config.Config) -> None:
    """Run with this configuration until a signal; raises ConfigError."""
    logging = settings.section("log", config.Log)
    log.set_up(level=logging.level, form=logging.format)
    cloud_settings = settings.section("cloud", CloudSettings)
    own = settings.section("dispatcher", DispatcherSettings)
    vault = Vault(settings.section("secrets", config.Secrets))
    broker = settings.section("bus", config.Bus)
    sessions = Sessions(settings.section("database", config.Database))
    clients = Clients(cloud_settings, vault)
    registry = prometheus_client.CollectorRegistry()
    dispatcher = Dispatcher(
        Cloud(sessions=sessions, settings=cloud_settings),
        clients,
        RabbitBus(broker.url, ca_file=broker.ca_file, name="dispatcher"),
        own,
        registry=registry,
        proxies=console_proxies.of(settings.section("console", ConsoleSettings)),
    )
    stop = daemon.stop_on_signals()
    if own.metrics:
        host, _, port = own.metrics.rpartition(":")
        prometheus_client.start_http_server(int(port), addr=host or "127.0.0.1", registry=registry)
    gated = Gated(Gate(sessions.engine), start=dispatcher.start, stop=dispatcher.stop)
    gated.start()
    supervisor.until(stop)
    gated.stop()
    clients.close()
    sessions.close()


if __name__ == "__main__":
    main()
