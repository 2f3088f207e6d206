"""A NIC of a guest, as Ganeti's network script and hooks are told of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ganeti_hooks.refused import Refused

Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network

TAP = re.compile(r"[A-Za-z0-9_.-]{1,15}")
#: keys of tags: what was told after the NIC had come, that it may be nothing, and the rules of its firewall
_TOLD, _WHOLE, _FIREWALL = "told", "on", "fw"
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class Nic:
    """A NIC of an instance of ours, as its environment and its tags describe it."""

    tap: str
    instance: str
    #: Ganeti's name of it, which begins its tags; empty if it has none
    name: str
    mac: str
    mode: str
    link: str
    hostname: str
    #: what the tags say of this NIC: values by key
    facts: Mapping[str, list[str]] = field(default_factory=dict)

    def first(self, key: str) -> str | None:
        """Give the one value of a key, or None."""
        return next(iter(self.facts.get(key, ())), None)

    @property
    def told(self) -> Mapping[str, list[str]]:
        """Give all that its tags say of it but its firewall."""
        return {key: values for key, values in self.facts.items() if key != _FIREWALL}

    @property
    def routed(self) -> bool:
        return self.mode == "routed"

    def pairs(self) -> list[tuple[str, Prefix]]:
        """Give what the guest may send from besides its own addresses, each with a MAC. Raises Refused."""
        found = []
        for text in self.facts.get("pair", ()):
            octets, at, prefix = text.rpartition("@")
            mac = ":".join(re.findall("..", octets)) if at else self.mac
            if not _MAC.fullmatch(mac):
                raise Refused(f"pair:{text} has no MAC")
            try:
                found.append((mac, ipaddress.ip_network(prefix)))
            except ValueError as err:
                raise Refused(f"pair:{text} has no prefix: {err}") from None
        return found

    def addresses(self, version: int) -> list[str]:
        """Give the guest's own addresses of an IP version."""
        return [str(ipaddress.ip_interface(each).ip) for each in self.facts.get(f"ip{version}", ())]


def describe(environ: Mapping[str, str]) -> Nic:
    """Read the environment; raises Refused for what can't be meant."""
    tap, mac = environ.get("INTERFACE", ""), environ.get("MAC", "").lower()
    if not TAP.fullmatch(tap) or not _MAC.fullmatch(mac):
        raise Refused(f"INTERFACE={tap!r} and MAC={mac!r} are no NIC's")
    tags = environ.get("TAGS", "").split()
    name = environ.get("INTERFACE_NAME", "")
    facts: dict[str, list[str]] = {}
    for tag in tags:
        rest = tag.removeprefix(f"syros:{name}:") if name else tag
        if rest != tag:
            _add(facts, rest)
    facts = _current(facts)
    if environ.get("IP") and "ip4" not in facts and "ip6" not in facts:
        # a NIC without tags, such as one that an operator has made by hand
        own = ipaddress.ip_address(environ["IP"])
        facts[f"ip{own.version}"] = [f"{own}/{own.max_prefixlen}"]
        facts[f"silent{own.version}"] = ["yes"]
    host = next((tag.removeprefix("syros:host:") for tag in tags if tag.startswith("syros:host:")), "")
    mode, link = environ.get("MODE", ""), environ.get("LINK", "")
    return Nic(tap, environ["INSTANCE"], name, mac, mode, link, host, facts)


def _add(facts: dict[str, list[str]], text: str) -> None:
    key, _, value = text.partition(":")
    facts.setdefault(key, []).append(value)


def _current(facts: dict[str, list[str]]) -> dict[str, list[str]]:
    """Put what was told last, a whole but for the firewall, in the place of what was told when the NIC came."""
    generations: dict[int, list[str]] = {}
    for value in facts.pop(_TOLD, ()):
        number, _, fact = value.partition(":")
        if not number.isdecimal():
            raise Refused(f"{_TOLD}:{value} is of no generation")
        generations.setdefault(int(number), []).append(fact)
    if not generations:
        return facts
    found = {_FIREWALL: facts[_FIREWALL]} if _FIREWALL in facts else {}
    for fact in generations[max(generations)]:
        _add(found, fact)
    found.pop(_WHOLE, None)
    return found
