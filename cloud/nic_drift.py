"""Compares an instance's NICs in Ganeti with its ports, and has Ganeti brought into line where an operator asks for it.

A NIC is a port's by its name, or else by its MAC, which nobody else in the cloud has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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
_NOTHING = "nothing"


class Kind(StrEnum):
    """What is wrong."""

    #: a port's NIC is not there
    MISSING = "nic-missing"
    #: a NIC is no port's of the instance
    STRAY = "nic-stray"
    #: a port's NIC has another name, MAC, address, mode or link
    DIFFERS = "nic-differs"


@dataclass(frozen=True)
class Drift:
    """One difference, with the change that ends it; None: that is for an operator to decide."""

    kind: Kind
    recorded: str
    seen: str
    change: Sequence[Any] | None


def compare(wanted: Sequence[NicSpec], seen: Sequence[messages.Nic], *, ports: Collection[str] = ()) -> Iterator[Drift]:
    """List the differences; `ports` are ids that the cloud has: a NIC named by another is the remains of a port."""
    left = list(seen)
    for spec in wanted:
        found = next((nic for nic in left if nic.name == spec.name), None)
        if found is None:
            found = next((nic for nic in left if (nic.mac or "").lower() == spec.mac), None)
        if found is None:
            yield Drift(Kind.MISSING, _told(spec), _NOTHING, ["add", -1, spec.body()])
            continue
        left.remove(found)
        different = {field: _value(spec, field) for field in _FIELDS if _value(spec, field) != _value(found, field)}
        if different:
            settings = {field: "none" if value is None else value for field, value in different.items()}
            change = ["modify", found.uuid, settings] if found.uuid else None
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


def _value(nic: NicSpec | messages.Nic, field: str) -> str | None:
    value: str | None = getattr(nic, field)
    return value.lower() if value and field == "mac" else value or None


def _told(nic: NicSpec | messages.Nic) -> str:
    return " ".join(str(_value(nic, field) or "-") for field in _FIELDS)
