"""What a command works with: the configuration and the parts of the cloud, each built when it is first asked for."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cloud import console_proxies, serial_logs
from cloud.clients import Clients
from cloud.console_settings import ConsoleSettings
from cloud.context import Caller, Cloud
from cloud.settings import CloudSettings
from cloud.vault import Vault
from common import bus as buses
from common import config, names
from common.bus.rabbit import RabbitBus
from common.errors import Unavailable
from db.sessions import Sessions, sqlite_file
from db.users import Role
from manage.node.host import Host
from manage.output import Format, Output


def rabbit(settings: config.Bus) -> buses.Bus:
    """Give the broker that the configuration names; raises ConfigError for a URL that can't be meant."""
    return RabbitBus(settings.url, ca_file=settings.ca_file, name="manage")


@dataclass(frozen=True)
class Wiring:
    """What comes from outside the process."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    make_bus: Callable[[config.Bus], buses.Bus] = rabbit
    #: this machine
    host: Host = field(default_factory=Host)


@dataclass(frozen=True)
class Context:
    """One run of the program; `stack` closes what was opened."""

    wiring: Wiring
    path: Path | None
    form: Format | None
    stack: contextlib.ExitStack
    #: it is the command's to make the database's file where there is none
    founds: bool = False

    @property
    def output(self) -> Output:
        return Output.of(self.form)

    @functools.cached_property
    def config(self) -> config.Config:
        return config.Config.read(self.path, self.wiring.environ)

    @functools.cached_property
    def sessions(self) -> Sessions:
        """The database; raises Unavailable where it would be a file, and there is none."""
        settings = self.config.section("database", config.Database)
        file = sqlite_file(settings.url)
        if file is not None and not file.exists() and not self.founds:
            raise Unavailable(
                f"there is no database {file.absolute()}: say by --config, {config.ENV_PATH} or {config.DEFAULT_PATH} "
                "which configuration names it; `syros-manage setup` makes a new installation, and "
                "`syros-manage db upgrade` a database"
            )
        sessions = Sessions(settings)
        self.stack.callback(sessions.close)
        return sessions

    @functools.cached_property
    def settings(self) -> CloudSettings:
        return self.config.section("cloud", CloudSettings)

    @functools.cached_property
    def cloud(self) -> Cloud:
        return Cloud(sessions=self.sessions, settings=self.settings)

    def now(self) -> datetime:
        """Give this machine's time."""
        return self.wiring.host.now()

    @functools.cached_property
    def vault(self) -> Vault:
        return Vault(self.config.section("secrets", config.Secrets))

    @functools.cached_property
    def clients(self) -> Clients:
        clients = Clients(self.settings, self.vault)
        self.stack.callback(clients.close)
        return clients

    @functools.cached_property
    def bus(self) -> buses.Bus:
        return self.wiring.make_bus(self.config.section("bus", config.Bus))

    @functools.cached_property
    def serial_logs(self) -> serial_logs.NodeLogs:
        found = serial_logs.of(self.config.section("console", ConsoleSettings))
        if found is None:
            raise config.ConfigError("[console] token: it is needed to ask the nodes for what guests print")
        return found

    @functools.cached_property
    def console_proxies(self) -> console_proxies.Proxies:
        found = console_proxies.of(self.config.section("console", ConsoleSettings))
        if found is None:
            raise config.ConfigError("[console] proxies: they are needed to end what goes on there")
        return found

    def caller(self, *, user_id: str = "", project_id: str = "") -> Caller:
        """Give the operator as the domain sees one: an administrator of every project."""
        return Caller(
            user_id=user_id,
            user_name="syros-manage",
            project_id=project_id,
            project_name="",
            roles=(Role.ADMIN,),
            request_id=names.new_request_id(),
        )
