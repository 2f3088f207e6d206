"""The lab's private network: a bridge in a network namespace of its own, with one address on the host.

Nodes hang on the bridge; the host reaches them through one veth pair. Beside it there are segments, which only the
nodes are on: what guests' own networks are made of. A lock file, held for life, tells networks in use from those that
a killed run left behind.
"""

import contextlib
import fcntl
import subprocess
from pathlib import Path
from typing import IO

from lab import process

PREFIX = "syros-lab"
LOCKS = Path("/run") / PREFIX
RANGE = "10.213"  # 10.213.N.0/24, N being the network's number
NUMBERS = range(1, 200)
#: bridges that every node has, each connected with its like and with nothing else
SEGMENTS = ("prv1", "prv2", "prv3", "prv4")

#: the bridges of a node, with the one that each is connected to
_BRIDGES = {"br0": "fabric", **{name: f"fabric-{name}" for name in SEGMENTS}}


class Link:
    """One network, claimed for this process until `close`."""

    def __init__(self, number: int, lock: IO[str]) -> None:
        self.number = number
        self.name = f"{PREFIX}{number}"
        self._lock = lock

    @property
    def host_address(self) -> str:
        """The host's own address on it."""
        return self.address(254)

    def address(self, host: int) -> str:
        return f"{RANGE}.{self.number}.{host}"

    def attach(self, pid: int, *, host: int) -> None:
        """Plug in the network namespace of that process: its `br0`, with eth0 in it, gets the address."""
        inside = ["nsenter", "-t", str(pid), "-n", "ip", "-batch", "-"]
        orders = "link set lo up\n"
        for number, (bridge, fabric) in enumerate(_BRIDGES.items()):
            port = _port(host, number)
            _ip("-n", self.name, "link", "add", port, "type", "veth", "peer", "name", f"eth{number}", "netns", str(pid))
            _ip("-n", self.name, "link", "set", port, "master", fabric, "up")
            orders += f"link add {bridge} type bridge\nlink set eth{number} master {bridge} up\nlink set {bridge} up\n"
        orders += f"addr add {self.address(host)}/24 dev br0\nroute add default via {self.host_address}\n"
        done = subprocess.run(inside, input=orders, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise process.LabError(f"cannot set up the network of a node: {done.stderr.strip()}")

    def detach(self, *, host: int) -> None:
        """Unplug it, if the end of its namespace has not done so already."""
        for number in range(len(_BRIDGES)):
            command = ["ip", "-n", self.name, "link", "del", _port(host, number)]
            subprocess.run(command, capture_output=True, check=False)

    def close(self) -> None:
        """Remove the network, and with it the host's end."""
        _remove(self.number)
        self._lock.close()


def claim() -> Link:
    """Make a network that nobody uses."""
    LOCKS.mkdir(exist_ok=True)
    routes = _ip("-4", "route", "show", "table", "all")
    for number in NUMBERS:
        if f"{RANGE}.{number}." in routes:
            continue
        lock = _lock(number)
        if lock is None:
            continue
        link = Link(number, lock)
        _build(link)
        return link
    raise process.LabError(f"every network of {RANGE}.0.0/16 is in use")


def sweep() -> None:
    """Remove the networks of runs that were killed."""
    for file in sorted(LOCKS.glob("*.lock")):
        lock = _lock(int(file.stem))
        if lock is not None:
            _remove(int(file.stem))
            lock.close()


def _port(host: int, number: int) -> str:
    return f"port{host}-{number}"


def _lock(number: int) -> IO[str] | None:
    file = (LOCKS / f"{number}.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _build(link: Link) -> None:
    with contextlib.suppress(process.LabError):
        _ip("netns", "del", link.name)
    _ip("netns", "add", link.name)
    _ip("-n", link.name, "link", "set", "lo", "up")
    for fabric in _BRIDGES.values():
        _ip("-n", link.name, "link", "add", fabric, "type", "bridge")
        _ip("-n", link.name, "link", "set", fabric, "up")
    _ip("link", "add", link.name, "type", "veth", "peer", "name", "host", "netns", link.name)
    _ip("-n", link.name, "link", "set", "host", "master", "fabric", "up")
    _ip("addr", "add", f"{link.host_address}/24", "dev", link.name)
    _ip("link", "set", link.name, "up")


def _remove(number: int) -> None:
    name = f"{PREFIX}{number}"
    for command in (["ip", "link", "del", name], ["ip", "netns", "del", name]):
        subprocess.run(command, capture_output=True, check=False)
    (LOCKS / f"{number}.lock").unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # other labs may still have theirs there
        LOCKS.rmdir()


def _ip(*arguments: str) -> str:
    return process.run(["ip", *arguments], timeout=30)
