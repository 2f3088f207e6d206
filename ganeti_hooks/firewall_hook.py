"""Ganeti's hook after a change of an instance: the guest's NICs get the firewall that its tags tell of by now.

Ganeti runs it on the master and on the instance's nodes. The guest is not touched, nor is a NIC whose rules are the
same.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ganeti_hooks import firewall, notes
from ganeti_hooks.kvm_network import Node
from ganeti_hooks.nic import describe
from ganeti_hooks.refused import Refused


def main(environ: Mapping[str, str], node: Node) -> int:
    """Do it for the instance that the environment names; give the exit status, which Ganeti only logs."""
    instance = environ.get("GANETI_INSTANCE_NAME", "")
    tags = environ.get("GANETI_POST_INSTANCE_TAGS", environ.get("GANETI_INSTANCE_TAGS", ""))
    status = 0
    for note in notes.of_instance(node.notes, instance):
        try:
            _apply(note, tags, node)
        except (Refused, OSError, ValueError) as err:
            sys.stderr.write(f"syros: firewall of {note.tap} of {instance}: {err}\n")
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
    if firewall.of(nic) == note.firewall:
        return
    firewall.load(nic)
    notes.write(node.notes, nic)
    firewall.forget_connections(nic)
