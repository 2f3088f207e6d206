"""Networks as Ganeti's objects, on backends whose operator wants them: who needs one, and who does no longer.

A row says what is known of a network on a backend, and what is meant to come of it. It is made when the first job that
needs it is about to be sent (`ready`), and marked for removal when no instance of the backend has a port there
(`sweep`); cloud.network_keeper has Ganeti follow. Both hold the backend's row, so that one of them comes first: a
removal that is marked is taken back by whoever needs the object, and then what is left of it is made whole again.
Lock order: backend, job, object, port.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import ganeti_networks
from cloud.clients import Clients
from cloud.context import Cloud
from cloud.nics import Named
from common import names
from db import backends, networks
from db import network_objects as objects
from db.backends import Backend
from db.network_objects import NetworkObject, State
from db.networks import Subnet
from db.ports import Place

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Readiness:
    """What NICs that are to be made now may name."""

    #: by network
    named: Mapping[str, Named]
    #: networks whose objects are to be waited for
    coming: frozenset[str]

    def delays(self, places: Collection[Place]) -> bool:
        """Tell whether NICs in these places have to wait."""
        return any(place.network.id in self.coming for place in places)


@dataclass(frozen=True)
class View:
    """What becomes of a network on a backend."""

    backend: str
    #: None: there is no object
    row: NetworkObject | None
    #: why there is none, or why it is no better
    why: str | None


def ready(db: Session, backend: Backend, places: Collection[Place], *, now: datetime) -> Readiness:
    """See to the objects of the networks that new NICs are in, as far as the operator wants any. The backend is held.

    One that has failed is done without until it is tried again.
    """
    wanted = {place.network.id: place.network for place in places}
    if not backend.network_objects or not wanted:
        return Readiness({}, frozenset())
    rows = dict(objects.by_network(objects.lock_several(db, backend.id, wanted)))
    subnets = networks.subnets_of(db, sorted(wanted.keys() - rows.keys()))
    for network_id in sorted(wanted.keys() - rows.keys()):
        own = subnets.get(network_id, ())
        if ganeti_networks.unfit(own) is None:
            rows[network_id] = _begin(db, backend, network_id, own, now=now)
    for row in rows.values():
        again = row.state is State.ERROR and (row.retry_at is None or row.retry_at < now)
        if again or row.state is State.REMOVING:
            aim(row, State.ADDING, now)
    db.flush()
    return Readiness(
        {row.network_id: Named(row.name, row.subnet) for row in rows.values() if row.state is State.CONNECTED},
        frozenset(row.network_id for row in rows.values() if row.state is State.ADDING),
    )


def sweep(cloud: Cloud, backend: Backend) -> int:
    """Mark the objects for removal that nobody needs; give their number."""
    now = cloud.clock()
    with cloud.sessions.read() as db:
        found = objects.unused(db, backend.id, wanted=backend.network_objects, now=now)
    marked = 0
    for network_id in found:
        with cloud.sessions.begin() as db:
            held = backends.lock(db, backend.id)
            row = objects.lock(db, backend.id, network_id) if held is not None else None
            if held is None or row is None or row.state not in (State.CONNECTED, State.ERROR):
                continue
            # asked again, now that no job of the backend can be sent meanwhile
            if not objects.in_use(db, backend.id, network_id, wanted=held.network_objects):
                aim(row, State.REMOVING, now)
                marked += 1
    if marked:
        cloud.wake()
    return marked


def follow_groups(cloud: Cloud, clients: Clients, backend: Backend) -> int:
    """Have objects connected with node groups that are new; give the number of objects. Raises RapiError."""
    if not backend.network_objects:
        return 0
    groups = {str(group["name"]) for group in clients.of(backend).get_groups(bulk=False)}
    with cloud.sessions.read() as db:
        behind = [
            row.network_id
            for row in objects.of_backend(db, backend.id)
            if row.state is State.CONNECTED and not groups.issubset(row.groups)
        ]
    with cloud.sessions.begin() as db:
        for row in objects.lock_several(db, backend.id, behind):
            if row.state is State.CONNECTED:
                aim(row, State.ADDING, cloud.clock())
    if behind:
        cloud.wake()
    return len(behind)


def begin(db: Session, backend: Backend, network_id: str, *, now: datetime) -> bool:
    """Have an object made, or made right; tell whether there can be one. The backend is held."""
    row = objects.lock(db, backend.id, network_id)
    if row is None:
        own = networks.subnets_of(db, [network_id]).get(network_id, ())
        if ganeti_networks.unfit(own) is not None:
            return False
        _begin(db, backend, network_id, own, now=now)
    elif row.state is not State.REMOVING:
        aim(row, State.ADDING, now)
    return True


def forget(db: Session, backend: Backend, network_id: str, *, subnet: str, now: datetime) -> None:
    """Have a network removed from Ganeti of which there is no row. The backend is held."""
    if objects.lock(db, backend.id, network_id) is None:
        db.add(_row(backend, network_id, subnet, state=State.REMOVING, now=now))


def aim(row: NetworkObject, state: State, now: datetime) -> None:
    """Have another thing come of an object. The row is held."""
    row.state = state
    row.error = row.retry_at = None
    row.changed_at = now


def of_network(cloud: Cloud, network_id: str) -> Sequence[View]:
    """Tell what becomes of a network on each backend that has an object of it, or whose operator wants objects."""
    with cloud.sessions.read() as db:
        rows = {row.backend_id: row for row in objects.of_network(db, network_id)}
        own = networks.subnets_of(db, [network_id]).get(network_id, ())
        found = []
        for backend in backends.all_backends(db):
            row = rows.get(backend.id)
            if row is not None:
                found.append(View(backend.name, row, row.error))
            elif backend.network_objects:
                found.append(View(backend.name, None, ganeti_networks.unfit(own) or "no port has come there yet"))
        return found


def _begin(
    db: Session, backend: Backend, network_id: str, subnets: Sequence[Subnet], *, now: datetime
) -> NetworkObject:
    row = _row(backend, network_id, ganeti_networks.subnet_of(subnets), state=State.ADDING, now=now)
    db.add(row)
    return row


def _row(backend: Backend, network_id: str, subnet: str, *, state: State, now: datetime) -> NetworkObject:
    return NetworkObject(
        backend_id=backend.id,
        network_id=network_id,
        name=names.network_name(backend.prefix, network_id),
        state=state,
        subnet=subnet,
        groups=[],
        jobs=[],
        request_id=names.new_request_id(),
        changed_at=now,
    )
