"""Networks between machines, which nothing else is plugged into.

They are bridges in a network namespace without a name, which a process of ours holds. So nothing of them is ever among
the host's interfaces, and nothing is left when that process has ended, however that came.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import process

_TIMEOUT = 120.0


class Cables:
    """Networks by these names; where they meet is where a test stands."""

    def __init__(self, names: Sequence[str], log: Path) -> None:
        own = Path("/proc/self/ns/net").readlink()
        self._holder = process.Guarded(["unshare", "--net", "sleep", "infinity"], log=log)
        self._space = Path(f"/proc/{self._holder.pid}/ns/net")
        self._ports = 0
        process.wait_until(lambda: self._space.readlink() != own, what="a network namespace", timeout=_TIMEOUT)
        self._ip("link", "set", "lo", "up")
        for name in names:
            self._ip("link", "add", name, "type", "bridge")
            self._ip("link", "set", name, "up")

    def close(self) -> None:
        """Remove them, with what is plugged in."""
        self._holder.kill()

    def join(self, name: str, address: str) -> None:
        """Be in a network ourselves, by an address such as 192.0.2.1/24."""
        self._ip("address", "add", address, "dev", name)

    def plug(self, leader: int, interfaces: Mapping[str, str]) -> None:
        """Give the network of that process interfaces, each in the network that is named for it; they go with it."""
        for interface, name in interfaces.items():
            self._ports += 1
            port = f"port{self._ports}"
            self._ip("link", "add", port, "type", "veth", "peer", "name", interface, "netns", str(leader))
            self._ip("link", "set", port, "master", name, "up")

    def run(
        self, *command: str, hosts: Path, folder: Path, environment: Mapping[str, str], timeout: float = _TIMEOUT
    ) -> str:
        """Run a command of the host's from here, with that for /etc/hosts; give its output. Raises LabError."""
        inside = 'mount --bind "$1" /etc/hosts; cd "$2"; shift 2; exec "$@"'
        entrance = [*self._entrance(), "unshare", "--mount", "sh", "-euc", inside, "sh", str(hosts), str(folder)]
        return process.run([*entrance, *command], env=environment, timeout=timeout)

    def _entrance(self) -> list[str]:
        return ["nsenter", f"--net={self._space}", "--"]

    def _ip(self, *arguments: str) -> None:
        process.run([*self._entrance(), "ip", *arguments], timeout=_TIMEOUT)
