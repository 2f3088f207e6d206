"""The frame of an opcode's work, and the errors it may end with."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from gntsim import cluster, jobs, knobs, objects, settings

#: the lock that stands for those of all nodes
NODES = "nodes"


class OpError(Exception):
    """An opcode's refusal or failure; `args` are written to the job file as Ganeti's error class writes them."""

    error_class = "OpExecError"

    def encoded(self) -> list[Any]:
        return [self.error_class, list(self.args)]


class PrereqError(OpError):
    """OpPrereqError: the arguments are (message, ecode)."""

    error_class = "OpPrereqError"


class ExecError(OpError):
    """OpExecError: the argument is (message,)."""


class GenericError(OpError):
    """What Ganeti's configuration daemon says no with: the argument is (message,)."""

    error_class = "GenericError"


class TypeEnforcementError(OpError):
    error_class = "TypeEnforcementError"


class HooksAbort(OpError):
    """A pre-hook said no: the argument is [[node uuid, script, output]...]."""

    error_class = "HooksAbort"


@dataclasses.dataclass(frozen=True)
class Hook:
    """The hooks an opcode runs: path, the environment without its GANETI_ prefix, and the object's kind."""

    path: str
    env: Mapping[str, str]
    object_type: str = "INSTANCE"
    target: str | None = None


@dataclasses.dataclass
class Run:
    """One opcode at work: the world it works on, and its ways to speak."""

    cluster: cluster.Cluster
    settings: settings.Settings
    op: jobs.Op
    log: Callable[[str], None]
    submit: Callable[[list[jobs.Op]], int]
    sleep: Callable[[float], None]
    fault: knobs.JobFault | None = None

    def info(self, text: str) -> None:
        self.log(f" - INFO: {text}")

    def warn(self, text: str) -> None:
        self.log(f" - WARNING: {text}")


class Unit:
    """One opcode's logic. `expand` runs before the locks, `check` with them, `execute` between the hooks.

    `execute` is called without the cluster's lock and takes it for each change, so that a guest operation that
    takes its time stops nobody else. `steps` is how many pauses it makes; they share the opcode's duration.
    """

    steps = 1

    def __init__(self, run: Run) -> None:
        self.run = run
        self.cluster = run.cluster
        self.given = run.op.params

    def expand(self) -> None:
        """Refuse what can be refused by names alone."""

    def locks(self) -> frozenset[str]:
        return frozenset()

    def shared_locks(self) -> frozenset[str]:
        """Name locks that others may share: Ganeti's nodes one by one would be exclusive, but who waits is the same."""
        return frozenset()

    def check(self) -> None:
        """Refuse what the state of the cluster forbids."""

    def hook(self) -> Hook | None:
        return None

    def dry_run_result(self) -> Any:
        return None

    def execute(self) -> Any:
        """Do it, and return the opcode's result."""
        return None

    def cleanup(self) -> None:
        """Give back what `check` reserved and `execute` did not use; always called, with the cluster's lock."""

    def pause(self) -> None:
        self.run.sleep(1 / self.steps)


class InstanceUnit(Unit):
    """An opcode on one existing instance, found by its `instance_name`."""

    hook_path = ""

    def expand(self) -> None:
        found = self.cluster.instance(str(self.given["instance_name"]).lower())
        if found is None:
            raise PrereqError(f"Instance '{self.given['instance_name']}' not known", "unknown_entity")
        self.instance: objects.Instance = found
        self.given["instance_name"] = found.name
        if "instance_uuid" in self.given:
            self.given["instance_uuid"] = found.uuid

    def locks(self) -> frozenset[str]:
        return frozenset({f"instance/{self.instance.name}"})

    def check(self) -> None:
        if self.cluster.instances.get(self.instance.uuid) is None:
            raise PrereqError(f"Instance '{self.instance.name}' not known", "unknown_entity")

    def require_online_node(self) -> None:
        node = self.cluster.nodes[self.instance.pnode]
        if node.offline:
            raise PrereqError(f"Can't use offline node: {node.name}", "wrong_state")

    def hook(self) -> Hook | None:
        if not self.hook_path:
            return None
        return Hook(
            self.hook_path, instance_env(self.cluster, self.instance) | self.extra_env(), target=self.instance.name
        )

    def extra_env(self) -> dict[str, str]:
        return {}


