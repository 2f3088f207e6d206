"""Ganeti's hook after a change of an instance: the guest's NICs get what its tags tell of by now.

That is the firewall, and what nfdhcpd tells the guest when it asks next. Ganeti runs it on the master and on the
instance's nodes. The guest is not touched, nor is a NIC of which nothing has changed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from ganeti_hooks import firewall, kvm_network, notes, routes, turns
from ganeti_hooks.kvm_network import Node
from ganeti_hooks.nic import describe
from ganeti_hooks.refused import Refused


def main(environ: Mapping[str, str], node: Node) -> int:
    """Do it for the instance that the environment names; give the exit status, which Ganeti only logs."""
    instance = environ.get("GANETI_INSTANCE_NAME", "")
    tags = environ.get("GANETI_POST_INSTANCE_TAGS", environ.get("GANETI_INSTANCE_TAGS", ""))
    status = 0
    with turns.taken(node.notes):
        for note in notes.of_instance(node.notes, instance):
            try:
                _apply(note, tags, node)
            except (Refused, OSError, subprocess.SubprocessError, ValueError) as err:
                sys.stderr.write(f"syros: {note.tap} of {instance}: {err}\n")
                status = 1
    return status


def _apply(note: notes.Note, tags: str, node: Node) -> None:
    nic = describe(
        {
            "INTERFACE": note.tap,
            "INTERFACE_NAME": note.name,
            "INSTANCE": note.instance,
            "MAC": note.mac,
            "MODE": note.mode,
            "LINK": note.link,
            "TAGS": tags,
        }
    )
    if nic.told != note.told:
        kvm_network.guard(nic)
        kvm_network.bind(nic, node)
        if nic.routed:
            routes.set_mtu(nic)
    other_rules = firewall.of(nic) != note.firewall
    if other_rules:
        firewall.load(nic)
    notes.write(node.notes, nic)
    if other_rules:
        firewall.forget_connections(nic)
