"""Has Ganeti follow what is meant to come of networks' objects, by jobs of their own that no server's job is.

An object is claimed for a while, looked at in Ganeti, and what is next is submitted; its jobs are noted, and nothing
more is done until they have ended. So whoever dies, and wherever, the next look tells what is left to do: a job that
was not noted is found again by its reason, and what it has done is seen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cloud import ganeti_networks
from cloud.context import Cloud
from cloud.ganeti_networks import Do, Shown, Step, Wanted
from common import jobs as ganeti
from common import log as logs
from db import network_objects as objects
from db import networks
from db.backends import Backend
from db.network_objects import State
from rapi.client import Client
from rapi.errors import RapiRefused, RapiUnreachable
from rapi.specs import Depends

log = logging.getLogger(__name__)

#: networks of a backend that have jobs at once, so far as one claim goes
_BATCH = 8
_PAUSE_REFUSED = timedelta(seconds=5)
#: between looks at jobs that are under way
_PAUSE_UNFINISHED = timedelta(seconds=0.5)
#: until what failed is tried again
_PAUSE_FAILED = timedelta(minutes=5)
#: those without which NICs can't name the network
_NEEDED = (Do.ADD, Do.CONNECT, Do.DISCONNECT)


@dataclass(frozen=True)
class Held:
    """An object that is claimed, as its row was then."""

    network_id: str
    name: str
    state: State
    jobs: tuple[int, ...]
    request_id: str
    #: somebody had it before, and may have left jobs that were not noted
    abandoned: bool
    #: None: the network is gone
    wanted: Wanted | None


@dataclass(frozen=True)
class Found:
    """What became of an object."""

    state: State
    jobs: Sequence[int] = ()
    error: str | None = None
    #: Ganeti has let go of it
    gone: bool = False
    shown: Shown | None = None
    #: until it is looked at again
    pause: timedelta = timedelta()
    retry: timedelta | None = None


@dataclass(frozen=True)
class Ended:
    """What became of an object's jobs."""

    unfinished: Sequence[int]
    failure: str | None


def keep(cloud: Cloud, client: Client, backend: Backend, *, by: str) -> int:
    """Do what is next for a backend's objects; give the number that was claimed. Raises RapiError."""
    until = cloud.clock() + timedelta(seconds=cloud.settings.submit_lease / 2)
    held = _claim(cloud, backend, by=by)
    if not held:
        return 0
    left = list(held)
    try:
        keeper = _Keeper(cloud, client, held, until=until)
        while left:
            with logs.bind(left[0].request_id):
                found = keeper.advance(left[0])
                _note(cloud, backend, left.pop(0), found, by=by)
    except RapiUnreachable as err:
        # What was sent may be a job: the claim stays, and whoever takes the object after it looks for that.
        for each in left[1:] if err.sent else left:
            _note(cloud, backend, each, Found(each.state, jobs=each.jobs), by=by)
        raise
    return len(held)


class _Keeper:
    """One look at a backend's objects."""

    def __init__(self, cloud: Cloud, client: Client, held: Sequence[Held], *, until: datetime) -> None:
        self._cloud = cloud
        self._client = client
        self._until = until
        self._live = _live(client, held)
        known = sorted({job for each in held for job in self._jobs(each)})
        self._rows = {job.id: job for job in map(ganeti.from_rapi, client.query_jobs(known))}
        self._groups: list[str] | None = None

    def advance(self, each: Held) -> Found:
        """Find out how far an object is, and submit what is next."""
        if self._is_late():
            return Found(each.state, jobs=each.jobs)
        ended = self._ended(each)
        if ended.unfinished:
            return Found(each.state, jobs=ended.unfinished, pause=_PAUSE_UNFINISHED)
        try:
            shown = self._shown(each.name)
            if each.state is State.REMOVING or each.wanted is None:
                return self._away(each, shown, ended.failure)
            return self._towards(each, each.wanted, shown, ended.failure)
        except RapiRefused as err:
            if err.retryable:
                return Found(each.state, pause=_PAUSE_REFUSED)
            return _kept(each, err.reason) if each.state is State.REMOVING else _failed(err.reason)

    def _towards(self, each: Held, wanted: Wanted, shown: Shown | None, failure: str | None) -> Found:
        if self._groups is None:
            self._groups = [str(group["name"]) for group in self._client.get_groups(bulk=False)]
        steps = ganeti_networks.steps_to(wanted, shown, self._groups)
        lacking = any(step.do in _NEEDED for step in steps)
        if failure is not None and lacking:
            return _failed(failure)
        if not steps or failure is not None:
            return Found(State.CONNECTED, shown=shown, error=failure)
        return Found(State.ADDING, jobs=self._submit(each, steps))

    def _away(self, each: Held, shown: Shown | None, failure: str | None) -> Found:
        if shown is None:
            return Found(State.REMOVING, gone=True)
        users = ganeti_networks.users(shown)
        if users:
            return _kept(each, f"instances have NICs there: {', '.join(users)}")
        if failure is not None:
            return _kept(each, failure)
        return Found(State.REMOVING, jobs=self._submit(each, ganeti_networks.steps_away(shown)))

    def _submit(self, each: Held, steps: Sequence[Step]) -> list[int]:
        """Submit jobs, as far as there is time; what Ganeti refuses then is found out when they have ended."""
        jobs: list[int] = []
        first = 0
        for step in steps:
            if self._is_late():
                break
            try:
                job = _CALLS[step.do](self._client, each, step, [(first, ["success"])] if step.follows else ())
            except RapiRefused:
                if not jobs:
                    raise
                break
            log.info("network.submitted", extra={"network": each.name, "step": step.do, "job": job})
            jobs.append(job)
            first = first if step.follows else job
        return jobs

    def _shown(self, name: str) -> Shown | None:
        try:
            return self._client.get_network(name)
        except RapiRefused as err:
            if err.status == 404:
                return None
            raise

    def _ended(self, each: Held) -> Ended:
        known = [self._rows[job] for job in self._jobs(each) if job in self._rows]
        failed = [op for job in known if job.status.final for op in job.ops if op.error_class is not None]
        return Ended(
            unfinished=[job.id for job in known if not job.status.final],
            failure=f"{failed[0].opcode} failed: {failed[0].error_text or failed[0].error_class}" if failed else None,
        )

    def _jobs(self, each: Held) -> list[int]:
        return sorted({*each.jobs, *self._live.get(each.request_id, ())})

    def _is_late(self) -> bool:
        # A call begun now could end after the claim: then somebody else would do the same.
        return self._cloud.clock() > self._until


