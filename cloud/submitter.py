"""Sends jobs to Ganeti, each once, whoever crashes.

A job is claimed for a while before the call, so that no other submitter sends it too. When a call was made and
its answer is not known, Ganeti is asked for a job with that request id before another call is made.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cloud import (
    calls,
    events,
    firewall,
    floating_moves,
    guests,
    image_copies,
    instances,
    network_keeper,
    network_objects,
    nic_tags,
    nics,
    quotas,
    told,
)
from cloud.clients import Clients
from cloud.context import Cloud
from cloud.states import Action
from common import daemon, names
from common import jobs as ganeti
from common import log as logs
from common.jobs import JobStatus, Opcode
from db import backends, images, jobs, ports
from db import instances as instance_rows
from db.backends import Backend
from db.instances import State, Task
from rapi.client import Client
from rapi.errors import RapiError, RapiRefused, RapiUnreachable

log = logging.getLogger(__name__)

_BATCH = 8
_PAUSE_UNREACHABLE = timedelta(seconds=3)
_PAUSE_REFUSED = timedelta(seconds=5)
#: until a job is looked at again whose networks Ganeti is still to be given
_PAUSE_NETWORKS = timedelta(seconds=0.5)


@dataclass(frozen=True)
class Refusal:
    """Why a job can't be done."""

    error_class: str
    text: str


class _InVain(Exception):
    """Nobody wants any more what the order would do; the text says why."""


