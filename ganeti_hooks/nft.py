"""Runs nft: a text of commands takes effect as a whole, or not at all."""

from __future__ import annotations

import re
import subprocess

from ganeti_hooks.refused import Refused

TABLE = "syros_guests"
_TIMEOUT = 20.0


def load(text: str) -> None:
    """Have nft carry out commands; raises Refused with its words if it does not."""
    command = ["nft", "-f", "-"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=_TIMEOUT, check=False)
    if done.returncode != 0:
        raise Refused(f"nft: {done.stderr.strip()}")


def chain(kind: str, interface: str) -> str:
    """Name the chain of an interface: letters, digits and underscores, and no other interface's."""
    return f"{kind}_" + re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):02x}", interface)
