"""The whole cloud in one process: the same programs, wired to SQLite, an in-process bus and a simulated Ganeti."""

from __future__ import annotations

import dataclasses
import logging
import time
import urllib.parse
from pathlib import Path

import prometheus_client

from apiserver import app, server
from apiserver.settings import ApiSettings
from cloud import backends
from cloud.backends import BackendSpec
from cloud.clients import Clients
from cloud.console_places import GanetiPlaces
from cloud.context import Cloud
from cloud.image_importer import Importer
from cloud.image_settings import ImageSettings
from cloud.settings import CloudSettings
from cloud.submitter import Submitter
from cloud.vault import Vault
from common import clouds, config
from common.bus.memory import MemoryBus
from db import schema
from db.sessions import Sessions
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings
from eventd.service import Eventd
from eventd.settings import EventdSettings
from ganeti_hooks import install
from gntsim import settings as gntsim_settings
from gntsim.server import Simulator
from sandbox import manage_config, secrets, seed, tempest
from sandbox.console_host import ConsoleHost
from sandbox.consoles import SimulatedLogs
from sandbox.settings import SandboxSettings

log = logging.getLogger(__name__)

_BACKEND = "simulated"
_RAPI_USER = "syros"
_PATIENCE = 30.0


class Sandbox:
    """Start it, use `url`, stop it; its state stays in the folder."""

    def __init__(
        self,
        own: SandboxSettings,
        api: ApiSettings,
        cloud_settings: CloudSettings,
        dispatcher_settings: DispatcherSettings,
        images: ImageSettings,
    ) -> None:
        self._folder = own.state_dir
        self._own = own
        self._api = api
        self._cloud_settings = cloud_settings
        self._dispatcher_settings = dispatcher_settings
        # everything that the sandbox keeps is in its folder
        self._images = dataclasses.replace(images, store=(own.state_dir / "images").absolute())

    def start(self) -> None:
        """Start every program, and return when the cloud can take a server."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secrets = secrets.load(self._folder)
        self._database = config.Database(url=f"sqlite:///{self._folder.absolute()}/syros.db")
        self.sessions = Sessions(self._database)
        schema.upgrade(self.sessions.engine)
        self.simulator = Simulator(self._simulated())
        self.simulator.start()
        self._console_host = ConsoleHost(
            host=self._api.host, port=self._own.console_port, pages=self._pages(), running=self._guests_that_run
        )
        self._console_host.start()
        self._wire()
        self._seed()
        self._eventd.start()
        self._submitter.start()
        self._importer.start()
        self._dispatcher.start()
        self._wait_for_capacity()
        web = app.create_app(
            self.cloud,
            self._api,
            bus_ready=self.bus.ready,
            console_origins=lambda: (self._console_host.origin,),
        )
        self._server = server.serve(web, self._api.host, self._api.port)
        self.url = f"http://{self._api.host}:{self._server.port}"
        self.clouds_file = self._folder / "clouds.yaml"
        clouds.write(self.clouds_file, auth_url=f"{self.url}/identity/v3", logins=self._logins())
        self.config_file = self._folder / "syros.toml"
        manage_config.write(
            self.config_file,
            database_url=self._database.url,
            key=self.secrets.key,
            images=self._images.store,
            proxy=self._console_host.control,
            proxy_token=self._console_host.token,
        )
        log.info("sandbox.ready", extra={"url": self.url})

    def stop(self) -> None:
        """Stop every program; those that ask before those that answer."""
        self._server.stop()
        self._submitter.stop()
        self._importer.stop()
        self._eventd.stop()
        self._dispatcher.stop()
        self._console_host.stop()
        self.clients.close()
        self.simulator.stop()
        self.sessions.close()

    def _simulated(self) -> gntsim_settings.Settings:
        data = self._folder / "ganeti"
        hooks, systems = data / "hooks", (data / "os").absolute()
        simulated = gntsim_settings.Settings(
            data_dir=data,
            port=self._own.ganeti_port,
            cluster_name="sandbox",
            users=(gntsim_settings.User(_RAPI_USER, self.secrets.rapi_password),),
            durations=gntsim_settings.Durations(scale=self._own.job_scale),
            hooks_dir=hooks if self._own.hooks else None,
            os_dir=systems,
        )
        install.install_os(systems, self._images.store, config=self._os_config())
        if self._own.hooks:
            # the host goes by another name than the simulated master that the hooks run on
            install.install_hooks(hooks, self._spool(), node_name=simulated.node_names()[0])
        return simulated

    def _os_config(self) -> Path:
        """Write what a node's os.conf says: here the API speaks plain HTTP, and what is made stays in the folder."""
        path = (self._folder / "os.conf").absolute()
        path.write_text(f"PLAIN_HTTP=yes\nSCRATCH={self._folder.absolute()}\n", encoding="utf-8")
        return path

    def _pages(self) -> tuple[str, ...]:
        """Give the origins that the console page may have."""
        hosts = {self._api.host, "127.0.0.1", "localhost"}
        found = {f"http://{f'[{host}]' if ':' in host else host}:{self._api.port}" for host in hosts}
        if self._api.public_url:
            url = urllib.parse.urlsplit(self._api.public_url)
            found.add(f"{url.scheme}://{url.netloc}")
        return tuple(sorted(found))

    def _guests_that_run(self) -> set[str]:
        with self.simulator.cluster.lock:
            return {instance.name for instance in self.simulator.cluster.instances.values() if instance.running}

    def _spool(self) -> Path:
        return (self._folder / "spool").absolute()

    def _wire(self) -> None:
        vault = Vault(config.Secrets(key=self.secrets.key))
        self._vault = vault
        self.clients = Clients(self._cloud_settings, vault)
        self.bus = MemoryBus()
        rules = self._cloud_settings
        if not rules.guest_url:
            # a simulated node fetches nothing, but the API takes what it would
            rules = dataclasses.replace(rules, guest_url=f"http://{self._api.host}:{self._api.port}")
        places = GanetiPlaces(self.sessions, self.clients)
        desk = self._console_host.desk(places)
        bare = Cloud(
            sessions=self.sessions,
            settings=rules,
            images=self._images,
            vault=vault,
            serial_logs=SimulatedLogs(self.sessions),
            console_desk=desk,
        )
        self._submitter = Submitter(bare, self.clients)
        self._importer = Importer(bare)
        self.cloud = dataclasses.replace(bare, wake=self._submitter.wake, wake_importer=self._importer.wake)
        self._eventd = Eventd(
            EventdSettings(
                ganeti_dir=self.simulator.data_dir,
                spool_dir=self._spool(),
                state_file=self._folder / "eventd.json",
                node_name=self.simulator.settings.node_names()[0],
            ),
            self.bus,
        )
        self._dispatcher = Dispatcher(
            self.cloud,
            self.clients,
            self.bus,
            self._dispatcher_settings,
            registry=prometheus_client.CollectorRegistry(),
            proxies=desk.proxies,
        )

    def _seed(self) -> None:
        seed.seed(self.cloud, demo_password=self.secrets.demo_password, admin_password=self.secrets.admin_password)
        tempest.seed(self.cloud, self._folder / "tempest-accounts.yaml")
        spec = BackendSpec(
            name=_BACKEND,
            rapi_urls=(self.simulator.url,),
            rapi_user=_RAPI_USER,
            rapi_password=self.secrets.rapi_password,
            rapi_ca=self.simulator.ca_file.read_text(encoding="ascii"),
            disk_template="file",
            hypervisor="kvm",
            rescue_image=str(self._rescue_image()),
        )
        seed.backend(self.cloud, self._vault, spec)

    def _rescue_image(self) -> Path:
        """A file for the simulated nodes to find; simulated guests boot nothing."""
        image = (self._folder / "rescue.iso").resolve()
        image.touch()
        return image

    def _wait_for_capacity(self) -> None:
        backends.refresh(self.cloud, self.clients, backends.get(self.cloud, _BACKEND))
        deadline = time.monotonic() + _PATIENCE
        while not self._eventd.idle and time.monotonic() < deadline:
            time.sleep(0.02)

    def _logins(self) -> tuple[clouds.Login, ...]:
        return (
            clouds.Login(cloud="syros", user="demo", project="demo", password=self.secrets.demo_password),
            clouds.Login(cloud="syros-admin", user="admin", project="admin", password=self.secrets.admin_password),
        )
