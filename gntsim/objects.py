"""The things a cluster is made of: instances with their NICs and disks, nodes, groups and networks."""

import dataclasses
import ipaddress
import time
import uuid as uuids
from typing import Any

# hvparams and the like hold whatever JSON holds.
Params = dict[str, Any]


def new_uuid() -> str:
    return str(uuids.uuid4())


@dataclasses.dataclass
class Nic:
    """A NIC; `params` are the parameters given for it, `network` a network's UUID."""

    mac: str
    ip: str | None = None
    name: str | None = None
    network: str | None = None
    params: Params = dataclasses.field(default_factory=dict)
    uuid: str = dataclasses.field(default_factory=new_uuid)


@dataclasses.dataclass
class Disk:
    """A disk; size in MiB."""

    size: int
    name: str | None = None
    mode: str = "rw"
    params: Params = dataclasses.field(default_factory=dict)
    uuid: str = dataclasses.field(default_factory=new_uuid)
    file_uuid: str = dataclasses.field(default_factory=new_uuid)


@dataclasses.dataclass
class Instance:
    """An instance: what is configured (`admin_state`) and what its guest does (`running`)."""

    name: str
    pnode: str
    os: str
    hypervisor: str
    disk_template: str
    admin_state: str = "down"
    running: bool = False
    nics: list[Nic] = dataclasses.field(default_factory=list)
    disks: list[Disk] = dataclasses.field(default_factory=list)
    beparams: Params = dataclasses.field(default_factory=dict)
    hvparams: Params = dataclasses.field(default_factory=dict)
    osparams: Params = dataclasses.field(default_factory=dict)
    osparams_private: Params = dataclasses.field(default_factory=dict)
    tags: list[str] = dataclasses.field(default_factory=list)
    network_port: int | None = None
    uuid: str = dataclasses.field(default_factory=new_uuid)
    ctime: float = dataclasses.field(default_factory=time.time)
    mtime: float = dataclasses.field(default_factory=time.time)
    serial_no: int = 1


@dataclasses.dataclass
class Node:
    """A node; `alive` is the truth, `offline` and `drained` what the operator says. MiB."""

    name: str
    group: str
    ip: str
    memory: int
    reserved: int
    disk: int
    cpus: int
    alive: bool = True
    offline: bool = False
    drained: bool = False
    master_candidate: bool = True
    tags: list[str] = dataclasses.field(default_factory=list)
    uuid: str = dataclasses.field(default_factory=new_uuid)
    ctime: float = dataclasses.field(default_factory=time.time)
    mtime: float = dataclasses.field(default_factory=time.time)
    serial_no: int = 1


@dataclasses.dataclass
class Group:
    name: str
    alloc_policy: str = "preferred"
    tags: list[str] = dataclasses.field(default_factory=list)
    uuid: str = dataclasses.field(default_factory=new_uuid)
    ctime: float = dataclasses.field(default_factory=time.time)
    mtime: float = dataclasses.field(default_factory=time.time)
    serial_no: int = 1


@dataclasses.dataclass
class Network:
    """An IP pool; `connections` is {group uuid: [mode, link, vlan]}."""

    name: str
    network: str
    gateway: str | None = None
    network6: str | None = None
    gateway6: str | None = None
    mac_prefix: str | None = None
    external: list[str] = dataclasses.field(default_factory=list)
    connections: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    tags: list[str] = dataclasses.field(default_factory=list)
    uuid: str = dataclasses.field(default_factory=new_uuid)
    ctime: float = dataclasses.field(default_factory=time.time)
    mtime: float = dataclasses.field(default_factory=time.time)
    serial_no: int = 1


Anything = Instance | Node | Group | Network


class Pool:
    """The addresses of one network: which are taken, by instances or from outside."""

    def __init__(self, network: Network) -> None:
        self.subnet = ipaddress.ip_network(network.network)
        self._first = int(self.subnet.network_address)
        self._taken = bytearray(self.subnet.num_addresses)
        self.external = {self._index(ip) for ip in network.external}
        for index in self.external:
            self._taken[index] = 1

    def __contains__(self, ip: str) -> bool:
        return ipaddress.ip_address(ip) in self.subnet

    def free(self, ip: str) -> bool:
        return not self._taken[self._index(ip)]

    def reserve(self, ip: str, *, external: bool = False) -> None:
        index = self._index(ip)
        self._taken[index] = 1
        if external:
            self.external.add(index)

    def release(self, ip: str) -> None:
        index = self._index(ip)
        if index not in self.external:
            self._taken[index] = 0

    def release_external(self, ip: str, *, in_use: bool) -> None:
        index = self._index(ip)
        self.external.discard(index)
        self._taken[index] = 1 if in_use else 0

    def choose(self) -> str | None:
        index = self._taken.find(b"\0")
        return None if index < 0 else self._ip(index)

    def free_count(self) -> int:
        return self._taken.count(b"\0")

    def external_ips(self) -> list[str]:
        return [self._ip(index) for index in sorted(self.external)]

    def map(self) -> str:
        return self._taken.translate(bytes.maketrans(b"\0\1", b".X")).decode()

    def _index(self, ip: str) -> int:
        return int(ipaddress.ip_address(ip)) - self._first

    def _ip(self, index: int) -> str:
        return str(ipaddress.ip_address(self._first + index))


def instance_from(document: Params) -> Instance:
    nics = [Nic(**nic) for nic in document.pop("nics")]
    disks = [Disk(**disk) for disk in document.pop("disks")]
    return Instance(**document, nics=nics, disks=disks)