class Submitter:
    """A thread that wakes when there is work, and a worker per backend, so that one that hangs delays no other."""

    def __init__(self, cloud: Cloud, clients: Clients, *, interval: float = 1.0, workers: int = 8) -> None:
        self._cloud = cloud
        self._clients = clients
        self._name = names.new_id()
        self._pool = futures.ThreadPoolExecutor(workers, thread_name_prefix="submit")
        self._busy: dict[int, futures.Future[None]] = {}
        #: backends for which work came while their worker was at its last claim
        self._again: set[int] = set()
        self._stopping = threading.Event()
        self._loop = daemon.Loop("submitter", self.step, interval=interval)

    def start(self) -> None:
        self._loop.start()

    def wake(self) -> None:
        """Look for work now."""
        self._loop.wake()

    def stop(self) -> None:
        """Finish the calls under way, then end."""
        self._stopping.set()
        self._loop.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def step(self) -> None:
        """Start a worker for each backend that has none."""
        self._plan()
        with self._cloud.sessions.read() as db:
            usable = backends.usable(db)
        for backend in usable:
            working = self._busy.get(backend.id)
            if working is not None and not working.done():
                self._again.add(backend.id)
                continue
            if backend.cluster is not None and not self._stopping.is_set():
                self._busy[backend.id] = self._pool.submit(self._serve, backend)

    def _plan(self) -> None:
        plans = {"floating": floating_moves.plan, "firewall": firewall.plan, "told": told.plan}
        for name, plan in plans.items():
            try:
                plan(self._cloud)
            except Exception:  # what users have asked for does not wait for this
                log.exception("plan.failed", extra={"of": name})

    def serve(self, backend: Backend) -> int:
        """Send one batch of a backend's jobs; give the number that was claimed. Raises RapiError."""
        send_until = self._cloud.clock() + timedelta(seconds=self._cloud.settings.submit_lease / 2)
        orders, waiting = self._claim(backend)
        if not orders:
            return waiting
        client = self._clients.of(backend)
        try:
            known = self._known_jobs(client, backend, orders) if any(order.attempts > 1 for order in orders) else {}
        except RapiError:
            self._put_back(orders, _PAUSE_UNREACHABLE)
            raise
        for number, order in enumerate(orders):
            if self._cloud.clock() > send_until:
                # A call begun now could end after the claim: then somebody else would send the same job.
                self._put_back(orders[number:], timedelta())
                break
            with logs.bind(order.request_id):
                self._send(client, backend, order, known)
        return len(orders) + waiting

    def _serve(self, backend: Backend) -> None:
        try:
            while not self._stopping.is_set():
                self._again.discard(backend.id)
                self._keep(backend)
                if self.serve(backend) == 0 and backend.id not in self._again:
                    return
        except RapiError as err:
            log.warning("backend.unreachable", extra={"backend": backend.name, "reason": str(err)})
        except Exception:
            log.exception("submit.failed", extra={"backend": backend.name})

    def _keep(self, backend: Backend) -> None:
        try:
            network_keeper.keep(self._cloud, self._clients.of(backend), backend, by=self._name)
        except RapiError:
            raise
        except Exception:  # whoever has no part in a network does not wait for it
            log.exception("networks.failed", extra={"backend": backend.name})

    def _claim(self, backend: Backend) -> tuple[list[calls.Order], int]:
        """Take jobs to send; give the number, too, that have to wait for their networks."""
        now = self._cloud.clock()
        until = now + timedelta(seconds=self._cloud.settings.submit_lease)
        with self._cloud.sessions.begin() as db:
            row = backends.lock(db, backend.id)
            if row is None or row.offline:
                return [], 0
            free = row.max_jobs - jobs.in_flight(db, backend.id)
            claimed = jobs.claim(
                db, backend_id=backend.id, by=self._name, now=now, until=until, fresh=max(0, min(free, _BATCH))
            )
            orders = []
            waiting = 0
            plugging = [job for job in claimed if calls.plugs(job.opcode, job.action)]
            creating = [job.instance_id for job in claimed if job.opcode == Opcode.CREATE]
            held = ports.lock_of_instances(db, creating) if creating else ()
            # what changes meanwhile marks the ports after this
            places = ports.places(db, [job.instance_id for job in plugging]) if plugging else {}
            new = {job.id: _new(job, places.get(job.instance_id, ())) for job in plugging}
            readiness = network_objects.ready(db, row, [place for some in new.values() for place in some], now=now)
            late = {job.id for job in plugging if job.attempts == 0 and readiness.delays(new[job.id])}
            created = {job.instance_id for job in plugging if job.opcode == Opcode.CREATE and job.id not in late}
            firewalls = _told(
                db,
                claimed,
                [port for port in held if port.instance_id in created],
                {key: some for key, some in places.items() if key in created},
                now,
            )
            for job in claimed:
                instance = instance_rows.get(db, job.instance_id)
                if instance is not None and _is_in_vain(job, instance):
                    instances.withdraw(db, job, now)
                elif job.id in late:
                    job.claimed_by, job.claimed_until = None, now + _PAUSE_NETWORKS
                    waiting += 1
                elif instance is not None:
                    job.attempts += 1
                    image = images.get(db, instance.image_id) if instance.image_id else None
                    own = nics.of(new.get(job.id, ()), readiness.named)
                    order = _order(job, instance, image, row, places.get(instance.id, ()), firewalls=firewalls)
                    orders.append(replace(order, nics=own))
        return orders, waiting

    def _send(self, client: Client, backend: Backend, order: calls.Order, known: Mapping[int, int]) -> None:
        found = known.get(order.job_id)
        try:
            ganeti_id = found if found is not None else calls.place(client, self._with_ticket(order))
        except _InVain as err:
            self._give_up(order, Refusal("Withdrawn", str(err)))
        except calls.Needless as err:
            self._give_up(order, Refusal("Needless", str(err)), reached=True)
        except RapiRefused as err:
            self._refused(order, err)
        except RapiUnreachable as err:
            self._unreachable(backend, order, err)
        else:
            self._answered(backend, order, ganeti_id)

    def _with_ticket(self, order: calls.Order) -> calls.Order:
        """Make the token that the order carries; one that may have been sent before gets nothing.

        Raises _InVain for the copy of a disk into an image that nobody wants any more.
        """
        image_id = order.spec.get("image_id") if order.action is Action.CREATE_IMAGE else None
        if image_id is not None:
            if order.opcode == Opcode.EXPORT:
                token, there = None, image_copies.wanted(self._cloud, image_id)
            else:
                token = image_copies.issue(self._cloud, image_id)
                there = token is not None
            if not there:
                raise _InVain("the image was deleted before it was made")
            return replace(order, ticket=token)
        if not calls.deploys(order):
            return order
        ticket = guests.issue(self._cloud, instance_id=order.instance_id, job_id=order.job_id)
        return replace(order, ticket=ticket)

    def _known_jobs(self, client: Client, backend: Backend, orders: Sequence[calls.Order]) -> Mapping[int, int]:
        """Ask Ganeti, at once, which of these it has: our job's id to Ganeti's.

        A request may have two jobs of one opcode on an instance, and a reinstall carries no request id: one that is no
        other's yet is taken for the one sent.
        """
        seen: dict[tuple[str | None, str, str], list[int]] = {}
        for job in _parsed(client.get_jobs(bulk=True)):
            for op in job.ops:
                if op.instance is not None:
                    seen.setdefault((job.request_id, op.instance, op.opcode), []).append(job.id)
        known = {}
        for order in orders:
            request_id = None if order.opcode == Opcode.REINSTALL else order.request_id
            candidates = seen.get((request_id, order.ganeti_name, order.opcode), [])
            if order.attempts == 1 or not candidates:
                continue
            with self._cloud.sessions.read() as db:
                taken = jobs.known_ids(db, backend.cluster or "", candidates, but=order.job_id)
            fresh = [job_id for job_id in candidates if job_id not in taken]
            if fresh:
                known[order.job_id] = max(fresh)
        return known

    def _answered(self, backend: Backend, order: calls.Order, ganeti_id: int) -> None:
        now = self._cloud.clock()
        with self._cloud.sessions.begin() as db:
            job = jobs.lock(db, order.job_id)
            if job is None or job.ganeti_id is not None or backend.cluster is None:
                return
            events.answer(job, cluster=backend.cluster, ganeti_id=ganeti_id, at=now)
            if job.status is JobStatus.SUBMITTING:
                job.status = JobStatus.QUEUED
                job.heard_at = now
        log.info("job.submitted", extra={"backend": backend.name, "job": ganeti_id, "opcode": order.opcode})

    def _refused(self, order: calls.Order, err: RapiRefused) -> None:
        log.warning("job.refused", extra={"opcode": order.opcode, "error": err.error_class, "retry": err.retryable})
        if err.retryable:
            self._postpone(order, _PAUSE_REFUSED)
        elif order.action in (Action.DELETE, Action.CLEANUP) and err.status == 404:
            self._give_up(order, Refusal("HttpNotFound", err.reason), gone=True)
        else:
            self._give_up(order, Refusal(err.error_class, err.reason))

    def _unreachable(self, backend: Backend, order: calls.Order, err: RapiUnreachable) -> None:
        log.warning("job.unanswered", extra={"backend": backend.name, "opcode": order.opcode, "sent": err.sent})
        if err.sent:
            # The claim stays: whoever takes the job after it has run out asks Ganeti first.
            return
        if order.action is Action.CREATE and order.attempts == 1 and self._too_old(order):
            self._give_up(order, Refusal("RapiUnreachable", "the backend could not be reached"))
            return
        self._postpone(order, _PAUSE_UNREACHABLE)

    def _too_old(self, order: calls.Order) -> bool:
        oldest = self._cloud.clock() - timedelta(seconds=self._cloud.settings.build_patience)
        with self._cloud.sessions.read() as db:
            job = jobs.get(db, order.job_id)
        return job is not None and job.created_at < oldest

    def _put_back(self, orders: Sequence[calls.Order], pause: timedelta) -> None:
        for order in orders:
            self._postpone(order, pause)

    def _postpone(self, order: calls.Order, pause: timedelta) -> None:
        """Let the job be taken again after a pause. Nothing was changed by this attempt, so it does not count."""
        with self._cloud.sessions.begin() as db:
            job = jobs.lock(db, order.job_id)
            if job is None or job.status is not JobStatus.SUBMITTING:
                return
            if (job.claimed_by, job.attempts) == (self._name, order.attempts):
                job.attempts -= 1
                job.claimed_until = self._cloud.clock() + pause

    def _give_up(self, order: calls.Order, refusal: Refusal, *, gone: bool = False, reached: bool = False) -> None:
        now = self._cloud.clock()
        with self._cloud.sessions.begin() as db:
            held = events.hold(db, order.job_id)
            if held is None or held[1].finished_at is not None or held[1].ganeti_id is not None:
                return
            instance, job = held
            job.status = JobStatus.SUCCESS if gone or reached else JobStatus.ERROR
            job.finished_at = now
            job.error_class, job.error_text = refusal.error_class, refusal.text
            if gone and order.action is Action.DELETE:
                instances.finish(db, instance, now)
            elif gone:
                instance.present = False
                quotas.release(db, instance)
            elif order.action is Action.CREATE:
                _fail_create(instance, refusal, now)
                quotas.release(db, instance)
            events.conclude(db, instance, job, now)


