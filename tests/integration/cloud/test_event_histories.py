"""Whole histories of events: shuffled, repeated and delivered again they leave the rows that they leave in order."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud import instances
from cloud.states import RULES, Action
from common import messages, names
from common.jobs import JobStatus, Opcode
from db import instances as instance_rows
from tests.support import clouds, ganeti
from tests.support.clouds import World

_folders = itertools.count()


@dataclass(frozen=True)
class Step:
    """One job of a history: whose, what, and how it ended."""

    what: Action | Opcode
    #: ok, failed, refused or canceled
    end: str = "ok"

    @property
    def ours(self) -> bool:
        return isinstance(self.what, Action)


ENDS = st.sampled_from(["ok", "ok", "failed", "canceled"])
OURS = st.builds(Step, st.sampled_from([Action.START, Action.STOP, Action.REBOOT, Action.REBOOT_HARD]), ENDS)
FOREIGN = st.builds(
    Step,
    st.sampled_from([Opcode.STARTUP, Opcode.SHUTDOWN, Opcode.MIGRATE, Opcode.SET_PARAMS, Opcode.EXPORT, Opcode.CREATE]),
    ENDS,
)
CREATE = st.builds(Step, st.just(Action.CREATE), st.sampled_from(["ok", "ok", "ok", "failed", "refused", "canceled"]))
DELETE = st.builds(Step, st.just(Action.DELETE), st.sampled_from(["ok", "ok", "refused", "failed"]))


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """A create, what happened after it, perhaps a delete. What follows a failed create is its cleanup alone."""
    create = draw(CREATE)
    middle = draw(st.lists(st.one_of(OURS, FOREIGN), max_size=5)) if create.end == "ok" else []
    return [create, *middle, *draw(st.lists(DELETE, max_size=1) if create.end == "ok" else st.just([]))]


@dataclass(frozen=True)
class Told:
    """A history in one world: the instance, and every event of every job."""

    world: World
    instance_id: str
    events: Sequence[messages.JobEvent]


def tell(world: World, history: Sequence[Step], *, recorded: bool) -> Told:
    """Have a history happen in Ganeti, without a word of it to the database but the jobs that it asked for.

    Without `recorded` the submitter never got an answer: events are found by request id alone.
    """
    (instance,) = world.create()
    world.rapi.lose_replies = 0 if recorded else 1
    world.submit()
    told: list[messages.JobEvent] = []
    for number, step in enumerate(history):
        world.clock.tick()
        if number == 0:
            job_id = 1
        elif step.ours:
            assert isinstance(step.what, Action)
            job_id = _ours(world, instance.id, step.what, recorded=recorded)
        else:
            job_id = world.rapi.foreign(step.what, instance.ganeti_name).id
        told += [
            world.rapi.event(job_id),
            *(world.rapi.step(job_id, s) for s in (JobStatus.WAITING, JobStatus.RUNNING)),
        ]
        world.clock.tick()
        told.append(_end(world, job_id, step))
    return Told(world, instance.id, told)


def _ours(world: World, instance_id: str, action: Action, *, recorded: bool) -> int:
    """Leave a job as if it had been asked for and sent, whatever state the row is in by now."""
    request_id = names.new_request_id()
    with world.cloud.sessions.begin() as db:
        row = instance_rows.lock(db, instance_id)
        assert row is not None
        job = instances.add_job(db, row, action=action, request_id=request_id, now=world.clock())
        row.task = RULES[action].task
        fake = world.rapi.foreign(RULES[action].opcode, row.ganeti_name)
        fake.reason = request_id
        job.attempts = 1
        if recorded:
            job.cluster, job.ganeti_id, job.status = world.rapi.cluster, fake.id, JobStatus.QUEUED
    return fake.id


def _end(world: World, job_id: int, step: Step) -> messages.JobEvent:
    if step.end == "canceled":
        return world.rapi.finish(job_id, canceled=True)
    if step.end == "refused":
        return world.rapi.finish(job_id, failed=ganeti.UNKNOWN_ENTITY if step.what == Action.DELETE else ganeti.NO_ROOM)
    return world.rapi.finish(job_id, failed=ganeti.error() if step.end == "failed" else None)


def outcome(told: Told) -> dict[str, object]:
    """What must not depend on the order."""
    row = told.world.instance(told.instance_id)
    return {
        "state": row.state,
        "task": row.task,
        "present": row.present,
        "charged": row.charged,
        "fault": row.fault_message,
        "look": row.look_wanted,
        "launched": row.launched_at is not None or row.deleted_at is not None,
        "deleted": row.deleted_at is not None,
        "used": told.world.used(),
        "jobs": [
            (job.action, job.status, job.ganeti_id, job.error_class, job.finished_at is not None)
            for job in told.world.jobs(told.instance_id)
        ],
    }


def fresh(folder: Path) -> World:
    where = folder / str(next(_folders))
    where.mkdir()
    return clouds.world(clouds.sqlite_sessions(where))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories(), recorded=st.booleans(), data=st.data())
def test_any_order_of_any_history_leaves_the_same_rows(
    history: list[Step], recorded: bool, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        straight = tell(fresh(folder), history, recorded=recorded)
        for event in straight.events:
            straight.world.deliver(event)
        mixed = tell(fresh(folder), history, recorded=recorded)
        again = data.draw(st.lists(st.sampled_from(mixed.events), max_size=4))
        for event in [*data.draw(st.permutations([*mixed.events, *again])), *mixed.events]:
            mixed.world.deliver(event)
        assert outcome(mixed) == outcome(straight)
        if history[-1].what == Action.DELETE and history[-1].end != "failed":
            assert outcome(mixed)["used"] == (0, 0, 0)
        for told in (straight, mixed):
            told.world.cloud.sessions.close()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(end=st.sampled_from(["ok", "failed", "refused"]), canceled=st.booleans(), data=st.data())
def test_the_cleanup_of_a_failed_create_is_counted_once_in_any_order(
    end: str, canceled: bool, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        world = fresh(Path(name))
        told = tell(world, [Step(Action.CREATE, "canceled" if canceled else "failed")], recorded=True)
        for event in data.draw(st.permutations([*told.events, *told.events])):
            world.deliver(event)
        assert [job.action for job in world.jobs(told.instance_id)] == ["cleanup", "create"]
        world.submit()
        events = [world.rapi.event(2), world.rapi.step(2, JobStatus.RUNNING)]
        events.append(_end(world, 2, Step(Action.DELETE, end)))
        for event in data.draw(st.permutations([*events, *events, *told.events])):
            world.deliver(event)
        row = world.instance(told.instance_id)
        assert (row.state, row.present) == ("error", None if end == "failed" else False)
        assert row.fault_message is not None
        assert world.used() == ((1, 2, 1024) if end == "failed" else (0, 0, 0))
        world.cloud.sessions.close()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ends=st.lists(st.sampled_from(["ok", "refused"]), min_size=3, max_size=3), data=st.data())
def test_servers_of_one_request_do_not_disturb_each_other_in_any_order(ends: list[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        world = fresh(Path(name))
        made = world.create(count=3)
        world.rapi.lose_replies = 3
        world.submit()
        events: list[messages.JobEvent] = []
        expected = {}
        for job_id, end in zip((1, 2, 3), ends, strict=True):
            events += [world.rapi.event(job_id), _end(world, job_id, Step(Action.CREATE, end))]
            expected[world.rapi.jobs[job_id].instance] = "active" if end == "ok" else "error"
        for event in data.draw(st.permutations([*events, *events])):
            world.deliver(event)
        assert {row.ganeti_name: world.instance(row.id).state for row in made} == expected
        assert world.used()[0] == ends.count("ok")
        world.cloud.sessions.close()
