"""Tags, node groups, and the opcodes that only read."""

import re
from collections.abc import Callable
from typing import Any

from gntsim import objects
from gntsim.opcodes import base, placement

TAG = re.compile(r"^[\w.+*/:@-]+$", re.ASCII)
MAX_TAG = 128


class Tags(base.Unit):
    """What setting and deleting tags share: the object."""

    def expand(self) -> None:
        kind, name = self.given["kind"], self.given["name"]
        self.target: objects.Anything | None = None
        if kind == "cluster":
            return
        finders: dict[str, Callable[[str], objects.Anything | None]] = {
            "instance": self.cluster.instance,
            "node": self.cluster.node,
            "nodegroup": self.cluster.group,
            "network": self.cluster.network,
        }
        self.target = finders[kind](name)
        if self.target is None:
            label = {"nodegroup": "Node group", "network": "Network"}.get(kind)
            text = f"{label} '{name}' not found" if label else f"{kind.capitalize()} '{name}' not known"
            raise base.PrereqError(text, "unknown_entity")
        self.given["name"] = self.target.name

    def locks(self) -> frozenset[str]:
        return frozenset({f"{self.given['kind']}/{self.given['name']}"})

    @property
    def tags(self) -> list[str]:
        return self.target.tags if self.target is not None else self.cluster.identity.tags

    def store(self, tags: list[str]) -> None:
        with self.cluster.lock:
            if self.target is None:
                self.cluster.identity.tags = tags
                self.cluster.save_identity()
            else:
                self.target.tags = tags
                self.cluster.save(self.target)


class TagsSet(Tags):
    """OP_TAGS_SET."""

    def check(self) -> None:
        for tag in self.given["tags"]:
            if len(tag) > MAX_TAG:
                raise TagError(f"Tag too long (maximum {MAX_TAG})")
            if not TAG.match(tag):
                raise TagError("Tag contains invalid characters")

    def execute(self) -> None:
        self.pause()
        self.store(list(dict.fromkeys([*self.tags, *self.given["tags"]])))


class TagsDel(Tags):
    """OP_TAGS_DEL."""

    def check(self) -> None:
        missing = [tag for tag in self.given["tags"] if tag not in self.tags]
        if missing:
            listed = ", ".join(f"'{tag}'" for tag in sorted(missing))
            raise base.PrereqError(f"Tag(s) {listed} not found", "unknown_entity")

    def execute(self) -> None:
        self.pause()
        self.store([tag for tag in self.tags if tag not in self.given["tags"]])


class TagError(base.OpError):
    """A tag that Ganeti does not allow."""

    error_class = "TagError"


class GroupAdd(base.Unit):
    """OP_GROUP_ADD."""

    def locks(self) -> frozenset[str]:
        return frozenset({f"nodegroup/{self.given['group_name']}"})

    def check(self) -> None:
        existing = self.cluster.group(self.given["group_name"])
        if existing is not None:
            raise base.PrereqError(
                f"Desired group name '{existing.name}' already exists as a node group (UUID: {existing.uuid})",
                "already_exists",
            )

    def execute(self) -> None:
        self.pause()
        policy = self.given["alloc_policy"] or "preferred"
        with self.cluster.lock:
            self.cluster.save(objects.Group(name=self.given["group_name"], alloc_policy=policy))


class GroupUnit(base.Unit):
    """An opcode on one node group."""

    def expand(self) -> None:
        found = self.cluster.group(self.given["group_name"])
        if found is None:
            raise base.PrereqError(f"Node group '{self.given['group_name']}' not found", "unknown_entity")
        self.group = found

    def locks(self) -> frozenset[str]:
        return frozenset({f"nodegroup/{self.group.name}"})


class GroupRemove(GroupUnit):
    """OP_GROUP_REMOVE."""

    def check(self) -> None:
        nodes = [node.name for node in self.cluster.nodes.values() if node.group == self.group.uuid]
        if nodes:
            raise base.PrereqError(
                f"Group '{self.group.name}' not empty, has the following nodes: {', '.join(nodes)}", "wrong_state"
            )

    def execute(self) -> None:
        self.pause()
        with self.cluster.lock:
            self.cluster.remove(self.group)