def _is_in_vain(job: jobs.Job, instance: instance_rows.Instance) -> bool:
    """Tell whether a job that was never sent would only be undone: its server is to be deleted.

    The instance needs no lock: the delete waits for this very job.
    """
    deletes = {Task.DELETING: Action.DELETE, Task.SOFT_DELETING: Action.SOFT_DELETE}
    return instance.task in deletes and job.action != deletes[instance.task] and job.attempts == 0


def _new(job: jobs.Job, places: Sequence[ports.Place]) -> list[ports.Place]:
    """Give those of an instance's places that a job makes NICs for."""
    if job.opcode == Opcode.CREATE:
        return list(places)
    return [place for place in places if place.port.id == job.spec.get("port_id")]


def _told(
    db: Session,
    claimed: Sequence[jobs.Job],
    held: Sequence[ports.Port],
    places: Mapping[str, Sequence[ports.Place]],
    now: datetime,
) -> Mapping[str, Sequence[str]]:
    """Take what the tags of new instances say for told, and give what they are to say of firewalls, by port."""
    if not held:
        return {}
    found = firewall.tell(db, held)
    for instance_id, some in places.items():
        told.take_for_told(some, [port for port in held if port.instance_id == instance_id])
    again = {job.instance_id for job in claimed if job.attempts > 0}
    for port in held:
        if port.instance_id in again:
            # an attempt whose outcome nobody knows may have said something else
            port.firewall_digest, port.firewall_due_at = None, now
            port.told_digest, port.told_due_at = None, now
    return found


