"""What a network may be on the nodes by name: a bridge, or a routing table."""

from __future__ import annotations

import re

from common.errors import Invalid
from db.networks import Kind

#: a network device's name is 16 bytes at most with the zero behind it (IFNAMSIZ, linux/if.h)
LONGEST = 15

_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check(link: str, field: str, *, kind: Kind = Kind.BRIDGE) -> None:
    """Raise Invalid, which names the field, for what no bridge, or of a routed network no routing table, can be named.

    Tables are held to a bridge's length, too: what nodes and Ganeti are told is one thing for all kinds of networks.
    """
    named = "routing table" if kind is Kind.ROUTED else "bridge"
    if len(link) > LONGEST:
        raise Invalid(f"{field}: {link} has {len(link)} characters, and a {named}'s name has {LONGEST} at most")
    if not _LINK.fullmatch(link):
        raise Invalid(
            f"{field}: {link!r} is no {named}'s name: letters, digits, '.', '_' and '-' are expected, "
            "a letter or digit first"
        )
