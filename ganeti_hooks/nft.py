"""Runs nft: a text of commands takes effect as a whole, or not at all."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

from ganeti_hooks.refused import Refused

TABLE = "syros_guests"
FAMILIES = ("bridge", "inet")
_TIMEOUT = 20.0


def load(text: str) -> None:
    """Have nft carry out commands; raises Refused with its words if it does not."""
    command = ["nft", "-f", "-"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=_TIMEOUT, check=False)
    if done.returncode != 0:
        raise Refused(f"nft: {done.stderr.strip()}")


def family(*, routed: bool) -> str:
    """Give the family whose hooks see what goes to and from a NIC."""
    return "inet" if routed else "bridge"


def led(family: str, name: str, kind: str, interface: str, rules: Iterable[str]) -> str:
    """Give an interface's chain of some kind, made anew, and the element of a map (`name`) that leads to it."""
    target = chain(kind, interface)
    where = f"{family} {TABLE} {target}"
    body = "".join(f"add rule {where} {rule}\n" for rule in rules)
    return f"add chain {where}\nflush chain {where}\n{body}{_element(family, name, interface, target)}"


def unled(family: str, name: str, kind: str, interface: str) -> str:
    """Give what removes such a chain, whether it is there or not, and what leads to it."""
    # a chain that something leads to can't be deleted, nor can an element that is not there
    target = chain(kind, interface)
    gone = _element(family, name, interface, target).replace("add element", "delete element", 1)
    return f"{led(family, name, kind, interface, ())}{gone}delete chain {family} {TABLE} {target}\n"


def chain(kind: str, interface: str) -> str:
    """Name the chain of an interface: letters, digits and underscores, and no other interface's."""
    return f"{kind}_" + re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):02x}", interface)


def _element(family: str, name: str, interface: str, target: str) -> str:
    return f'add element {family} {TABLE} {name} {{ "{interface}" : jump {target} }}\n'
