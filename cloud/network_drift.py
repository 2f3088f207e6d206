"""Compares Ganeti's networks with what is known of them on a backend, and has them put right where an operator asks.

Whoever's name is not one of ours is left alone. What is under way is not compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from cloud import ganeti_networks, network_objects
from cloud.context import Cloud
from cloud.ganeti_networks import Shown, Wanted
from common import names
from db import backends, networks
from db import network_objects as objects
from db.backends import Backend
from db.network_objects import State
from db.networks import Filter, Network, Subnet
from rapi.client import Client

_NOTHING = "nothing"


class Kind(StrEnum):
    """What is wrong."""

    #: Ganeti has no object of a network that servers are in
    MISSING = "network-missing"
    #: a node group lacks it, or has it with another mode or link
    UNCONNECTED = "network-unconnected"
    #: its subnet, gateway, MAC prefix, IPv6 or tags are not as they should be
    DIFFERS = "network-differs"
    #: it could not be made as it should be, and looks right by now
    FAILED = "network-failed"
    #: it is one of ours by its name, and nobody needs it
    STRAY = "network-stray"


@dataclass(frozen=True)
class Object:
    """What the database says of an object, at the time of the comparison."""

    network_id: str
    name: str
    state: State
    subnet: str
    wanted: Wanted | None


@dataclass(frozen=True)
class Drift:
    """One difference."""

    kind: Kind
    network_id: str
    name: str
    recorded: str
    seen: str
    #: whether a job can put it right
    reparable: bool = True


@dataclass(frozen=True)
class Picture:
    """A backend's networks, by the database and by Ganeti."""

    objects: Sequence[Object] = ()
    #: by name
    shown: Mapping[str, Shown] | None = None
    groups: Sequence[str] = ()

    @property
    def settled(self) -> frozenset[str]:
        """Name those that NICs are to be in, and can be."""
        return frozenset(
            each.name for each in self.objects if each.state is State.CONNECTED and self._is_connected(each.name)
        )

    def _is_connected(self, name: str) -> bool:
        shown = (self.shown or {}).get(name)
        return shown is not None and ganeti_networks.connections(shown).keys() >= set(self.groups)


def known(db: Session, backend: Backend) -> list[Object]:
    """List what the database says, before Ganeti is asked."""
    rows = objects.of_backend(db, backend.id)
    there = _there(db, [row.network_id for row in rows])
    found = []
    for row in rows:
        network, subnets = there.get(row.network_id, (None, ()))
        what = ganeti_networks.wanted(backend.prefix, network, subnets, subnet=row.subnet) if network else None
        found.append(Object(row.network_id, row.name, row.state, row.subnet, what))
    return found


def look(client: Client, backend: Backend, recorded: Sequence[Object]) -> Picture:
    """Ask Ganeti for all of its networks at once, if there may be any of ours. Raises RapiError."""
    if not backend.network_objects and not recorded:
        return Picture()
    groups = [str(group["name"]) for group in client.get_groups(bulk=False)]
    return Picture(recorded, {str(row["name"]): row for row in client.get_networks(bulk=True)}, groups)


def compare(
    picture: Picture, prefix: str, *, used: Mapping[str, Wanted], since: Collection[str] = ()
) -> Iterator[Drift]:
    """List the differences; touches nothing.

    `used` are networks that servers are in and that Ganeti can have, by id, of which there is no row; `since` are
    those that have got one since the database was asked.
    """
    shown = picture.shown or {}
    for each in picture.objects:
        if each.state in (State.CONNECTED, State.ERROR) and each.wanted is not None:
            yield from _differences(each, each.wanted, shown.get(each.name), picture.groups)
    for used_id, what in used.items():
        there = shown.get(what.name)
        yield Drift(Kind.MISSING, used_id, what.name, _told(what), _shown(there) if there else _NOTHING)
    ours = {each.network_id for each in picture.objects} | set(since) | used.keys()
    for name, row in shown.items():
        network_id = names.network_id(prefix, name)
        if network_id is not None and network_id not in ours:
            users = ganeti_networks.users(row)
            yield Drift(Kind.STRAY, network_id, name, _NOTHING, _shown(row), reparable=not users)


def repair(cloud: Cloud, backend: Backend, drift: Drift, picture: Picture) -> bool:
    """Have a difference put right by jobs; tell whether that is under way."""
    if not drift.reparable:
        return False
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        held = backends.lock(db, backend.id)
        if held is None:
            return False
        if drift.kind is Kind.STRAY:
            subnet = str((picture.shown or {})[drift.name]["network"])
            network_objects.forget(db, held, drift.network_id, subnet=subnet, now=now)
            return True
        return held.network_objects and network_objects.begin(db, held, drift.network_id, now=now)


def unrecorded(db: Session, backend: Backend, network_ids: Collection[str]) -> dict[str, Wanted]:
    """Give those of these networks that Ganeti is to have, and of which there is no row."""
    if not backend.network_objects:
        return {}
    lacking = sorted(set(network_ids) - recorded_now(db, backend))
    found = {}
    for network_id, (network, own) in _there(db, lacking).items():
        if ganeti_networks.unfit(own) is None:
            subnet = ganeti_networks.subnet_of(own)
            found[network_id] = ganeti_networks.wanted(backend.prefix, network, own, subnet=subnet)
    return found


def recorded_now(db: Session, backend: Backend) -> frozenset[str]:
    """Name the networks that there are rows of."""
    return frozenset(row.network_id for row in objects.of_backend(db, backend.id))


def _there(db: Session, network_ids: Sequence[str]) -> dict[str, tuple[Network, Sequence[Subnet]]]:
    """Get those of these networks that there are, with their subnets. Two statements."""
    if not network_ids:
        return {}
    subnets = networks.subnets_of(db, network_ids)
    found = networks.page(db, Filter(ids=network_ids), limit=len(network_ids))
    return {network.id: (network, subnets.get(network.id, ())) for network in found}


def _differences(each: Object, what: Wanted, shown: Shown | None, groups: Sequence[str]) -> Iterator[Drift]:
    if shown is None:
        yield Drift(Kind.MISSING, each.network_id, each.name, _told(what), _NOTHING)
        return
    found = False
    wrong = [
        f"{group} {' '.join(ganeti_networks.connections(shown).get(group, ('-',)))}"
        for group in groups
        if ganeti_networks.connections(shown).get(group) != (what.mode, what.link)
    ]
    if wrong:
        found = True
        recorded = f"each group {what.mode} {what.link}"
        yield Drift(Kind.UNCONNECTED, each.network_id, each.name, recorded, ", ".join(wrong))
    different = ganeti_networks.differences(what, shown)
    other_subnet = shown.get("network") != what.subnet
    if different or other_subnet or ganeti_networks.missing_tags(what, shown):
        found = True
        # what has a value can be set; RAPI has no word for none
        possible = other_subnet or not different or any(value is not None for value in different.values())
        yield Drift(Kind.DIFFERS, each.network_id, each.name, _told(what), _shown(shown), reparable=possible)
    if each.state is State.ERROR and not found:
        yield Drift(Kind.FAILED, each.network_id, each.name, _told(what), _shown(shown))


def _told(what: Wanted) -> str:
    own = (what.subnet, what.gateway, what.network6, what.gateway6, what.mac_prefix, ",".join(sorted(what.tags)))
    return " ".join(part or "-" for part in own)


def _shown(row: Shown) -> str:
    own = [row.get(key) for key in ("network", "gateway", "network6", "gateway6", "mac_prefix")]
    return " ".join(str(part or "-") for part in (*own, ",".join(sorted(row.get("tags") or ()))))
