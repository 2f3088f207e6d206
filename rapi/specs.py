"""What a new instance is to be, in Ganeti's words, and how that goes on the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any  # request bodies are JSON

Depends = Sequence[tuple[int, Sequence[str]]]
"""Jobs that must end first, each with the statuses that will do (none named: any end)."""


@dataclass(frozen=True)
class DiskSpec:
    """A disk to make; `size` in MiB. `options` are further parameters, such as an ExtStorage provider's."""

    size: int
    name: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return present(size=self.size, name=self.name) | dict(self.options)


@dataclass(frozen=True)
class NicSpec:
    """A network interface to make: on a Ganeti `network`, which settles mode and link, or on a bare `link`."""

    network: str | None = None
    ip: str | None = None
    mac: str | None = None
    name: str | None = None
    mode: str | None = None
    link: str | None = None

    def body(self) -> dict[str, Any]:
        own = {} if self.network is not None else {"mode": self.mode, "link": self.link}
        return present(network=self.network, ip=self.ip, mac=self.mac, name=self.name, **own)


@dataclass(frozen=True)
class InstanceSpec:
    """A new instance; memory in MiB. Name `pnode` or `iallocator`. Private and secret parameters are never shown."""

    name: str
    memory: int
    vcpus: int
    disk_template: str
    disks: tuple[DiskSpec, ...] = ()
    nics: tuple[NicSpec, ...] = ()
    os: str | None = None
    osparams: Mapping[str, str] = field(default_factory=dict)
    osparams_private: Mapping[str, str] = field(default_factory=dict, repr=False)
    osparams_secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    hypervisor: str | None = None
    hvparams: Mapping[str, Any] = field(default_factory=dict)
    pnode: str | None = None
    snode: str | None = None
    iallocator: str | None = None
    tags: tuple[str, ...] = ()
    start: bool = True
    no_install: bool | None = None
    depends: Depends = ()

    def body(self) -> dict[str, Any]:
        required: dict[str, Any] = {
            "mode": "create",
            "instance_name": self.name,
            "disk_template": self.disk_template,
            "disks": [disk.body() for disk in self.disks],
            "nics": [nic.body() for nic in self.nics],
            "beparams": {"maxmem": self.memory, "minmem": self.memory, "vcpus": self.vcpus},
            "start": self.start,
        }
        return required | present(
            os_type=self.os,
            osparams=dict(self.osparams) or None,
            osparams_private=dict(self.osparams_private) or None,
            osparams_secret=dict(self.osparams_secret) or None,
            hypervisor=self.hypervisor,
            hvparams=dict(self.hvparams) or None,
            pnode=self.pnode,
            snode=self.snode,
            iallocator=self.iallocator,
            tags=list(self.tags) or None,
            no_install=self.no_install,
            depends=depends_body(self.depends),
        )


def present(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def depends_body(depends: Depends) -> list[list[Any]] | None:
    return [[job, list(statuses)] for job, statuses in depends] or None
