"""Settles, every few seconds, what the event path has left undone: it repairs, and it says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cloud import events, instances
from cloud.clients import Clients
from cloud.context import Cloud
from cloud.states import Action
from common import jobs as ganeti
from common import messages
from common.jobs import JobStatus
from db import address_history, console_sessions, console_tokens, idempotency, jobs, requests, tokens
from db import instances as instance_rows
from db.backends import Backend
from db.instances import State

log = logging.getLogger(__name__)

_BATCH = 200
_REQUEST_LOG = timedelta(days=90)
_EXPIRED = timedelta(days=1)
_CONSOLE_SESSIONS = timedelta(days=400)
_CLEANUPS = 10
_CLEANUP_PAUSE = timedelta(minutes=1)


def settle_silent_jobs(cloud: Cloud, clients: Clients, backend: Backend, *, patience: timedelta) -> int:
    """Ask Ganeti, by one query, about jobs that no event was heard of for a while; give the number that moved.

    What it answers is applied as the event would have been. A job that Ganeti no longer knows has an unknown
    outcome: it ends as an error, and the instance is looked at. Raises RapiError.
    """
    with cloud.sessions.read() as db:
        silent = jobs.silent(db, backend_id=backend.id, since=cloud.clock() - patience, limit=_BATCH)
    if not silent or backend.cluster is None:
        return 0
    client = clients.of(backend)
    rows = {int(row["id"]): row for row in client.query_jobs([ganeti_id for _, ganeti_id in silent])}
    moved = 0
    for job_id, ganeti_id in silent:
        row = rows.get(ganeti_id) or client.get_job(ganeti_id)
        if row is None:
            _lose(cloud, job_id)
            moved += 1
        else:
            moved += _hear(cloud, backend.cluster, job_id, row)
    if moved:
        log.warning("jobs.settled", extra={"backend": backend.name, "moved": moved, "asked": len(silent)})
    return moved


def clean_up_again(cloud: Cloud, backend: Backend) -> int:
    """Try once more to remove what failed creates left behind, where the first try failed; give the number."""
    with cloud.sessions.read() as db:
        wanted = instance_rows.wanting_cleanup(db, backend.id, before=cloud.clock() - _CLEANUP_PAUSE, limit=_CLEANUPS)
    for instance_id in wanted:
        with cloud.sessions.begin() as db:
            instance = instance_rows.lock(db, instance_id)
            if instance is None or instance.state is not State.ERROR or instance.present is False:
                continue
            if not jobs.open_of_instance(db, instance_id):
                events.clean_up(db, instance, now=cloud.clock())
                instance.updated_at = cloud.clock()
    if wanted:
        cloud.wake()
    return len(wanted)


def forget_expired(cloud: Cloud) -> None:
    """Delete tokens, kept answers, log rows, old sessions and holders of addresses that have outlived their use."""
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        tokens.purge(db, now - _EXPIRED)
        console_tokens.purge(db, now - _EXPIRED)
        console_sessions.purge(db, now - _CONSOLE_SESSIONS)
        requests.purge(db, now - _REQUEST_LOG)
        idempotency.purge(db, now)
        if cloud.settings.address_history_days > 0:
            address_history.purge(db, now - timedelta(days=cloud.settings.address_history_days))


def _hear(cloud: Cloud, cluster: str, job_id: int, row: Mapping[str, Any]) -> bool:
    try:
        job = ganeti.from_rapi(row)
    except ganeti.Malformed:
        log.exception("job.malformed", extra={"job": row.get("id")})
        return False
    event = messages.JobEvent(cluster=cluster, job=job, seen_at=cloud.clock())
    if events.apply(cloud, event) is events.Applied.APPLIED:
        return True
    with cloud.sessions.begin() as db:
        ours = jobs.lock(db, job_id)
        if ours is not None:
            ours.heard_at = cloud.clock()
    return False


def _lose(cloud: Cloud, job_id: int) -> None:
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        held = events.hold(db, job_id)
        if held is None or held[1].finished_at is not None:
            return
        instance, job = held
        job.status = JobStatus.ERROR
        job.finished_at = now
        job.error_class, job.error_text = jobs.LOST, "Ganeti does not know the job any more"
        if job.action in (Action.DELETE, Action.SOFT_DELETE) and instance.task_job_id == job.id:
            # removing what is gone reaches its goal too: the owner need not ask twice
            instances.add_job(db, instance, action=Action(job.action), request_id=job.request_id, now=now)
            return
        instance.look_wanted = instance.state is not State.DELETED
        events.conclude(db, instance, job, now)
