"""Compares an instance's NICs in Ganeti with its ports, and has Ganeti brought into line where an operator asks for it.

A NIC is a port's by its name, or else by its MAC, which nobody else in the cloud has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any  # changes, as Ganeti's OP_INSTANCE_SET_PARAMS has them

from sqlalchemy.orm import Session

from cloud import chains, firewall, guests, nic_tags, nics
from cloud.states import Action
from common import messages, names
from common.jobs import Opcode
from db import jobs
from db import ports as port_rows
from db.instances import Instance, State
from rapi.specs import NicSpec

_FIELDS = ("name", "mac", "ip", "mode", "link")
#: those that come with a network, and can't be changed in it
_OF_NETWORK = ("mode", "link")
_NOTHING = "nothing"


class Kind(StrEnum):
    """What is wrong."""

    #: a port's NIC is not there
    MISSING = "nic-missing"
    #: a NIC is no port's of the instance
    STRAY = "nic-stray"
    #: a port's NIC has another name, MAC, address, mode or link
    DIFFERS = "nic-differs"
    #: a port's NIC does not name its network, of which Ganeti has an object by now
    OUTSIDE = "nic-outside"


@dataclass(frozen=True)
class Drift:
    """One difference, with the change that ends it; None: that is for an operator to decide."""

    kind: Kind
    recorded: str
    seen: str
    change: Sequence[Any] | None


@dataclass(frozen=True)
class Inside:
    """How an instance's NICs are where Ganeti has objects of their networks."""

    #: in the order of those on bare links
    nics: Sequence[NicSpec]
    #: networks, by name, that NICs are to be in; in others of ours they may be, or not
    settled: Collection[str]
    #: networks whose NICs get another MAC when they come
    prefixed: Collection[str]
    #: the guest would notice
    running: bool


def compare(
    wanted: Sequence[NicSpec],
    seen: Sequence[messages.Nic],
    *,
    ports: Collection[str] = (),
    inside: Inside | None = None,
) -> Iterator[Drift]:
    """List the differences of NICs from those `wanted`, on bare links, or `inside` networks.

    `ports` are ids that the cloud has: a NIC named by another is the remains of a port.
    """
    left = list(seen)
    for number, bare in enumerate(wanted):
        spec = inside.nics[number] if inside is not None else bare
        settled = inside is not None and spec.network in inside.settled
        found = next((nic for nic in left if nic.name == bare.name), None)
        if found is None:
            found = next((nic for nic in left if (nic.mac or "").lower() == bare.mac), None)
        if found is None:
            new = spec if settled else bare
            yield Drift(Kind.MISSING, _told(new), _NOTHING, ["add", -1, new.body()])
            continue
        left.remove(found)
        if spec.network is None or found.network != spec.network:
            if inside is not None and settled:
                way = _way_in(spec, found, inside)
                yield Drift(
                    Kind.OUTSIDE, f"{_told(spec)} {spec.network}", f"{_told(found)} {found.network or '-'}", way
                )
                if way is not None:
                    continue
            spec = bare
        different = _different(spec, found)
        if different:
            fixed = spec.network is not None and any(field in _OF_NETWORK for field in different)
            change = ["modify", found.uuid, _settings(different)] if found.uuid and not fixed else None
            yield Drift(Kind.DIFFERS, _told(spec), _told(found), change)
    for nic in left:
        port_id = nics.port_of(nic.name)
        remains = port_id is not None and port_id not in ports
        yield Drift(Kind.STRAY, _NOTHING, _told(nic), ["remove", nic.uuid or nic.name, {}] if remains else None)


def named(seen: Sequence[messages.Nic]) -> list[str]:
    """Give the ids of the ports that NICs are named by."""
    return [port_id for port_id in map(nics.port_of, (nic.name for nic in seen)) if port_id is not None]


def repair(
    db: Session, instance: Instance, drifts: Sequence[Drift], *, wanted: Sequence[NicSpec], now: datetime
) -> bool:
    """Leave the jobs that bring Ganeti into line, in one change; tell whether there are any. The row is held.

    Nothing is done to an instance that has jobs already or is to have some of our own, is neither running nor
    stopped, or whose ports have changed since they were compared.
    """
    changes = [list(drift.change) for drift in drifts if drift.change is not None]
    places = port_rows.places(db, [instance.id]).get(instance.id, ())
    at_rest = instance.state in (State.ACTIVE, State.STOPPED) and not jobs.open_of_instance(db, instance.id)
    if not changes or not at_rest or tuple(wanted) != nics.of(places):
        return False
    held = port_rows.lock_several(db, {place.port.id for place in places})
    if any(port.firewall_due_at is not None or port.told_due_at is not None for port in held):
        # what nodes are to be told comes first: it has a generation of its own
        return False
    hostname = guests.hostname(instance.name, instance.id)
    tags = nic_tags.of(places, hostname=hostname, firewalls=firewall.values(db, held))
    change = {"nics": changes, "hotplug": instance.state is State.ACTIVE}
    steps = [*chains.tagging(tags), (Opcode.SET_PARAMS, change)]
    chains.begin(db, instance, steps, action=Action.REPAIR_INTERFACES, request_id=names.new_request_id(), now=now)
    return True


def _way_in(spec: NicSpec, found: messages.Nic, inside: Inside) -> Sequence[Any] | None:
    """Give the change that brings a NIC into its network, where nobody notices: not its guest, nor by another MAC."""
    if inside.running or found.network or spec.network in inside.prefixed or not found.uuid:
        return None
    different = {key: value for key, value in _different(spec, found).items() if key not in _OF_NETWORK}
    return ["modify", found.uuid, _settings({**different, "network": spec.network, "ip": spec.ip})]


def _different(spec: NicSpec, found: messages.Nic) -> dict[str, str | None]:
    return {field: _value(spec, field) for field in _FIELDS if _value(spec, field) != _value(found, field)}


def _settings(values: Mapping[str, str | None]) -> dict[str, str]:
    return {field: "none" if value is None else value for field, value in values.items()}


def _value(nic: NicSpec | messages.Nic, field: str) -> str | None:
    value: str | None = getattr(nic, field)
    return value.lower() if value and field == "mac" else value or None


def _told(nic: NicSpec | messages.Nic) -> str:
    return " ".join(str(_value(nic, field) or "-") for field in _FIELDS)
