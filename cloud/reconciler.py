"""Compares a whole backend with the database: repairs what is certain, reports the rest, deletes no instance.

The rows are read before Ganeti is asked, and a repair is made only if the row has not changed since: what happened
meanwhile is newer than what was compared. An absence is believed only when it is seen twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from cloud import looks, network_drift, nic_drift, nics, quotas
from cloud.clients import Clients
from cloud.context import Cloud
from cloud.looks import Sight
from cloud.network_drift import Picture
from cloud.nic_drift import Inside
from cloud.nics import Named
from common import names
from db import backends, jobs, strangers
from db import instances as instance_rows
from db import ports as port_rows
from db.backends import Backend
from db.instances import AT_REST, Instance, State
from db.strangers import Stranger
from rapi.specs import NicSpec

log = logging.getLogger(__name__)

_PAGE = 1000


class Kind(StrEnum):
    """What is wrong."""

    #: the state differs, and nothing is under way that explains it
    STATE = "state"
    #: the node or the console port differ
    PLACE = "place"
    #: the cluster does not have it (first sight)
    MISSING = "missing"
    #: the cluster does not have it, seen twice
    LOST = "lost"
    #: it came back, or a create that was given up has worked after all
    FOUND = "found"
    #: vCPUs or memory differ from what its owner is charged for
    SIZE = "size"
    #: the cluster has an instance under our prefix that the database does not know
    STRANGER = "stranger"
    #: the database has it as deleted, and the cluster still has it
    UNDEAD = "undead"
    #: a project's usage is not the sum of its instances
    QUOTA = "quota"


@dataclass(frozen=True)
class Finding:
    """One difference."""

    kind: Kind | nic_drift.Kind | network_drift.Kind
    backend: str
    #: Ganeti's name, or a project id for quotas
    subject: str
    recorded: str
    seen: str
    repaired: bool = False


@dataclass(frozen=True)
class Known:
    """What the database says of an instance, at the time of the comparison."""

    id: str
    name: str
    state: State
    present: bool | None
    node: str | None
    console_port: int | None
    vcpus: int
    ram: int
    missing_since: datetime | None
    #: an action is pending, or a job is unfinished
    moving: bool
    #: a failed create left it, and it is to be removed
    remains: bool
    updated_at: datetime
    #: its ports, as Ganeti is to have them without objects of networks
    nics: tuple[NicSpec, ...] = ()
    #: its ports, as Ganeti is to have them in what there is of such objects
    inside: tuple[NicSpec, ...] = ()
    #: that it has ports in
    networks: tuple[str, ...] = ()


def reconcile(
    cloud: Cloud,
    clients: Clients,
    backend: Backend,
    *,
    repair: bool,
    repair_nics: bool = False,
    grace: timedelta = timedelta(seconds=60),
) -> list[Finding]:
    """Compare one backend, and repair what can be; raises RapiError if it can't be asked.

    `repair_nics` has the NICs and networks in Ganeti follow the database, too, which guests may notice: that is for an
    operator to ask.
    """
    with cloud.sessions.read() as db:
        objects = network_drift.known(db, backend)
        known = list(_known(db, backend, {each.network_id: each for each in objects}))
    asked_at = cloud.clock()
    client = clients.of(backend)
    picture = network_drift.look(client, backend, objects)
    sights = {sight.name: sight for sight in map(looks.parse, client.get_instances(bulk=True))}
    with cloud.sessions.read() as db:
        # asked again, after Ganeti: what was created meanwhile is no stranger
        recorded = instance_rows.recorded_among(db, backend.id, sorted(sights.keys() - {row.name for row in known}))
    ghosts = frozenset(name for name, deleted in recorded.items() if deleted)
    sights = {name: sight for name, sight in sights.items() if recorded.get(name, True)}
    findings = []
    for finding, subject in compare(backend.name, backend.prefix, known, sights=sights, ghosts=ghosts):
        done = repair and _repair(cloud, finding, subject=subject, sights=sights, asked_at=asked_at, grace=grace)
        findings.append(
            Finding(finding.kind, finding.backend, finding.subject, finding.recorded, finding.seen, repaired=done)
        )
    findings += _network_findings(cloud, backend, known, picture, repair=repair_nics)
    findings += _nic_findings(cloud, backend, known, sights, picture=picture, repair=repair_nics)
    _remember_strangers(cloud, backend, findings, sights)
    if findings:
        log.warning("reconcile.findings", extra={"backend": backend.name, "findings": len(findings)})
    return findings


def compare(
    backend: str, prefix: str, known: Sequence[Known], *, sights: Mapping[str, Sight], ghosts: frozenset[str]
) -> Iterator[tuple[Finding, Known | None]]:
    """List the differences; touches nothing."""
    ours = {row.name for row in known}
    for row in known:
        kind, recorded, seen = _difference(row, sights.get(row.name))
        if kind is not None:
            yield Finding(kind, backend, row.name, recorded, seen), row
    for name, sight in sights.items():
        if name in ours or names.instance_id(prefix, name) is None:
            continue
        kind = Kind.UNDEAD if name in ghosts else Kind.STRANGER
        yield Finding(kind, backend, name, "deleted" if kind is Kind.UNDEAD else "nothing", sight.status), None


def _difference(row: Known, sight: Sight | None) -> tuple[Kind | None, str, str]:
    if row.moving:
        return None, "", ""
    if sight is None:
        if row.present is False:
            return None, "", ""
        return (Kind.LOST if row.missing_since else Kind.MISSING), row.state, "nothing"
    if row.remains:
        return None, "", ""
    if row.state is State.ERROR or row.missing_since is not None or row.present is not True:
        return Kind.FOUND, row.state, sight.status
    if sight.state is not None and sight.state is not row.state:
        return Kind.STATE, row.state, sight.status
    if (sight.vcpus, sight.ram) != (row.vcpus, row.ram):
        return Kind.SIZE, f"{row.vcpus} vCPUs, {row.ram} MiB", f"{sight.vcpus} vCPUs, {sight.ram} MiB"
    if (sight.node, sight.console_port) != (row.node, row.console_port):
        return Kind.PLACE, f"{row.node}:{row.console_port}", f"{sight.node}:{sight.console_port}"
    return None, "", ""


def _repair(
    cloud: Cloud,
    finding: Finding,
    *,
    subject: Known | None,
    sights: Mapping[str, Sight],
    asked_at: datetime,
    grace: timedelta,
) -> bool:
    if subject is None or finding.kind is Kind.SIZE:
        return False
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        instance = instance_rows.lock(db, subject.id)
        if instance is None or instance.updated_at != subject.updated_at or jobs.open_of_instance(db, subject.id):
            return False
        sight = sights.get(subject.name)
        if sight is None:
            return _miss(db, instance, asked_at=asked_at, now=now, grace=grace)
        noted = looks.note(instance, sight, now)
        return looks.believe(db, instance, sight, now) or noted


def _network_findings(
    cloud: Cloud, backend: Backend, known: Sequence[Known], picture: Picture, *, repair: bool
) -> list[Finding]:
    """Compare Ganeti's networks, those among them that are ours."""
    if picture.shown is None:
        return []
    used = {network_id for row in known if _is_calm(row) for network_id in row.networks}
    with cloud.sessions.read() as db:
        # asked again, after Ganeti: what was made meanwhile is no stray
        since = network_drift.recorded_now(db, backend)
        lacking = network_drift.unrecorded(db, backend, used)
    found = []
    for each in network_drift.compare(picture, backend.prefix, used=lacking, since=since):
        done = repair and network_drift.repair(cloud, backend, each, picture)
        found.append(Finding(each.kind, backend.name, each.name, each.recorded, each.seen, repaired=done))
    if any(finding.repaired for finding in found):
        cloud.wake()
    return found


