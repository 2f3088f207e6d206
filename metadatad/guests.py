"""Who asks: guests by where they ask from and their address there, of the bindings whose taps are there."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from common import names
from common.bindings import Binding, Mode

log = logging.getLogger(__name__)

_INTERFACES = Path("/sys/class/net")


@dataclass(frozen=True, slots=True, order=True)
class Lan:
    """Where an address is one guest's: a bridge, and on it the MACs below a prefix of three octets.

    Networks that share a bridge are told apart by these prefixes; on a bridge that is one network's, there is mostly
    one.
    """

    bridge: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Guest:
    """One NIC that may ask; the rules see to it that who asks from its address in its LAN is nobody else."""

    instance_id: str
    tap: str
    mac: str
    bridge: str
    address: ipaddress.IPv4Address

    @property
    def lan(self) -> Lan:
        return Lan(self.bridge, self.mac[:8])


Guests = Mapping[tuple[Lan, str], Guest]


def of(bindings: Iterable[Binding], bridge_of: Callable[[str], str | None]) -> dict[tuple[Lan, str], Guest]:
    """Give the guests by LAN and address; `bridge_of` tells the bridge that a tap is in, if there is such a tap.

    A binding outlives its tap, so that its address may have become another's: only taps that are there count. Where two
    still have the same address in the same LAN, nobody is told anything.
    """
    found: dict[tuple[Lan, str], Guest] = {}
    twice: set[tuple[Lan, str]] = set()
    for binding in bindings:
        guest = _guest(binding)
        if guest is None or bridge_of(guest.tap) != guest.bridge:
            continue
        key = (guest.lan, str(guest.address))
        if key in found:
            twice.add(key)
        found[key] = guest
    for key in twice:
        log.warning("guest.ambiguous", extra={"bridge": key[0].bridge, "address": key[1]})
        del found[key]
    return found


def bridge_of(tap: str) -> str | None:
    """Give the bridge that an interface is a port of; None if it is of none, or there is no such interface."""
    try:
        return (_INTERFACES / tap / "brport" / "bridge").readlink().name
    except OSError:
        return None


def _guest(binding: Binding) -> Guest | None:
    instance_id = names.instance_id(names.DEFAULT_PREFIX, binding.instance)
    if binding.mode is not Mode.BRIDGED or not binding.link or binding.ipv4 is None or instance_id is None:
        return None
    return Guest(instance_id, binding.interface, binding.mac, binding.link, binding.ipv4.address)
