"""The configuration of the simulated cluster: lookups, reservations, and saving every change at once.

All methods expect the caller to hold `lock`; the job threads and the HTTP threads share one cluster.
"""

import dataclasses
import ipaddress
import pathlib
import random
import threading
import time
from collections.abc import Iterable

import orjson

from gntsim import defaults, journal, objects, settings

FIRST_PORT = 11000
KINDS: dict[type[objects.Anything], str] = {
    objects.Instance: "instance",
    objects.Node: "node",
    objects.Group: "group",
    objects.Network: "network",
}


@dataclasses.dataclass
class Identity:
    """What makes the cluster this one, and who is its master."""

    uuid: str
    name: str
    master: str
    serial_no: int = 1
    tags: list[str] = dataclasses.field(default_factory=list)
    ctime: float = dataclasses.field(default_factory=time.time)
    poisoned: bool = False


@dataclasses.dataclass
class Usage:
    """What a node's instances take, by configuration; MiB."""

    memory: int = 0
    disk: int = 0
    instances: set[str] = dataclasses.field(default_factory=set)


class Cluster:
    """Everything `config.data` would hold, and the guests' real state."""

    def __init__(self, config: settings.Settings, store: journal.Journal) -> None:
        self.settings = config
        self.lock = threading.RLock()
        self.random = random.Random(config.seed)
        self._store = store
        self._forget()

    def open(self) -> None:
        """Read what an earlier process saved, or build a fresh cluster."""
        identities = list(self._store.load("cluster"))
        if not identities:
            self.initialise()
            return
        self.identity = Identity(**identities[0])
        for document in self._store.load("group"):
            self._add(objects.Group(**document))
        for document in self._store.load("node"):
            self._add(objects.Node(**document))
        for document in self._store.load("network"):
            self._add(objects.Network(**document))
        for document in self._store.load("instance"):
            self._add(objects.instance_from(document))
        for document in self._store.load("disk"):
            disk = objects.Disk(**document)
            self.detached[disk.uuid] = disk
        self._write_config()

    def initialise(self) -> None:
        """Make a new, empty cluster with a new identity, as `gnt-cluster init` does."""
        self._forget()
        self._store.clear()
        config = self.settings
        group = objects.Group(name=config.group)
        names = config.node_names()
        size = config.node_size
        nodes = [
            objects.Node(
                name=name,
                group=group.uuid,
                ip=str(ipaddress.ip_address("192.168.77.10") + index),
                memory=size.memory,
                reserved=size.reserved,
                disk=size.disk,
                cpus=size.cpus,
            )
            for index, name in enumerate(names)
        ]
        self.identity = Identity(uuid=objects.new_uuid(), name=config.cluster_name, master=names[0])
        self.save(group, *nodes)
        self.save_identity()

    # -- looking things up ------------------------------------------------------------------------------------------

    def instance(self, name: str) -> objects.Instance | None:
        """An instance by name, or by the part of its name before a dot when only one matches."""
        uuid = self._by_name[objects.Instance].get(name) or self._by_prefix(objects.Instance, name)
        return self.instances.get(uuid) if uuid else None

    def instance_or_uuid(self, name: str) -> objects.Instance | None:
        return self.instances.get(name) or self.instance(name)

    def node(self, name: str) -> objects.Node | None:
        uuid = self._by_name[objects.Node].get(name) or self._by_prefix(objects.Node, name)
        return self.nodes.get(uuid or name)

    def group(self, name: str) -> objects.Group | None:
        return self.groups.get(self._by_name[objects.Group].get(name, name))

    def network(self, name: str) -> objects.Network | None:
        return self.networks.get(self._by_name[objects.Network].get(name, name))

    @property
    def master(self) -> objects.Node:
        return self.nodes[self._by_name[objects.Node][self.identity.master]]

    def default_group(self) -> objects.Group:
        return next(iter(self.groups.values()))

    def instances_of(self, node: objects.Node) -> list[objects.Instance]:
        return sorted((self.instances[uuid] for uuid in self.usage[node.uuid].instances), key=lambda i: i.name)

    def status(self, instance: objects.Instance) -> str:
        node = self.nodes[instance.pnode]
        if node.offline:
            return "ERROR_nodeoffline"
        if not node.alive:
            return "ERROR_nodedown"
        if instance.admin_state == "up":
            return "running" if instance.running else "ERROR_down"
        if instance.running:
            return "ERROR_up"
        return "ADMIN_offline" if instance.admin_state == "offline" else "ADMIN_down"

    def beparams(self, instance: objects.Instance) -> objects.Params:
        return {**defaults.BEPARAMS, **instance.beparams}

    def hvparams(self, instance: objects.Instance) -> objects.Params:
        return {**self.hv_defaults[instance.hypervisor], **instance.hvparams}

    def disk_usage(self, instance: objects.Instance) -> int:
        return sum(disk.size for disk in instance.disks)

    def nic_param(self, nic: objects.Nic, name: str) -> str:
        default = {"mode": "bridged", "link": self.settings.link, "vlan": ""}[name]
        return str(nic.params.get(name, default))

    def ip_in_use(self, network: str, ip: str) -> bool:
        """Whether an instance holds an address of a network."""
        return (network, ip) in self._holders

    def memory_free(self, node: objects.Node) -> int:
        used = sum(
            int(self.beparams(self.instances[uuid])["maxmem"])
            for uuid in self.usage[node.uuid].instances
            if self.instances[uuid].running
        )
        return node.memory - node.reserved - used

    # -- changing ---------------------------------------------------------------------------------------------------

    def save(self, *changed: objects.Anything) -> None:
        """Add or update objects; serial_no and mtime move on."""
        for thing in changed:
            uuid = thing.uuid
            if uuid in self._tables[type(thing)]:
                thing.serial_no += 1
                thing.mtime = time.time()
                self._drop(thing)
            self._add(thing)
        self._store.save((KINDS[type(thing)], thing.uuid, dataclasses.asdict(thing)) for thing in changed)

    def remove(self, thing: objects.Anything) -> None:
        self._drop(thing)
        self._store.save([], [(KINDS[type(thing)], thing.uuid)])

    def detach(self, disk: objects.Disk) -> None:
        self.detached[disk.uuid] = disk
        self._store.save([("disk", disk.uuid, dataclasses.asdict(disk))])

    def attach(self, disk: objects.Disk) -> None:
        self.detached.pop(disk.uuid, None)
        self._store.save([], [("disk", disk.uuid)])

    def save_identity(self) -> None:
        """Write down who the cluster is, here and in the files that other programs read."""
        self._store.save([("cluster", "cluster", dataclasses.asdict(self.identity))])
        self._write_config()

    def new_mac(self, prefix: str | None) -> str:
        while True:
            tail = ":".join(f"{self.random.randrange(256):02x}" for _ in range(3))
            mac = f"{prefix or defaults.INFO['mac_prefix']}:{tail}"
            if mac not in self.macs:
                return mac

    def new_port(self) -> int:
        """The lowest free TCP port; real Ganeti stops at 14999, which would stop us at 4,000 guests."""
        if self._freed_ports:
            return min(self._freed_ports)
        while self._next_port in self._ports:
            self._next_port += 1
        return self._next_port

    # -- inside -----------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self.instances: dict[str, objects.Instance] = {}
        self.nodes: dict[str, objects.Node] = {}
        self.groups: dict[str, objects.Group] = {}
        self.networks: dict[str, objects.Network] = {}
        self._tables: dict[type, dict[str, objects.Anything]] = {
            objects.Instance: self.instances,  # type: ignore[dict-item]
            objects.Node: self.nodes,  # type: ignore[dict-item]
            objects.Group: self.groups,  # type: ignore[dict-item]
            objects.Network: self.networks,  # type: ignore[dict-item]
        }
        self._by_name: dict[type, dict[str, str]] = {kind: {} for kind in KINDS}
        self._indexed: dict[str, tuple[str, str, int, int, list[tuple[str, str | None, str | None]]]] = {}
        self._names: dict[str, str] = {}
        self.usage: dict[str, Usage] = {}
        self.pools: dict[str, objects.Pool] = {}
        self.users_of: dict[str, set[str]] = {}
        self.macs: set[str] = set()
        self._holders: dict[tuple[str, str], str] = {}
        self.promised_ips: set[tuple[str, str]] = set()
        self.detached: dict[str, objects.Disk] = {}
        self._next_port = FIRST_PORT
        self._ports: set[int] = set()
        self._freed_ports: set[int] = set()
        self.hv_defaults = {
            name: {k: v for k, v in values.items() if k not in defaults.GLOBAL_HVPARAMS}
            for name, values in defaults.HVPARAMS.items()
        }

    def _by_prefix(self, kind: type, name: str) -> str | None:
        matches = [uuid for full, uuid in self._by_name[kind].items() if full.startswith(f"{name}.")]
        return matches[0] if len(matches) == 1 else None

    def _add(self, thing: objects.Anything) -> None:
        self._tables[type(thing)][thing.uuid] = thing
        self._by_name[type(thing)][thing.name] = thing.uuid
        self._names[thing.uuid] = thing.name
        match thing:
            case objects.Node():
                self.usage.setdefault(thing.uuid, Usage())
            case objects.Network():
                self._fill_pool(thing)
            case objects.Instance():
                self._index(thing)
            case _:
                pass

    def _drop(self, thing: objects.Anything) -> None:
        del self._tables[type(thing)][thing.uuid]
        self._by_name[type(thing)].pop(self._names.pop(thing.uuid), None)
        match thing:
            case objects.Network():
                del self.pools[thing.uuid]
            case objects.Instance():
                self._unindex(thing)
            case _:
                pass

    def _fill_pool(self, network: objects.Network) -> None:
        pool = self.pools[network.uuid] = objects.Pool(network)
        for uuid in self.users_of.setdefault(network.uuid, set()):
            for nic in self.instances[uuid].nics:
                if nic.network == network.uuid and nic.ip and nic.ip in pool:
                    pool.reserve(nic.ip)
        for uuid, ip in self.promised_ips:
            if uuid == network.uuid:
                pool.reserve(ip)

    def _index(self, instance: objects.Instance) -> None:
        usage = self.usage[instance.pnode]
        memory, disk = int(self.beparams(instance)["maxmem"]), self.disk_usage(instance)
        usage.memory += memory
        usage.disk += disk
        usage.instances.add(instance.uuid)
        nics = [(nic.mac, nic.network, nic.ip) for nic in instance.nics]
        for mac, network, ip in nics:
            self.macs.add(mac)
            if network is None:
                continue
            self.users_of.setdefault(network, set()).add(instance.uuid)
            if ip:
                self._holders[network, ip] = instance.uuid
            if ip and network in self.pools and ip in self.pools[network]:
                self.pools[network].reserve(ip)
        if instance.network_port is not None:
            self._ports.add(instance.network_port)
            self._freed_ports.discard(instance.network_port)
        self._indexed[instance.uuid] = (instance.pnode, instance.uuid, memory, disk, nics)

    def _unindex(self, instance: objects.Instance) -> None:
        node, uuid, memory, disk, nics = self._indexed.pop(instance.uuid)
        usage = self.usage[node]
        usage.memory -= memory
        usage.disk -= disk
        usage.instances.discard(uuid)
        for mac, network, ip in nics:
            self.macs.discard(mac)
            if network is None:
                continue
            self.users_of[network].discard(uuid)
            if ip:
                self._holders.pop((network, ip), None)
            if ip and network in self.pools and ip in self.pools[network]:
                self.pools[network].release(ip)
        if instance.network_port is not None:
            self._ports.discard(instance.network_port)
            self._freed_ports.add(instance.network_port)

    def _write_config(self) -> None:
        identity, folder = self.identity, self.settings.data_dir
        config = {
            "version": 3000000,
            "cluster": {
                "uuid": identity.uuid,
                "cluster_name": identity.name,
                "master_node": self.master.uuid,
                "serial_no": identity.serial_no,
                "tags": identity.tags,
                "ctime": identity.ctime,
            },
            "nodes": {node.uuid: {"name": node.name, "uuid": node.uuid} for node in self.nodes.values()},
            "serial_no": identity.serial_no,
        }
        files = {
            "config.data": orjson.dumps(config),
            "ssconf_cluster_name": f"{identity.name}\n".encode(),
            "ssconf_master_node": f"{identity.master}\n".encode(),
            "ssconf_node_list": "".join(f"{node.name}\n" for node in self.nodes.values()).encode(),
        }
        replace_files(folder, files.items())


def replace_files(folder: pathlib.Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files so that a reader sees the old or the new content, never a part."""
    for name, content in files:
        temporary = folder / f"{name}.new"
        temporary.write_bytes(content)
        temporary.rename(folder / name)
