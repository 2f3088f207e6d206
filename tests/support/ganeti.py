"""A Ganeti in memory, behind the methods of rapi.client.Client that the domain calls; it fails on command.

Jobs stay where they are until a test finishes them. What it shows of a job is what the RAPI shows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from cloud.clients import Clients
from common import jobs, messages
from common.clock import Clock
from common.jobs import JobStatus, Opcode
from db.backends import Backend
from rapi.errors import RapiRefused, RapiUnreachable
from rapi.specs import Depends, InstanceSpec, NicSpec
from tests.support.ganeti_networks import Effect, FakeNetworks

CLUSTER = "11111111-2222-4333-8444-555555555555"

#: an operation's result when it fails: Ganeti's class, text and code
PREREQ = "OpPrereqError"


def error(name: str = "OpExecError", text: str = "it broke", code: str | None = None) -> list[object]:
    """Give a failed operation's opresult."""
    return [name, [text] if code is None else [text, code]]


UNKNOWN_ENTITY = error(PREREQ, "Instance not known", "unknown_entity")
ALREADY_EXISTS = error(PREREQ, "Instance is already in the cluster", "already_exists")
NO_ROOM = error(PREREQ, "Can't compute nodes", "insufficient_resources")


@dataclass
class FakeInstance:
    name: str
    vcpus: int
    ram: int
    status: str = "running"
    node: str = "node1"
    port: int = 11000
    nics: list[NicSpec] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "pnode": self.node,
            "network_port": self.port,
            "beparams": {"vcpus": self.vcpus, "maxmem": self.ram},
            "nic.macs": [nic.mac for nic in self.nics],
            "nic.ips": [nic.ip for nic in self.nics],
            "nic.modes": [nic.mode for nic in self.nics],
            "nic.links": [nic.link for nic in self.nics],
            "nic.networks.names": [nic.network for nic in self.nics],
            "nic.uuids": [f"uuid-{nic.mac}" for nic in self.nics],
            "nic.names": [nic.name for nic in self.nics],
        }

    def change_nic(self, change: Sequence[Any], networks: FakeNetworks) -> None:
        """Do one of the changes of OP_INSTANCE_SET_PARAMS: NICs are named by UUID or by name."""
        action, which, settings = change
        if settings.get("network") not in (None, "none"):
            (connection,) = networks.get(settings["network"])["group_list"]
            settings = {**settings, "mode": connection[1], "link": connection[2]}
        if action == "add":
            self.nics.append(NicSpec(**settings))
            return
        nic = next((each for each in self.nics if which in (each.name, f"uuid-{each.mac}")), None)
        if nic is None:
            # a job that tests have lost did not get so far
            return
        if action == "remove":
            self.nics.remove(nic)
        else:
            values = {name: None if value == "none" else value for name, value in settings.items()}
            self.nics[self.nics.index(nic)] = replace(nic, **values)


@dataclass
class FakeJob:
    id: int
    opcodes: tuple[str, ...]
    instance: str
    reason: str | None
    received_at: datetime
    spec: InstanceSpec | None = None
    #: what a network's job does
    effect: Effect | None = None
    statuses: list[str] = field(default_factory=list)
    results: list[object] = field(default_factory=list)
    ended_at: datetime | None = None

    def row(self) -> dict[str, Any]:
        trail = [["gnt:user", self.reason, 0]] if self.reason else [["gnt:client:gnt-instance", "", 0]]
        return {
            "id": self.id,
            "status": self.statuses[-1],
            "ops": [{"OP_ID": op, **_target(op, self.instance), "reason": trail} for op in self.opcodes],
            "opstatus": list(self.statuses),
            "opresult": list(self.results),
            "received_ts": _stamp(self.received_at),
            "start_ts": None,
            "end_ts": _stamp(self.ended_at) if self.ended_at else None,
        }


