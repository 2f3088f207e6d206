"""How many may be at a port who have not shown yet who they are: in all, and from one address."""

from __future__ import annotations

import ipaddress
from collections import Counter


class Crowded(Exception):
    """There are as many as may be; the text is fit for a counter's label."""


class Gate:
    """Gives places. Of IPv6 a /64 is one address: whoever has one has them all (RFC 6177)."""

    def __init__(self, most: int, most_of_address: int) -> None:
        """`most_of_address` is 0 for no limit but the first."""
        self._most = most
        self._most_of_address = most_of_address
        self._taken: Counter[str] = Counter()
        self._all = 0

    def enter(self, address: str) -> Place:
        """Give a place, until its `leave`. Raises Crowded."""
        if self._all >= self._most:
            raise Crowded("crowded")
        key = _network(address)
        if self._most_of_address and self._taken[key] >= self._most_of_address:
            raise Crowded("crowded_address")
        self._all += 1
        self._taken[key] += 1
        return Place(self, key)

    def _leave(self, key: str) -> None:
        self._all -= 1
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]


class Place:
    """One of those that there are."""

    def __init__(self, gate: Gate, key: str) -> None:
        self._gate: Gate | None = gate
        self._key = key

    def leave(self) -> None:
        """Make room; doing it twice changes nothing."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate._leave(self._key)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
