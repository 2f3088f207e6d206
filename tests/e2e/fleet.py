"""Every Syros program as a process of its own, with a simulated Ganeti, on real PostgreSQL and RabbitMQ.

Any program can be killed and started again; the rest has to cope.
"""

from __future__ import annotations

import os
from pathlib import Path

from cloud import backends, reconciler, vault
from cloud.clients import Clients
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common import config
from db import schema
from db.sessions import Sessions
from gntsim import settings as gntsim_settings
from gntsim import users as gntsim_users
from lab import cloud as lab_cloud
from lab import process, programs
from rapi.errors import RapiError
from sandbox import seed
from tests.e2e import agreement, client

PASSWORD = "correct-horse"
_READY = 60.0
_NODE = "node1.gnt.test"

#: short patience, so that a test sees the recovery that takes a minute in production
IMPATIENT: dict[str, dict[str, str | int]] = {
    "cloud": {"submit_lease": "3", "rapi_timeout": "5", "quota_instances": 1000, "quota_cores": 1000, "quota_ram": -1},
    "dispatcher": {
        "look_seconds": "0.5",
        "sweep_seconds": "1",
        "sweep_patience": "3",
        "refresh_seconds": "5",
        "reconcile_seconds": "10",
        "reconcile_grace": "5",
    },
    "eventd": {"rescan_seconds": "5"},
}


class Fleet:
    """The cloud; `client` talks to it as the tenant demo."""

    programs = ("gntsim", "eventd", "dispatcher", "apiserver")

    def __init__(self, folder: Path, *, database_url: str, amqp_url: str) -> None:
        self.folder = folder
        self.ganeti_port = process.free_port()
        self.api_port = process.free_port()
        self._supervisor = programs.Supervisor()
        self._database = config.Database(url=database_url)
        self._secrets = config.Secrets(key=vault.new_key())
        self._amqp_url = amqp_url
        self._env = {"PATH": os.defpath, "HOME": str(folder), "LC_ALL": "C.UTF-8"}

    def start(self) -> None:
        """Bring everything up, with users, flavors, an image and the backend."""
        self._start_ganeti()
        self._fill()
        file = self._write_config()
        for name in ("eventd", "dispatcher", "apiserver"):
            self._supervisor.add(programs.on_host(name, config=file, logs=self.folder, env=self._env))
        self.client = client.Client(f"http://127.0.0.1:{self.api_port}")
        process.wait_until(self.client.ready, what=f"the API is ready, see {self.folder}", timeout=_READY)
        self.client.log_in("demo", PASSWORD)

    def stop(self) -> None:
        self._supervisor.stop()
        self._clients.close()
        self.sessions.close()

    def kill(self, name: str) -> None:
        """End a program with SIGKILL, children and all."""
        self._supervisor.kill(name)

    def revive(self) -> None:
        """Start again what has ended."""
        self._supervisor.restart_ended()

    def disagreements(self) -> list[str]:
        """Say in what the API, the database, Ganeti and the quotas differ, or what has ended; empty when nothing."""
        self.revive()
        try:
            return self._compare()
        except (RapiError, OSError) as err:
            return [f"somebody is still coming up: {err}"]

    def opcodes(self) -> list[str]:
        """List the operations that Ganeti was given, of jobs that are not archived."""
        backend = backends.get(self.cloud, "simulated")
        return [str(op["OP_ID"]) for job in self._clients.of(backend).get_jobs(bulk=True) for op in job["ops"]]

    def _compare(self) -> list[str]:
        backend = backends.get(self.cloud, "simulated")
        listed = [str(row["name"]) for row in self._clients.of(backend).get_instances(bulk=True)]
        findings = reconciler.reconcile(self.cloud, self._clients, backend, repair=False)
        return agreement.disagreements(self.cloud, self.client, listed) + [str(finding) for finding in findings]

    def _start_ganeti(self) -> None:
        data = self.folder / "ganeti"
        (data / "rapi").mkdir(parents=True)
        gntsim_users.write(data / "rapi" / "users", (gntsim_settings.User("syros", PASSWORD),))
        command = [
            programs.PYTHON,
            "-m",
            "gntsim",
            "--data",
            str(data),
            "--port",
            str(self.ganeti_port),
            "--scale",
            "0.5",
        ]
        log = self.folder / "gntsim.log"
        start = lambda: process.Guarded(command, log=log, env=self._env, cwd=self.folder)  # noqa: E731
        self._supervisor.add(programs.Program("gntsim", start, log))
        process.wait_until((data / "ca.pem").exists, what=f"gntsim made its certificate, see {log}", timeout=_READY)

    def _fill(self) -> None:
        self.sessions = Sessions(self._database)
        schema.upgrade(self.sessions.engine)
        settings = CloudSettings()
        safe = vault.Vault(self._secrets)
        self._clients = Clients(settings, safe)
        self.cloud = Cloud(sessions=self.sessions, settings=settings)
        seed.seed(self.cloud, demo_password=PASSWORD, admin_password=PASSWORD)
        spec = backends.BackendSpec(
            name="simulated",
            rapi_urls=(f"https://127.0.0.1:{self.ganeti_port}",),
            rapi_user="syros",
            rapi_password=PASSWORD,
            rapi_ca=(self.folder / "ganeti" / "ca.pem").read_text(),
            disk_template="file",
        )
        backend = backends.add(self.cloud, safe, spec)

        def known() -> bool:
            return backends.refresh(self.cloud, self._clients, backend).cluster is not None

        process.wait_until(known, what="the simulated Ganeti answers", timeout=_READY)

    def _write_config(self) -> Path:
        sections: dict[str, dict[str, str | int]] = {
            **IMPATIENT,
            "database": {"url": self._database.url},
            "bus": {"url": self._amqp_url},
            "secrets": {"key": self._secrets.key},
            "api": {"port": self.api_port},
            "eventd": {
                **IMPATIENT["eventd"],
                "ganeti_dir": str(self.folder / "ganeti"),
                "spool_dir": str(self.folder / "spool"),
                "state_file": str(self.folder / "eventd.json"),
                "node_name": _NODE,
            },
        }
        file = self.folder / "syros.toml"
        file.touch(mode=0o600)
        file.write_text(lab_cloud.toml(sections))
        return file