class FakeRapi:
    """One cluster. The knobs count down: `lose_replies = 2` loses the next two."""

    def __init__(self, clock: Clock, *, cluster: str = CLUSTER) -> None:
        self.cluster = cluster
        self.clock = clock
        self.instances: dict[str, FakeInstance] = {}
        self.jobs: dict[int, FakeJob] = {}
        #: calls that changed something, as (method, name, reason)
        self.calls: list[tuple[str, str, str | None]] = []
        #: calls that only asked
        self.asked: list[str] = []
        #: jobs are accepted, and the caller never learns it
        self.lose_replies = 0
        #: answers no to the next calls, in this order
        self.refusals: list[RapiRefused] = []
        #: nothing gets through
        self.unreachable = False
        #: called before each call is looked at: where a test makes something else happen meanwhile
        self.meanwhile: Callable[[str], None] = lambda _method: None
        self.nodes: list[dict[str, Any]] = [_node("node1"), _node("node2")]
        self.networks = FakeNetworks(self._users_of)
        self._lock = threading.Lock()
        self._next = 1

        #: sizes asked for, disks grown (name, disk, MiB), images installed (name, file, left stopped)
        self.sizes: dict[str, tuple[int, int]] = {}
        self.grown: list[tuple[str, int, int]] = []
        self.installed: list[tuple[str, str, bool]] = []
        #: (name, node) of exports
        self.exported: list[tuple[str, str]] = []
        #: what was asked to be created; the OS parameters that an instance was given since
        self.created: list[InstanceSpec] = []
        #: changes of hypervisor parameters, oldest first
        self.hvparams: dict[str, list[Mapping[str, str]]] = {}
        #: changes of NICs (name, by hotplug, change), oldest first, and what tags instances have
        self.nics: list[tuple[str, bool, list[Any]]] = []
        self.tags: dict[str, list[str]] = {}
        self._nic_changes: dict[str, Sequence[Sequence[Any]]] = {}
        #: (name, target node, who chooses one, the old node is lost)
        self.moved: list[tuple[str, str | None, str | None, bool]] = []
        self.osparams: dict[str, Mapping[str, str]] = {}

    def close(self) -> None:
        """Nothing is open."""

    # what the domain calls

    def create_instance(self, spec: InstanceSpec, *, reason: str | None) -> int:
        self.created.append(spec)
        self.tags[spec.name] = list(spec.tags)
        return self._submit("create", Opcode.CREATE, spec.name, reason, spec=spec)

    def startup_instance(self, name: str, *, reason: str | None) -> int:
        return self._submit("start", Opcode.STARTUP, name, reason)

    def shutdown_instance(self, name: str, *, reason: str | None) -> int:
        return self._submit("stop", Opcode.SHUTDOWN, name, reason)

    def reboot_instance(
        self, name: str, *, reason: str | None, reboot_type: str, shutdown_timeout: int | None = None
    ) -> int:
        return self._submit("reboot", Opcode.REBOOT, name, reason)

    def delete_instance(self, name: str, *, reason: str | None, shutdown_timeout: int | None = None) -> int:
        return self._submit("delete", Opcode.REMOVE, name, reason)

    def modify_instance(
        self,
        name: str,
        *,
        reason: str | None,
        hotplug: bool,
        beparams: Mapping[str, int] | None = None,
        osparams: Mapping[str, str] | None = None,
        hvparams: Mapping[str, str] | None = None,
        nics: Sequence[Sequence[Any]] | None = None,
    ) -> int:
        assert nics is not None or not hotplug
        if nics is not None:
            self.nics.append((name, hotplug, [list(change) for change in nics]))
            self._nic_changes[name] = nics
        if beparams is not None:
            self.sizes[name] = (beparams["vcpus"], beparams["maxmem"])
        if osparams is not None and not self.unreachable:
            self.osparams[name] = {**self.osparams.get(name, {}), **osparams}
        if hvparams is not None:
            self.hvparams.setdefault(name, []).append(hvparams)
        return self._submit("modify", Opcode.SET_PARAMS, name, reason)

    def get_instance_tags(self, name: str) -> list[str]:
        self._ask("tags")
        return list(self.tags.get(name, ()))

    def add_instance_tags(self, name: str, tags: Sequence[str], *, reason: str | None) -> int:
        job_id = self._submit("tag", Opcode.TAGS_SET, name, reason)
        self.tags.setdefault(name, []).extend(tags)
        return job_id

    def delete_instance_tags(self, name: str, tags: Sequence[str], *, reason: str | None) -> int:
        job_id = self._submit("untag", Opcode.TAGS_DEL, name, reason)
        self.tags[name] = [tag for tag in self.tags.get(name, ()) if tag not in tags]
        return job_id

    def migrate_instance(
        self,
        name: str,
        *,
        reason: str | None,
        mode: str,
        target_node: str | None,
        iallocator: str | None,
        allow_failover: bool,
    ) -> int:
        assert (mode, allow_failover) == ("live", False)
        self.moved.append((name, target_node, iallocator, False))
        return self._submit("migrate", Opcode.MIGRATE, name, reason)

    def failover_instance(
        self,
        name: str,
        *,
        reason: str | None,
        target_node: str | None,
        iallocator: str | None,
        ignore_consistency: bool,
    ) -> int:
        self.moved.append((name, target_node, iallocator, ignore_consistency))
        return self._submit("failover", Opcode.FAILOVER, name, reason)

    def export_instance(self, name: str, *, mode: str, destination: str, shutdown: bool, reason: str | None) -> int:
        assert (mode, shutdown) == ("local", False)
        self.exported.append((name, destination))
        return self._submit("export", Opcode.EXPORT, name, reason)

    def grow_instance_disk(self, name: str, disk: int, *, amount: int, reason: str | None) -> int:
        self.grown.append((name, disk, amount))
        return self._submit("grow", Opcode.GROW_DISK, name, reason)

    def reinstall_instance(self, name: str, *, os: str, osparams: Mapping[str, str], no_startup: bool) -> int:
        if not self.unreachable:
            self.installed.append((name, osparams["image"], no_startup))
            self.osparams[name] = osparams
        return self._submit("reinstall", Opcode.REINSTALL, name, None)

    def get_groups(self, *, bulk: bool) -> list[dict[str, Any]]:
        self._ask("groups")
        return [{"name": name} for name in self.networks.groups]

    def get_networks(self, *, bulk: bool = True) -> list[dict[str, Any]]:
        self._ask("networks")
        return self.networks.all()

    def get_network(self, name: str) -> dict[str, Any]:
        self._ask("network")
        return self.networks.get(name)

    def create_network(self, name: str, *, reason: str | None, tags: Sequence[str], **given: str | None) -> int:
        effect = self.networks.add(name, tags, **given)
        return self._submit("add-network", "OP_NETWORK_ADD", name, reason, effect=effect)

    def modify_network(self, name: str, *, reason: str | None, **changes: str) -> int:
        effect = self.networks.change(name, changes)
        return self._submit("modify-network", "OP_NETWORK_SET_PARAMS", name, reason, effect=effect)

    def add_network_tags(self, name: str, tags: Sequence[str], *, reason: str | None) -> int:
        return self._submit("tag-network", Opcode.TAGS_SET, name, reason, effect=self.networks.tag(name, tags))

    def connect_network(
        self, name: str, group: str, *, mode: str, link: str, reason: str | None, depends: Depends = ()
    ) -> int:
        effect = self.networks.connect(name, group, mode, link)
        return self._submit("connect-network", "OP_NETWORK_CONNECT", name, reason, effect=effect)

    def disconnect_network(self, name: str, group: str, *, reason: str | None) -> int:
        effect = self.networks.disconnect(name, group)
        return self._submit("disconnect-network", "OP_NETWORK_DISCONNECT", name, reason, effect=effect)

    def delete_network(self, name: str, *, reason: str | None) -> int:
        effect = self.networks.remove(name)
        return self._submit("remove-network", "OP_NETWORK_REMOVE", name, reason, effect=effect)

    def get_info(self) -> dict[str, Any]:
        self._ask("info")
        return {"uuid": self.cluster, "software_version": "3.0.2"}

    def get_nodes(self) -> list[dict[str, Any]]:
        self._ask("nodes")
        return list(self.nodes)

    def get_jobs(self, *, bulk: bool = True) -> list[dict[str, Any]]:
        self._ask("jobs")
        with self._lock:
            # the bulk form has no results
            return [{**job.row(), "opresult": None} for job in self.jobs.values()]

    def get_job(self, job_id: int) -> dict[str, Any] | None:
        self._ask("job")
        with self._lock:
            job = self.jobs.get(job_id)
            return job.row() if job else None

    def query_jobs(self, job_ids: Sequence[int]) -> list[dict[str, Any]]:
        self._ask("query")
        with self._lock:
            return [self.jobs[job_id].row() for job_id in job_ids if job_id in self.jobs]

    def get_instances(self, *, bulk: bool = True) -> list[dict[str, Any]]:
        self._ask("instances")
        with self._lock:
            return [instance.row() for instance in self.instances.values()]

    def get_instance(self, name: str) -> dict[str, Any]:
        self._ask("instance")
        with self._lock:
            if name not in self.instances:
                raise RapiRefused(status=404, error_class="HttpNotFound", reason=f"{name} is not known")
            return self.instances[name].row()

    # what tests do

    def foreign(self, opcodes: str | Sequence[str], name: str) -> FakeJob:
        """Have an operator submit a job: it carries no request id."""
        return self._add((opcodes,) if isinstance(opcodes, str) else tuple(opcodes), name, None)

    def step(self, job_id: int, status: JobStatus) -> messages.JobEvent:
        """Move a job to a status that is not its last, and give the event."""
        job = self.jobs[job_id]
        job.statuses = [status.value] * len(job.opcodes)
        return self.event(job_id)

    def finish(self, job_id: int, *, failed: object = None, canceled: bool = False) -> messages.JobEvent:
        """End a job, well or badly, with what that does to the cluster, and give the event."""
        job = self.jobs[job_id]
        job.ended_at = self.clock()
        if job.effect is not None and failed is None:
            failed = job.effect()
        if job.spec is not None and failed is None:
            failed = self.networks.refusal(nic.network for nic in job.spec.nics)
        if canceled:
            job.statuses, job.results = ["canceled"] * len(job.opcodes), ["Job canceled by request"] * len(job.opcodes)
        elif failed is not None:
            job.statuses = ["error"] * len(job.opcodes)
            job.results = [failed] * len(job.opcodes)
        else:
            job.statuses = ["success"] * len(job.opcodes)
            job.results = [["node1"] if op == Opcode.CREATE else None for op in job.opcodes]
            for opcode in job.opcodes:
                self._do(opcode, job)
        return self.event(job_id)

    def event(self, job_id: int) -> messages.JobEvent:
        """Give the event that eventd would publish of a job as it is now."""
        return messages.JobEvent(
            cluster=self.cluster, job=jobs.from_rapi(self.jobs[job_id].row()), seen_at=self.clock()
        )

    def open_jobs(self) -> list[int]:
        return [job.id for job in list(self.jobs.values()) if job.ended_at is None]

    def forget(self, job_id: int) -> None:
        """Lose a job, as a cluster does whose queue was purged."""
        del self.jobs[job_id]

    def _do(self, opcode: str, job: FakeJob) -> None:
        if opcode == Opcode.CREATE and job.spec is not None:
            self.instances[job.instance] = FakeInstance(
                job.instance, vcpus=job.spec.vcpus, ram=job.spec.memory, nics=list(job.spec.nics)
            )
        elif opcode == Opcode.REMOVE:
            self.instances.pop(job.instance, None)
        elif opcode in (Opcode.STARTUP, Opcode.REBOOT) and job.instance in self.instances:
            self.instances[job.instance].status = "running"
        elif opcode == Opcode.SET_PARAMS and job.instance in self.instances:
            found = self.instances[job.instance]
            found.vcpus, found.ram = self.sizes.get(job.instance, (found.vcpus, found.ram))
            for change in self._nic_changes.pop(job.instance, ()):
                found.change_nic(change, self.networks)
        elif opcode == Opcode.SHUTDOWN and job.instance in self.instances:
            self.instances[job.instance].status = "ADMIN_down"

    def _ask(self, what: str) -> None:
        self.meanwhile(what)
        if self.unreachable:
            raise RapiUnreachable("connection refused", sent=False)
        with self._lock:
            self.asked.append(what)

    def _users_of(self, network: str) -> list[str]:
        return [each.name for each in list(self.instances.values()) if any(nic.network == network for nic in each.nics)]

    def _submit(
        self,
        method: str,
        opcode: str,
        name: str,
        reason: str | None,
        *,
        spec: InstanceSpec | None = None,
        effect: Effect | None = None,
    ) -> int:
        self.meanwhile(method)
        if self.unreachable:
            raise RapiUnreachable("connection refused", sent=False)
        with self._lock:
            self.calls.append((method, name, reason))
            if self.refusals:
                raise self.refusals.pop(0)
        job = self._add((opcode,), name, reason, spec=spec)
        job.effect = effect
        with self._lock:
            if self.lose_replies:
                self.lose_replies -= 1
                raise RapiUnreachable("the connection was cut", sent=True)
        return job.id

    def _add(
        self, opcodes: tuple[str, ...], name: str, reason: str | None, *, spec: InstanceSpec | None = None
    ) -> FakeJob:
        with self._lock:
            job = FakeJob(self._next, opcodes, name, reason, self.clock(), spec=spec)
            job.statuses = ["queued"] * len(opcodes)
            job.results = [None] * len(opcodes)
            self.jobs[job.id] = job
            self._next += 1
        return job