def _nic_findings(
    cloud: Cloud,
    backend: Backend,
    known: Sequence[Known],
    sights: Mapping[str, Sight],
    *,
    picture: Picture,
    repair: bool,
) -> list[Finding]:
    """Compare the NICs of instances that are as they should be; what is under way is left alone."""
    calm = [row for row in known if _is_calm(row) and row.name in sights]
    named = {port_id for row in calm for port_id in nic_drift.named(sights[row.name].nics)}
    wanted = {nics.port_of(spec.name) or "" for row in calm for spec in row.nics}
    with cloud.sessions.read() as db:
        # asked again, after Ganeti: what was made meanwhile is nobody's remains
        there = port_rows.known_among(db, sorted(named - wanted)) | wanted
    settled = picture.settled if backend.network_objects else frozenset()
    prefixed = frozenset(name for name, shown in (picture.shown or {}).items() if shown.get("mac_prefix"))
    found = []
    for row in calm:
        inside = Inside(
            nics=row.inside,
            settled=settled,
            prefixed=prefixed,
            running=row.state is not State.STOPPED,
        )
        drifts = list(nic_drift.compare(row.nics, sights[row.name].nics, ports=there, inside=inside))
        done = bool(drifts) and repair and _repair_nics(cloud, row, drifts)
        found += [
            Finding(
                each.kind, backend.name, row.name, each.recorded, each.seen, repaired=done and each.change is not None
            )
            for each in drifts
        ]
    return found


