"""One process of the API: its database pool, its app and, where wanted, its submitter and importer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import flask

from apiserver.app import create_app
from apiserver.front import ForeignIdentity
from apiserver.keystone_settings import KeystoneSettings
from apiserver.settings import ApiSettings
from cloud import console_desk, serial_logs
from cloud.clients import Clients
from cloud.console_settings import ConsoleSettings
from cloud.context import Cloud
from cloud.image_importer import Importer
from cloud.image_settings import ImageSettings
from cloud.settings import CloudSettings
from cloud.submitter import Submitter
from cloud.vault import Vault
from common import config
from common.bus import rabbit
from db.gate import Gate, Gated
from db.sessions import Sessions


@dataclass(frozen=True)
class Service:
    """The parts of a process that serves the API."""

    app: flask.Flask
    start: Callable[[], None]
    stop: Callable[[], None]


def build(conf: config.Config) -> Service:
    """Make a process's parts from the configuration; nothing runs before `start`. Raises ConfigError."""
    settings = conf.section("api", ApiSettings)
    rules = conf.section("cloud", CloudSettings)
    broker = conf.section("bus", config.Bus)
    secrets = conf.section("secrets", config.Secrets)
    bus = rabbit.RabbitBus(broker.url, ca_file=broker.ca_file, name="apiserver")
    sessions = Sessions(conf.section("database", config.Database))
    images = conf.section("images", ImageSettings)
    vault = Vault(secrets) if settings.submitter or secrets.key else None
    consoles = conf.section("console", ConsoleSettings)
    elsewhere = settings.identity != "local"
    cloud = Cloud(
        sessions,
        rules,
        images=images,
        vault=vault,
        serial_logs=serial_logs.of(consoles),
        console_desk=console_desk.of(consoles, rules, sessions, vault, roles_elsewhere=elsewhere),
    )
    importer = Importer(cloud) if images.worker else None
    clients = Clients(rules, vault) if settings.submitter and vault is not None else None
    submitter = Submitter(cloud, clients) if clients is not None else None
    if submitter is not None:
        cloud = dataclasses.replace(cloud, wake=submitter.wake)
    if importer is not None:
        cloud = dataclasses.replace(cloud, wake_importer=importer.wake)
    gate = Gate(sessions.engine)
    foreign = _foreign_identity(cloud, settings, conf.section("keystone", KeystoneSettings))
    app = create_app(
        cloud,
        settings,
        bus_ready=bus.ready,
        schema_behind=gate.reason,
        foreign_identity=foreign,
        console_origins=lambda: consoles.origins,
    )
    workers = [worker for worker in (submitter, importer) if worker is not None]

    def start_workers() -> None:
        for worker in workers:
            worker.start()

    def stop_workers() -> None:
        for worker in workers:
            worker.stop()

    gated = Gated(gate, start=start_workers, stop=stop_workers)

    def stop() -> None:
        gated.stop()
        if clients is not None:
            clients.close()
        sessions.close()

    return Service(app, start=gated.start, stop=stop)


def _foreign_identity(cloud: Cloud, settings: ApiSettings, keystone: KeystoneSettings) -> ForeignIdentity | None:
    if settings.identity == "local":
        return None
    if settings.identity != "keystone":
        raise config.ConfigError(f"[api] identity: local or keystone is expected, not {settings.identity!r}")
    if not keystone.auth_url.startswith(("https://", "http://")) or not keystone.password:
        raise config.ConfigError("[keystone] auth_url and password: both are needed when [api] identity is keystone")
    try:
        from apiserver.keystone import Keystone  # noqa: PLC0415  # an extra that only this needs
    except ImportError as err:
        raise config.ConfigError("[api] identity: keystone needs `pip install syros[keystone]`") from err
    found = Keystone(cloud, keystone)
    return ForeignIdentity(validate=found.validate, url=found.url)