class FakeClients:
    """Stands in for cloud.clients.Clients: one FakeRapi per backend, or one for all."""

    def __init__(self, rapi: FakeRapi | Mapping[int, FakeRapi]) -> None:
        self._rapi = rapi

    def of(self, backend: Backend) -> FakeRapi:
        return self._rapi if isinstance(self._rapi, FakeRapi) else self._rapi[backend.id]

    def close(self) -> None:
        """Nothing is open."""


def clients(rapi: FakeRapi | Mapping[int, FakeRapi]) -> Clients:
    """Give the fake under the type that the domain's functions ask for."""
    return cast("Clients", FakeClients(rapi))


def refused(
    status: int = 400, *, error_class: str = "HttpBadRequest", reason: str = "no", retryable: bool = False
) -> RapiRefused:
    return RapiRefused(status=status, error_class=error_class, reason=reason, retryable=retryable)


def _target(opcode: str, name: str) -> dict[str, str]:
    """Give the members by which an operation names its instance."""
    if opcode.startswith("OP_NETWORK_"):
        return {"network_name": name}
    if opcode in (Opcode.TAGS_SET, Opcode.TAGS_DEL):
        return {"kind": "instance", "name": name}
    return {"instance_name": name}


def _node(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "vm_capable": True,
        "offline": False,
        "drained": False,
        "mtotal": 65536,
        "mfree": 60000,
        "dtotal": 1000000,
        "dfree": 900000,
        "ctotal": 16,
    }


def _stamp(time: datetime) -> list[int]:
    since = time - datetime.fromtimestamp(0, tz=time.tzinfo)
    return [since // timedelta(seconds=1), since.microseconds]
