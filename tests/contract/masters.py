"""A Ganeti master that the contract is held against: the real one, or the simulator."""

import contextlib
import dataclasses
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import requests

from gntsim import server, settings
from lab import ganeti as ganeti_bed
from rapi import client, endpoint, specs

FINAL = frozenset({"success", "error", "canceled"})
LINK = "br0"
GROUP = "default"
OS_FAILURE = "OS create script failed (exited with exit code 3), last lines in the log file:\n"
_numbers = itertools.count(1)

Json = dict[str, Any]


class Master(Protocol):
    """What a test may do to a master beside calling its remote API."""

    point: endpoint.Endpoint
    reader: tuple[str, str]
    os: str
    ca_file: Path

    def job_file(self, job: int) -> Json:
        """The job's file, from the queue or its archive."""

    def archive(self, job: int) -> None: ...

    def drain(self, drained: bool) -> None: ...

    def failing_os(self) -> contextlib.AbstractContextManager[str]:
        """An operating system whose create script fails meanwhile."""


@dataclasses.dataclass
class Handle:
    """A master with a client, and the steps that most tests take."""

    kind: str
    master: Master
    api: client.Client
    node: str

    def name(self) -> str:
        """A name of this test's own, dot-less as our instances are."""
        return f"contract-{next(_numbers)}"

    def ended(self, job: int) -> Json:
        """The job, once it has ended; learned by waiting for its changes, as Ganeti means it."""
        info: list[Any] | None = None
        deadline = time.monotonic() + 60
        while info is None or info[0] not in FINAL:
            assert time.monotonic() < deadline, f"job {job} is still {info}"
            info = self.api.wait_for_job_change(job, fields=["status"], previous_info=info)["job_info"]
        shown = self.api.get_job(job)
        assert shown is not None
        return shown

    def succeeded(self, job: int) -> Json:
        shown = self.ended(job)
        assert shown["status"] == "success", shown["opresult"]
        return shown

    def failed(self, job: int) -> tuple[str, list[Any]]:
        """The error class and arguments of the job's last operation."""
        shown = self.ended(job)
        assert shown["status"] == "error", shown
        error_class, args = shown["opresult"][-1]
        return error_class, args

    def spec(self, name: str, **changes: Any) -> specs.InstanceSpec:
        """The cheapest instance there is: no guest, no disk."""
        cheap = specs.InstanceSpec(
            name=name,
            memory=16,
            vcpus=1,
            disk_template="diskless",
            hypervisor="fake",
            os=self.master.os,
            pnode=self.node,
        )
        return dataclasses.replace(cheap, **changes)

    @contextmanager
    def instance(self, **changes: Any) -> Iterator[str]:
        name = self.name()
        self.succeeded(self.api.create_instance(self.spec(name, **changes), reason="contract"))
        yield name
        self.succeeded(self.api.delete_instance(name, reason="contract", shutdown_timeout=0))

    @contextmanager
    def network(self, subnet: str, *, connected: bool = True) -> Iterator[str]:
        name = self.name()
        api = self.api
        self.succeeded(api.create_network(name, network=subnet, gateway=subnet.replace(".0/", ".1/")[:-3], reason="c"))
        if connected:
            self.succeeded(api.connect_network(name, GROUP, mode="bridged", link=LINK, reason="c"))
        yield name
        if connected:
            self.succeeded(api.disconnect_network(name, GROUP, reason="c"))
        self.succeeded(api.delete_network(name, reason="c"))

    def raw(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        content_type: str | None = "application/json",
        user: tuple[str, str] | None = None,
    ) -> tuple[int, Any]:
        """A call past our client: HTTP status and decoded answer."""
        session = requests.Session()
        session.trust_env = False
        with session:
            answer = session.request(
                method,
                self.master.point.urls[0] + path,
                data=body,
                headers={} if content_type is None else {"Content-Type": content_type},
                auth=user or (self.master.point.user, self.master.point.password),
                verify=str(self.master.ca_file),
                timeout=60,
            )
        return answer.status_code, answer.json()