def _is_calm(row: Known) -> bool:
    there = row.state in (State.ACTIVE, State.STOPPED, State.UNKNOWN) and row.present is not False
    return there and not row.moving and not row.remains and row.missing_since is None


def _repair_nics(cloud: Cloud, subject: Known, drifts: Sequence[nic_drift.Drift]) -> bool:
    with cloud.sessions.begin() as db:
        instance = instance_rows.lock(db, subject.id)
        if instance is None or instance.updated_at != subject.updated_at or instance.task not in AT_REST:
            return False
        done = nic_drift.repair(db, instance, drifts, wanted=subject.nics, now=cloud.clock())
    if done:
        cloud.wake()
    return done


def _miss(db: Session, instance: Instance, *, asked_at: datetime, now: datetime, grace: timedelta) -> bool:
    """Note an absence; the second time, after the grace, say so to its owner and give the quota back."""
    if instance.missing_since is None:
        instance.missing_since = asked_at
        return False
    if asked_at - instance.missing_since < grace:
        return False
    instance.present = False
    if instance.state is not State.ERROR:
        instance.state = State.ERROR
        instance.fault_code, instance.fault_at = 500, now
        instance.fault_message = "the cluster does not have this server any more"
    instance.missing_since = None
    instance.updated_at = now
    quotas.release(db, instance)
    return True


def _remember_strangers(
    cloud: Cloud, backend: Backend, findings: Sequence[Finding], sights: Mapping[str, Sight]
) -> None:
    """Keep the strangers in quarantine, for an operator to adopt; forget those that are gone."""
    names_now = {finding.subject for finding in findings if finding.kind is Kind.STRANGER}
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        # of two reconciliations at once, one remembers after the other
        backends.lock(db, backend.id)
        for stranger in strangers.of_backend(db, backend.id):
            if stranger.name in names_now:
                stranger.last_seen_at, stranger.status = now, sights[stranger.name].status
                names_now.discard(stranger.name)
            else:
                db.delete(stranger)
        for name in sorted(names_now):
            sight = sights[name]
            db.add(
                Stranger(
                    backend_id=backend.id,
                    name=name,
                    status=sight.status,
                    vcpus=sight.vcpus,
                    ram=sight.ram,
                    node=sight.node,
                    first_seen_at=now,
                    last_seen_at=now,
                )
            )


def _known(db: Session, backend: Backend, objects: Mapping[str, network_drift.Object]) -> Iterator[Known]:
    named = {key: Named(each.name, each.subnet) for key, each in objects.items()}
    busy = jobs.instances_with_open(db, backend.id)
    after = ""
    while page := instance_rows.of_backend(db, backend.id, after=after, limit=_PAGE):
        places = port_rows.places(db, [row.id for row in page])
        for row in page:
            own = places.get(row.id, ())
            bare = nics.of(own)
            yield Known(
                id=row.id,
                name=row.ganeti_name,
                state=row.state,
                present=row.present,
                node=row.node,
                console_port=row.console_port,
                vcpus=row.vcpus,
                ram=row.ram,
                missing_since=row.missing_since,
                moving=row.task not in AT_REST or row.id in busy,
                remains=looks.is_remains(row),
                updated_at=row.updated_at,
                nics=bare,
                inside=nics.of(own, named) if named else bare,
                networks=tuple({place.network.id for place in own}),
            )
        after = page[-1].id
        db.expunge_all()
