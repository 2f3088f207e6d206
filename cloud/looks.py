"""Asking Ganeti about single instances: node, NICs, console port, and whether they run.

Done after the fact, in bulk where there are many, and believed only if nothing has happened to the instance meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from cloud import events, quotas
from cloud.clients import Clients
from cloud.context import Cloud
from common import messages
from db import instances as instance_rows
from db import jobs
from db.backends import Backend
from db.instances import Instance, State
from rapi.client import Client
from rapi.errors import RapiRefused

log = logging.getLogger(__name__)

_BATCH = 500
_SINGLY = 20


@dataclass(frozen=True)
class Sight:
    """An instance as Ganeti shows it now."""

    name: str
    #: None: its node can't be seen
    state: State | None
    node: str | None
    console_port: int | None
    nics: tuple[messages.Nic, ...]
    vcpus: int
    #: MiB
    ram: int
    status: str


_STATES = {
    "running": State.ACTIVE,
    "ADMIN_down": State.STOPPED,
    "ADMIN_offline": State.STOPPED,
    "USER_down": State.STOPPED,
    "ERROR_down": State.STOPPED,
    "ERROR_up": State.ACTIVE,
    "ERROR_wrongnode": State.ACTIVE,
    "ERROR_nodedown": State.UNKNOWN,
    "ERROR_nodeoffline": State.UNKNOWN,
}


def look(cloud: Cloud, clients: Clients, backend: Backend) -> int:
    """Look at a backend's instances that want it; give their number. Raises RapiError."""
    with cloud.sessions.read() as db:
        wanted = instance_rows.wanting_look(db, backend.id, _BATCH)
    if not wanted:
        return 0
    sights = _see(clients.of(backend), [name for _, name, _ in wanted])
    for instance_id, name, changed in wanted:
        with cloud.sessions.begin() as db:
            _keep(db, instance_id, sights.get(name), changed=changed, now=cloud.clock())
    return len(wanted)


def parse(row: Mapping[str, Any]) -> Sight:
    """Read an instance as `GET /2/instances/N` and its bulk form show it."""
    backend = row.get("beparams") or {}
    status = str(row.get("status"))
    return Sight(
        name=str(row["name"]),
        state=_STATES.get(status),
        node=row.get("pnode"),
        console_port=row.get("network_port"),
        nics=_nics(row),
        vcpus=int(backend.get("vcpus") or 0),
        ram=int(backend.get("maxmem") or 0),
        status=status,
    )


def _see(client: Client, wanted: Sequence[str]) -> Mapping[str, Sight | None]:
    if len(wanted) > _SINGLY:
        return {sight.name: sight for sight in map(parse, client.get_instances(bulk=True))}
    sights: dict[str, Sight | None] = {}
    for name in wanted:
        try:
            sights[name] = parse(client.get_instance(name))
        except RapiRefused as err:
            if err.status != 404:
                raise
            sights[name] = None
    return sights


def _keep(db: Session, instance_id: str, sight: Sight | None, *, changed: datetime, now: datetime) -> None:
    instance = instance_rows.lock(db, instance_id)
    if instance is None or not instance.look_wanted:
        return
    if instance.updated_at != changed:
        # something happened while Ganeti was asked: the next look will tell
        return
    instance.look_wanted = False
    if instance.state is State.DELETED:
        return
    if sight is None:
        _absent(db, instance, now)
        return
    note(instance, sight, now)
    if not is_remains(instance) and not jobs.open_of_instance(db, instance_id):
        believe(db, instance, sight, now)


def is_remains(instance: Instance) -> bool:
    """Tell whether this is what a failed create left in the cluster: to be removed, whatever it looks like."""
    return instance.state is State.ERROR and instance.launched_at is None and instance.present is None


def note(instance: Instance, sight: Sight, now: datetime) -> bool:
    """Keep the node, the NICs and the console port; tell whether any is new. The row is held."""
    nics = [events.nic_row(nic) for nic in sight.nics]
    fresh = (sight.node, sight.console_port, nics)
    if fresh == (instance.node, instance.console_port, instance.nics):
        return False
    instance.node, instance.console_port, instance.nics = fresh
    instance.updated_at = now
    return True


def believe(db: Session, instance: Instance, sight: Sight, now: datetime) -> bool:
    """Set the state to what was seen; tell whether that could be. The row is held, nothing is under way."""
    if sight.state is None:
        return False
    instance.present = True
    instance.missing_since = None
    quotas.charge(db, instance)
    if instance.state is sight.state:
        return True
    instance.state = sight.state
    instance.fault_code = instance.fault_message = instance.fault_at = None
    if sight.state is State.ACTIVE and instance.launched_at is None:
        instance.launched_at = now
    instance.updated_at = now
    return True


def _absent(db: Session, instance: Instance, now: datetime) -> None:
    """Ganeti does not have it: a create that failed is done with; anything else is for the reconciler to judge."""
    if instance.state in (State.BUILDING, State.ERROR) and not jobs.open_of_instance(db, instance.id):
        instance.present = False
        if instance.state is State.BUILDING:
            instance.state = State.ERROR
            instance.fault_code, instance.fault_message, instance.fault_at = 500, "the create left no instance", now
        quotas.release(db, instance)
        instance.updated_at = now
    elif instance.missing_since is None:
        instance.missing_since = now


def _nics(row: Mapping[str, Any]) -> tuple[messages.Nic, ...]:
    macs = row.get("nic.macs") or []

    def column(key: str) -> Sequence[Any]:
        values = row.get(key) or []
        return values if len(values) == len(macs) else [None] * len(macs)

    columns = zip(
        macs,
        column("nic.ips"),
        column("nic.modes"),
        column("nic.links"),
        column("nic.networks.names"),
        column("nic.uuids"),
        column("nic.names"),
        strict=True,
    )
    return tuple(messages.Nic(index, *values) for index, values in enumerate(columns))