def _claim(cloud: Cloud, backend: Backend, *, by: str) -> list[Held]:
    now = cloud.clock()
    until = now + timedelta(seconds=cloud.settings.submit_lease)
    with cloud.sessions.begin() as db:
        rows = objects.claim(db, backend.id, by=by, now=now, until=until, limit=_BATCH)
        return [
            Held(
                network_id=row.network_id,
                name=row.name,
                state=row.state,
                jobs=tuple(row.jobs),
                request_id=row.request_id,
                abandoned=abandoned,
                wanted=_wanted(db, backend, row),
            )
            for row, abandoned in rows
        ]


def _wanted(db: Session, backend: Backend, row: objects.NetworkObject) -> Wanted | None:
    network = networks.get(db, row.network_id)
    if network is None:
        return None
    subnets = networks.subnets_of(db, [network.id]).get(network.id, ())
    return ganeti_networks.wanted(backend.prefix, network, subnets, subnet=row.subnet)


def _live(client: Client, held: Sequence[Held]) -> Mapping[str, Sequence[int]]:
    """Find the jobs under way of objects that somebody has left, by their reason."""
    reasons = {each.request_id for each in held if each.abandoned}
    found: dict[str, list[int]] = {}
    for row in client.get_jobs(bulk=True) if reasons else ():
        try:
            job = ganeti.from_rapi(row)
        except ganeti.Malformed:
            continue
        if job.request_id in reasons and not job.status.final:
            found.setdefault(job.request_id, []).append(job.id)
    return found


def _note(cloud: Cloud, backend: Backend, each: Held, found: Found, *, by: str) -> None:
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        row = objects.lock(db, backend.id, each.network_id)
        if row is None or row.claimed_by != by:
            return
        row.claimed_by = None
        row.claimed_until = now + found.pause if found.pause else None
        row.jobs = list(found.jobs)
        if row.state is not each.state:
            # another thing is meant to come of it by now: the next look tells how
            return
        if found.gone:
            db.delete(row)
        elif found.state is not each.state:
            row.state, row.changed_at = found.state, now
            row.error = found.error
        if found.retry is not None:
            row.error, row.retry_at = found.error, now + found.retry
        if found.shown is not None:
            row.subnet = str(found.shown["network"])
            row.groups = sorted(ganeti_networks.connections(found.shown))
    if found.gone or found.state is not each.state:
        level = logging.WARNING if found.error is not None else logging.INFO
        state = "gone" if found.gone else found.state
        facts = {"backend": backend.name, "network": each.name, "state": state, "reason": found.error}
        log.log(level, "network.object", extra=facts)


def _failed(why: str) -> Found:
    return Found(State.ERROR, error=why, retry=_PAUSE_FAILED)


def _kept(each: Held, why: str) -> Found:
    """Take back a removal that can't be: what is left of the object is made whole."""
    state = State.ADDING if each.wanted is not None else State.ERROR
    return Found(state, error=why, retry=_PAUSE_FAILED)


def _add(client: Client, each: Held, _step: Step, _depends: Depends) -> int:
    what = _known(each)
    return client.create_network(
        each.name,
        network=what.subnet,
        gateway=what.gateway,
        network6=what.network6,
        gateway6=what.gateway6,
        mac_prefix=what.mac_prefix,
        tags=what.tags,
        reason=each.request_id,
    )


def _modify(client: Client, each: Held, step: Step, _depends: Depends) -> int:
    return client.modify_network(each.name, reason=each.request_id, **(step.changes or {}))


def _tag(client: Client, each: Held, step: Step, _depends: Depends) -> int:
    return client.add_network_tags(each.name, step.tags, reason=each.request_id)


def _connect(client: Client, each: Held, step: Step, depends: Depends) -> int:
    what = _known(each)
    return client.connect_network(
        each.name, step.group, mode=what.mode, link=what.link, depends=depends, reason=each.request_id
    )


def _disconnect(client: Client, each: Held, step: Step, _depends: Depends) -> int:
    return client.disconnect_network(each.name, step.group, reason=each.request_id)


def _remove(client: Client, each: Held, _step: Step, _depends: Depends) -> int:
    return client.delete_network(each.name, reason=each.request_id)


def _known(each: Held) -> Wanted:
    if each.wanted is None:
        raise ValueError(f"network {each.network_id} is gone, and nothing is to be made of it")
    return each.wanted


_CALLS: dict[Do, Callable[[Client, Held, Step, Depends], int]] = {
    Do.ADD: _add,
    Do.MODIFY: _modify,
    Do.TAG: _tag,
    Do.CONNECT: _connect,
    Do.DISCONNECT: _disconnect,
    Do.REMOVE: _remove,
}
