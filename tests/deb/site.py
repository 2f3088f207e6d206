"""The machines of docs/install.md's "Several machines", which have no network but those between them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path

from lab.cables import Cables
from lab.machine import Machine

_TIMEOUT = 600.0
_HOSTS = """127.0.0.1 localhost
192.0.2.5 cloud.example cloud
192.0.2.10 cluster1.example
192.0.2.11 node1.example node1
"""
_ADDRESSES = {"cloud": "192.0.2.5/24", "node1": "192.0.2.11/24"}
_INTERFACES = {
    "cloud": {"eth0": "management"},
    "node1": {"eth0": "management", "eth1": "guests"},
}
#: QEMU and its taps, bridges, and the rules that guard them
_OPTIONS = {"node1": ("--capability=all", "--bind=/dev/net/tun")}
_TENANT = "a tenant's machine"
#: where tenants come from, and the guests' router
_OWN_ADDRESSES = {"management": "192.0.2.200/24", "guests": "203.0.113.1/24"}


class Site:
    """Machines in a folder, and a tenant's folder on the host; `do` runs what is documented, where it says so."""

    def __init__(self, folder: Path) -> None:
        self.machines = {
            name: Machine(folder / name, folder / f"{name}.log", name=f"{name}.example", options=_OPTIONS.get(name, ()))
            for name in _ADDRESSES
        }
        self.cloud, self.node = self.machines["cloud"], self.machines["node1"]
        self.tenant = folder / "tenant"
        self._hosts = folder / "hosts"
        self._cables = Cables(tuple(_OWN_ADDRESSES), folder / "cables.log")

    def make(self, bare: Machine, packages: Sequence[Path], installing: Sequence[str]) -> None:
        """Make the machines out of a bare one, each with what its block of commands installs."""
        self.tenant.mkdir()
        self._hosts.write_text(_HOSTS)
        for network, address in _OWN_ADDRESSES.items():
            self._cables.join(network, address)
        for machine in self.machines.values():
            machine.copy(bare)
            add_packages(machine, packages)
        with futures.ThreadPoolExecutor() as pool:
            list(pool.map(self._install, installing))
        for name, machine in self.machines.items():
            (machine.root / "etc/hosts").write_text(_HOSTS)
            machine.await_interface("eth0", _ADDRESSES[name])

    def boot(self, name: str) -> None:
        """Have a machine up, again if it was stopped."""
        self.machines[name].boot(lambda leader: self._cables.plug(leader, _INTERFACES[name]))

    def stop(self) -> None:
        """Power all of it off."""
        for machine in self.machines.values():
            machine.stop()
        self._cables.close()

    def let_in(self) -> None:
        """Have the root of `cloud` log in to the node by ssh."""
        self.cloud.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519")
        key = (self.cloud.root / "root/.ssh/id_ed25519.pub").read_text()
        (self.cloud.root / "root/.ssh/config").write_text("StrictHostKeyChecking accept-new\n")
        folder = self.node.root / "root/.ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "authorized_keys").write_text(key)

    def do(self, block: str) -> str:
        """Run a block of the documentation on the machine that its first line names; give what it says."""
        place = _place(block)
        if place == _TENANT:
            return self.as_tenant(block)
        return self.machines[place].run("sh", "-euc", block, timeout=_TIMEOUT)

    def as_tenant(self, script: str) -> str:
        """Run a shell's commands in the tenant's folder, on the management network."""
        environment = {"PATH": f"{sys.prefix}/bin:{os.defpath}", "HOME": str(self.tenant), "LC_ALL": "C.UTF-8"}
        return self._cables.run(
            "sh", "-euc", script, hosts=self._hosts, folder=self.tenant, environment=environment, timeout=_TIMEOUT
        )

    def _install(self, block: str) -> None:
        self.machines[_place(block)].prepare(block, folder="/packages")


def add_packages(machine: Machine, packages: Sequence[Path]) -> None:
    """Put the packages where a machine's blocks of commands have them, below /packages."""
    target = machine.root / "packages/build/deb"
    target.mkdir(parents=True)
    for package in packages:
        shutil.copy(package, target)


def _place(block: str) -> str:
    first = block.splitlines()[0]
    if not first.startswith("# on "):
        raise ValueError(f"a block says nothing of where it belongs: {first}")
    return first.removeprefix("# on ")