def instance_env(state: cluster.Cluster, instance: objects.Instance, *, adding: bool = False) -> dict[str, str]:
    """What hooks are told of an instance; while it is being added some of it is not known yet."""
    beparams = state.beparams(instance)
    status = str(instance.admin_state == "up") if adding else instance.admin_state
    env = {
        "INSTANCE_NAME": instance.name,
        "INSTANCE_PRIMARY": state.nodes[instance.pnode].name,
        "INSTANCE_SECONDARIES": "",
        "INSTANCE_OS_TYPE": instance.os or "",
        "INSTANCE_STATUS": status,
        "INSTANCE_MINMEM": str(beparams["minmem"]),
        "INSTANCE_MAXMEM": str(beparams["maxmem"]),
        "INSTANCE_MEMORY": str(beparams["maxmem"]),
        "INSTANCE_VCPUS": str(beparams["vcpus"]),
        "INSTANCE_DISK_TEMPLATE": instance.disk_template,
        "INSTANCE_HYPERVISOR": instance.hypervisor,
        "INSTANCE_TAGS": " ".join(instance.tags),
        "INSTANCE_NIC_COUNT": str(len(instance.nics)),
        "INSTANCE_DISK_COUNT": str(len(instance.disks)),
    }
    env |= {f"INSTANCE_BE_{name}": str(value) for name, value in beparams.items()}
    env |= {f"INSTANCE_HV_{name}": str(value) for name, value in state.hvparams(instance).items()}
    for index, nic in enumerate(instance.nics):
        env |= {f"INSTANCE_NIC{index}_{name}": value for name, value in _nic_env(state, nic).items()}
    for index, disk in enumerate(instance.disks):
        known = {"SIZE": str(disk.size), "MODE": disk.mode, "UUID": "" if adding else disk.uuid}
        if disk.name is not None:
            known["NAME"] = disk.name
        if not adding:
            known |= {"DEV_TYPE": instance.disk_template, "DRIVER": "loop", "ID": disk_path(instance, disk, index)}
        env |= {f"INSTANCE_DISK{index}_{name}": value for name, value in known.items()}
    return env


def disk_path(instance: objects.Instance, disk: objects.Disk, index: int) -> str:
    folder = "shared-file-storage" if instance.disk_template == "sharedfile" else "file-storage"
    return f"/srv/ganeti/{folder}/{instance.name}/{disk.file_uuid}.{instance.disk_template}.disk{index}"


def _nic_env(state: cluster.Cluster, nic: objects.Nic) -> dict[str, str]:
    mode = state.nic_param(nic, "mode")
    link = state.nic_param(nic, "link")
    env = {
        "UUID": nic.uuid,
        "MAC": nic.mac,
        "IP": nic.ip or "",
        "MODE": mode,
        "LINK": link,
        "VLAN": state.nic_param(nic, "vlan"),
    }
    if nic.name is not None:
        env["NAME"] = nic.name
    if mode == "bridged":
        env["BRIDGE"] = link
    network = state.networks.get(nic.network) if nic.network else None
    if network is None:
        return env
    env |= network_env(network, prefix="NETWORK_")
    env["NETWORK_UUID"] = network.uuid
    return env


def network_env(network: objects.Network, *, prefix: str) -> dict[str, str]:
    facts = {
        "NAME": network.name,
        "SUBNET": network.network,
        "GATEWAY": network.gateway,
        "SUBNET6": network.network6,
        "GATEWAY6": network.gateway6,
        "MAC_PREFIX": network.mac_prefix,
        "TAGS": " ".join(network.tags),
    }
    return {f"{prefix}{name}": value for name, value in facts.items() if value}