class RealMaster:
    """The lab's Ganeti."""

    os = "contract-good+default"
    reader = ("reader", "reader-dummy")

    def __init__(self, cluster: ganeti_bed.Cluster) -> None:
        self._cluster = cluster
        self.ca_file = cluster.ca_file
        self.point = endpoint.Endpoint(
            urls=(cluster.rapi_url,),
            user=cluster.rapi_user,
            password=cluster.rapi_password,
            ca_pem=cluster.ca_file.read_text(),
        )
        self._install_system("contract-good", status=0)
        self._install_system("contract-bad", status=3)
        line = f"{self.reader[0]} {self.reader[1]} read"
        self._shell(f"grep -q '^reader ' /var/lib/ganeti/rapi/users || echo '{line}' >> /var/lib/ganeti/rapi/users")
        patiently(self._reader_is_known)

    def job_file(self, job: int) -> Json:
        queue = self._cluster.queue_dir()
        text = self._shell(f"cat {queue}/job-{job} 2>/dev/null || cat {queue}/archive/*/job-{job}")
        document: Json = json.loads(text)
        return document

    def archive(self, job: int) -> None:
        self._cluster.run(["gnt-job", "archive", str(job)])

    def drain(self, drained: bool) -> None:
        self._cluster.run(["gnt-cluster", "queue", "drain" if drained else "undrain"])

    @contextmanager
    def failing_os(self) -> Iterator[str]:
        yield "contract-bad+default"

    def _install_system(self, name: str, *, status: int) -> None:
        """An operating system whose create script does nothing and ends with that status."""
        self._shell(
            f"mkdir -p {ganeti_bed.OS_FOLDER}/{name} && cd {ganeti_bed.OS_FOLDER}/{name}"
            " && echo 20 > ganeti_api_version && echo default > variants.list && : > parameters.list"
            " && for script in export import rename verify; do printf '#!/bin/sh\\n' > $script; done"
            f" && printf '#!/bin/sh\\nexit {status}\\n' > create"
            " && chmod 755 create export import rename verify"
        )

    def _reader_is_known(self) -> bool:
        answer = requests.get(f"{self.point.urls[0]}/2/info", auth=self.reader, verify=str(self.ca_file), timeout=30)
        return answer.status_code == 200

    def _shell(self, script: str) -> str:
        return self._cluster.run(["sh", "-c", script]).stdout


class SimulatedMaster:
    """The simulator."""

    os = "contract-good+default"
    reader = ("reader", "reader-dummy")

    def __init__(self, simulator: server.Simulator) -> None:
        self._simulator = simulator
        self.ca_file = simulator.ca_file
        writer = simulator.settings.users[0]
        self.point = endpoint.Endpoint(
            urls=(simulator.url,),
            user=writer.name,
            password=writer.password,
            ca_pem=simulator.ca_file.read_text(),
        )

    @classmethod
    def settings(cls, folder: Path) -> settings.Settings:
        """One node, quick, with the lab's users and operating systems."""
        return settings.Settings(
            data_dir=folder,
            nodes=1,
            oses=(cls.os, "contract-bad+default"),
            users=(settings.User("syros", "writer-dummy"), settings.User(*cls.reader, write=False)),
            disk_templates=("sharedfile", "file", "diskless"),
            link=LINK,
            wait_timeout=1.0,
        )

    def job_file(self, job: int) -> Json:
        queue = self._simulator.settings.queue_dir
        path = next(path for path in (queue / f"job-{job}", *queue.glob(f"archive/*/job-{job}")) if path.exists())
        document: Json = json.loads(path.read_bytes())
        return document

    def archive(self, job: int) -> None:
        self._simulator.knobs.archive([job])

    def drain(self, drained: bool) -> None:
        self._simulator.knobs.drain(drained)

    @contextmanager
    def failing_os(self) -> Iterator[str]:
        self._simulator.knobs.fail("os", "OP_INSTANCE_CREATE", message=OS_FAILURE)
        yield "contract-bad+default"


def patiently(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
