"""A node whose taps are set up by the network script, run as Ganeti runs it, and guests of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ganeti_hooks import install, kvm_network
from lab import process
from tests.support import taps

PATIENCE = 60.0


class Node:
    """A bed whose taps are set up by the installed script."""

    def __init__(self, bed: taps.Bed, folder: Path) -> None:
        self.bed = bed
        self.described = kvm_network.Node(bindings=bed.bindings, notes=folder / "notes")
        install.install_network(folder / "hooks", folder, self.described)
        self.script = folder / install.NETWORK_NAME
        self.hooks = folder / "hooks"
        self.hook = self.hooks / "instance-modify-post.d" / install.FIREWALL_NAME

    def set_up(
        self,
        guest: taps.Guest,
        address: str,
        *,
        instance: str = "",
        firewall: Sequence[str] = (),
        facts: Sequence[str] = (),
        **more: str,
    ) -> None:
        """Run the script for a guest's tap, with values of its tag `fw`, and further tags of the NIC."""
        tags = [*_tags(guest, address), *(f"syros:port-{guest.tap}:fw:{rule}" for rule in firewall)]
        tags += [f"syros:port-{guest.tap}:{fact}" for fact in facts]
        environ = {
            "PATH": os.environ["PATH"],
            "INSTANCE": instance or f"syros-{guest.tap}",
            "INTERFACE": guest.tap,
            "INTERFACE_NAME": f"port-{guest.tap}",
            "MAC": guest.mac,
            "IP": address,
            "MODE": "bridged",
            "LINK": "br0",
            "TAGS": " ".join(tags),
            **more,
        }
        self._run(self.script, environ)

    def modified(
        self,
        guest: taps.Guest,
        address: str,
        *,
        firewall: Sequence[str] = (),
        facts: Sequence[str] = (),
        instance: str = "",
    ) -> None:
        """Run the hook as after a change of a guest's tags."""
        tags = [*_tags(guest, address), *(f"syros:port-{guest.tap}:fw:{rule}" for rule in firewall)]
        tags += [f"syros:port-{guest.tap}:{fact}" for fact in facts]
        environ = {
            "PATH": os.environ["PATH"],
            "GANETI_HOOKS_PHASE": "post",
            "GANETI_INSTANCE_NAME": instance or f"syros-{guest.tap}",
            "GANETI_INSTANCE_TAGS": "",
            "GANETI_POST_INSTANCE_TAGS": " ".join(tags),
        }
        self._run(self.hook, environ)

    def run_hook(self, operation: str, name: str) -> None:
        """Run a hook as after an operation."""
        environ = {"PATH": os.environ["PATH"], "GANETI_HOOKS_PHASE": "post"}
        self._run(self.hooks / f"{operation}-post.d" / name, environ)

    def _run(self, program: Path, environ: Mapping[str, str]) -> None:
        command = ["ip", "netns", "exec", self.bed.node, str(program)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def rules(self) -> str:
        return taps.run(self.bed.node, ["nft", "list", "ruleset"]).stdout


def _tags(guest: taps.Guest, address: str) -> list[str]:
    name = f"syros:port-{guest.tap}"
    own = [f"{name}:ip4:{address}/24", f"{name}:gw4:192.0.2.1"]
    own += [f"{name}:ip6:2001:db8::{address.rpartition('.')[2]}/64", f"{name}:mode6:dhcpv6-stateful"]
    return [f"syros:host:{guest.tap}", *own]


def plugged(node: Node, number: int, *, firewall: Sequence[str] = ()) -> taps.Guest:
    """A guest with its addresses, set up by the script."""
    guest = node.bed.guest(number)
    node.bed.ip("link", "set", guest.tap, "nomaster")
    node.set_up(guest, f"192.0.2.{number}", firewall=firewall)
    for address in (f"192.0.2.{number}/24", f"2001:db8::{number}/64"):
        guest.run("ip", "address", "add", address, "dev", "eth0", "nodad")
    return guest


def reaches(guest: taps.Guest, target: str, *options: str) -> bool:
    guest.run("ip", "neigh", "flush", "dev", "eth0")
    return "1 received" in guest.run("ping", "-c", "1", "-W", "1", *options, target, check=False)


def wait_reached(guest: taps.Guest, target: str, *options: str) -> None:
    process.wait_until(
        lambda: reaches(guest, target, *options), what=f"{target} is reached", timeout=PATIENCE, every=0.2
    )