class GroupRename(GroupUnit):
    """OP_GROUP_RENAME."""

    def execute(self) -> str:
        self.pause()
        with self.cluster.lock:
            self.group.name = self.given["new_name"]
            self.cluster.save(self.group)
        return self.group.name


class GroupSetParams(GroupUnit):
    """OP_GROUP_SET_PARAMS: the allocation policy."""

    def execute(self) -> list[Any]:
        self.pause()
        with self.cluster.lock:
            if self.given["alloc_policy"] is not None:
                self.group.alloc_policy = self.given["alloc_policy"]
            self.cluster.save(self.group)
        return []


class QueryData(base.Unit):
    """OP_INSTANCE_QUERY_DATA, the job behind `/info`."""

    def expand(self) -> None:
        self.instances = []
        for name in self.given["instances"]:
            found = self.cluster.instance(str(name).lower())
            if found is None:
                raise base.PrereqError(f"Instance '{name}' not known", "unknown_entity")
            self.instances.append(found)
        self.given["instances"] = [instance.name for instance in self.instances]

    def execute(self) -> dict[str, Any]:
        if not self.given["static"]:
            self.run.warn("Non-static data requested, locks need to be acquired")
        self.pause()
        with self.cluster.lock:
            return {instance.name: self._describe(instance) for instance in self.instances}

    def _describe(self, instance: objects.Instance) -> dict[str, Any]:
        state = self.cluster
        node = state.nodes[instance.pnode]
        group = state.groups[node.group]
        return {
            "name": instance.name,
            "config_state": instance.admin_state,
            "run_state": None if self.given["static"] else ("up" if instance.running else "down"),
            "pnode": node.name,
            "pnode_group_uuid": group.uuid,
            "pnode_group_name": group.name,
            "snodes": [],
            "snodes_group_uuids": [],
            "snodes_group_names": [],
            "os": instance.os,
            "nics": [self._nic(nic) for nic in instance.nics],
            "disk_template": instance.disk_template,
            "disks": [self._disk(instance, disk, index) for index, disk in enumerate(instance.disks)],
            "hypervisor": instance.hypervisor,
            "network_port": instance.network_port,
            "hv_instance": instance.hvparams,
            "hv_actual": state.hvparams(instance),
            "be_instance": instance.beparams,
            "be_actual": state.beparams(instance),
            "os_instance": instance.osparams,
            "os_actual": instance.osparams,
            "serial_no": instance.serial_no,
            "mtime": instance.mtime,
            "ctime": instance.ctime,
            "uuid": instance.uuid,
        }

    def _nic(self, nic: objects.Nic) -> list[Any]:
        network = self.cluster.networks.get(nic.network) if nic.network else None
        described = {"name": network.name, "uuid": network.uuid, "network": network.network} if network else None
        params = [self.cluster.nic_param(nic, name) for name in ("mode", "link", "vlan")]
        return [nic.name, nic.uuid, nic.ip, nic.mac, *params, nic.network, described]

    @staticmethod
    def _disk(instance: objects.Instance, disk: objects.Disk, index: int) -> dict[str, Any]:
        return {
            "iv_name": f"disk/{index}",
            "dev_type": instance.disk_template,
            "logical_id": ["loop", base.disk_path(instance, disk, index)],
            "drbd_info": None,
            "children": [],
            "mode": disk.mode,
            "size": disk.size,
            "spindles": None,
            "name": disk.name,
            "uuid": disk.uuid,
        }


class Redistribute(base.Unit):
    """OP_CLUSTER_REDIST_CONF."""

    def execute(self) -> None:
        self.pause()


class DiagnoseOs(base.Unit):
    """OP_OS_DIAGNOSE, the job behind `/2/os`."""

    def execute(self) -> list[list[Any]]:
        found: dict[str, list[str]] = {}
        for full in self.run.settings.oses:
            name, _, variant = full.partition("+")
            found.setdefault(name, []).append(variant)
        placement.require_alive(self.cluster.master)
        self.pause()
        return [[name, variants] for name, variants in sorted(found.items())]