def _fail_create(instance: instance_rows.Instance, refusal: Refusal, now: datetime) -> None:
    instance.state = State.ERROR
    instance.present = False
    instance.fault_code = 500
    instance.fault_message = f"the create was refused: {refusal.error_class}"
    instance.fault_at = now
    instance.updated_at = now


def _parsed(rows: Sequence[Mapping[str, object]]) -> Iterator[ganeti.Job]:
    for row in rows:
        try:
            yield ganeti.from_rapi(row)
        except ganeti.Malformed:
            continue


def _order(
    job: jobs.Job,
    instance: instance_rows.Instance,
    image: images.Image | None,
    backend: Backend,
    places: Sequence[ports.Place],
    *,
    firewalls: Mapping[str, Sequence[str]],
) -> calls.Order:
    return calls.Order(
        job_id=job.id,
        action=Action(job.action),
        opcode=job.opcode,
        request_id=job.request_id,
        attempts=job.attempts,
        instance_id=instance.id,
        ganeti_name=instance.ganeti_name,
        node=instance.node,
        vcpus=instance.vcpus,
        ram=instance.ram,
        disk=instance.disk,
        image_file=image.file if image else None,
        image_format=image.disk_format if image else None,
        disk_template=backend.disk_template,
        hypervisor=backend.hypervisor,
        os=backend.os,
        hvparams=tuple(sorted(backend.hvparams.items())),
        spec=job.spec,
        tags=nic_tags.of(places, hostname=guests.hostname(instance.name, instance.id), firewalls=firewalls),
    )
