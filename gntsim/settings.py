"""What a simulated cluster is made of and how fast it works; nothing here changes while it runs."""

import dataclasses
import pathlib
from collections.abc import Mapping

DEFAULT_OSES = (
    "debian+default",
    "debootstrap+default",
    "noop+default",
    "snf-image+default",
    "snfdump+alt",
    "snfdump+default",
    "snfmbr+default",
    "syros+default",
)


@dataclasses.dataclass(frozen=True)
class User:
    """A RAPI user; without `write` it may only read."""

    name: str
    password: str
    write: bool = True


@dataclasses.dataclass(frozen=True)
class Durations:
    """Seconds that an opcode spends in `running`; `scale` multiplies them all, 0 makes everything immediate."""

    create: float = 0.3
    other: float = 0.1
    scale: float = 1.0
    by_opcode: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def of(self, opcode: str) -> float:
        default = self.create if opcode == "OP_INSTANCE_CREATE" else self.other
        return self.by_opcode.get(opcode, default) * self.scale


@dataclasses.dataclass(frozen=True)
class NodeSize:
    """What each simulated node offers; MiB and logical processors."""

    memory: int = 262144
    reserved: int = 512
    disk: int = 8388608
    cpus: int = 64


@dataclasses.dataclass(frozen=True)
class Settings:
    """One simulated cluster; `port` 0 takes any free port."""

    data_dir: pathlib.Path
    host: str = "127.0.0.1"
    port: int = 0
    cluster_name: str = "cluster.gnt.test"
    domain: str = "gnt.test"
    nodes: int = 3
    node_size: NodeSize = NodeSize()
    group: str = "default"
    link: str = "br0"
    software_version: str = "3.0.2"
    users: tuple[User, ...] = (User("syros", "secret"), User("reader", "secret", write=False))
    oses: tuple[str, ...] = DEFAULT_OSES
    disk_templates: tuple[str, ...] = ("file", "sharedfile", "diskless", "ext", "plain", "drbd", "rbd")
    hypervisors: tuple[str, ...] = ("kvm", "fake")
    durations: Durations = Durations()
    max_running_jobs: int = 20
    max_clients: int = 20
    wait_timeout: float = 10.0
    death_delay: float = 1.0
    archive_after: float = 6 * 3600.0
    hooks_dir: pathlib.Path | None = None
    #: OS definitions whose export scripts are run; every other script is only pretended to run
    os_dir: pathlib.Path | None = None
    tls: bool = True
    seed: int | None = None

    @property
    def queue_dir(self) -> pathlib.Path:
        return self.data_dir / "queue"

    @property
    def users_file(self) -> pathlib.Path:
        return self.data_dir / "rapi" / "users"

    @property
    def cert_file(self) -> pathlib.Path:
        return self.data_dir / "server.pem"

    @property
    def ca_file(self) -> pathlib.Path:
        return self.data_dir / "ca.pem"

    def node_names(self) -> tuple[str, ...]:
        return tuple(f"node{i}.{self.domain}" for i in range(1, self.nodes + 1))
