"""The firewall of a port as values of its NIC's tag `fw`: what `ganeti_hooks/firewall.py` reads on the node.

A generation is a whole: the node goes by the highest one that it finds, so that new rules are there before the old ones
go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from db.security_groups import Allowed, Direction

KEY = "fw"
#: a tag has 128 characters; `syros:port-<id>:fw:` has 51 of these, and a generation is given ten
_LONGEST = 128 - 51 - 11
_SEPARATOR = "+"
_ANY = "*"


def of(rules: Sequence[Allowed] | None, *, generation: int) -> tuple[str, ...]:
    """Give the values of a port with these rules; without any it is closed, and None has no firewall."""
    if rules is None:
        return (f"{generation}:off",)
    found = dict.fromkeys(value for rule in rules for value in _values(rule))
    return tuple(f"{generation}:{value}" for value in ("on", *found))


def digest(rules: Sequence[Allowed] | None) -> str:
    """Give what is the same for the same rules, and for no others."""
    return hashlib.sha256("\n".join(of(rules, generation=0)).encode()).hexdigest()


def _values(rule: Allowed) -> Iterator[str]:
    way = "i" if rule.direction is Direction.INGRESS else "e"
    ports = _ANY
    if rule.port_min is not None:
        ports = f"{rule.port_min}-{_ANY if rule.port_max is None else rule.port_max}"
    head = f"{way}{rule.version}:{rule.protocol or _ANY}:{ports}:"
    if rule.remotes is None:
        yield head + _ANY
        return
    together = ""
    for remote in rule.remotes:
        longer = f"{together}{_SEPARATOR}{remote}" if together else remote
        if len(head) + len(longer) > _LONGEST:
            yield head + together
            longer = remote
        together = longer
    if together:
        yield head + together
