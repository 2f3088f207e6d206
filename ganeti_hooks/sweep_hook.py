"""Ganeti's hook after an operation that may have taken a guest from this node: see ganeti_hooks.kvm_network.sweep."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from ganeti_hooks import kvm_network
from ganeti_hooks.kvm_network import Node
from ganeti_hooks.refused import Refused

#: those after which a tap may be gone from one of the nodes that Ganeti runs the hook on
OPERATIONS = ("instance-failover", "instance-migrate", "instance-modify", "instance-remove", "instance-stop")


def main(_environ: Mapping[str, str], node: Node) -> int:
    """Do it; give the exit status, which Ganeti only logs."""
    try:
        kvm_network.sweep(node)
    except (Refused, OSError, subprocess.SubprocessError, ValueError) as err:
        sys.stderr.write(f"syros: what guests that have gone left: {err}\n")
        return 1
    return 0
