"""What events do, one by one: our jobs, other people's jobs, hooks; early, late, twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cloud import events
from cloud.events import Applied
from cloud.states import Action
from common import messages
from common.jobs import JobStatus, Opcode
from db import jobs as job_rows
from db.instances import State, Task
from tests.support import ganeti
from tests.support.clouds import World, statuses


def test_a_create_goes_from_building_to_active_through_every_status(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    for status in (JobStatus.WAITING, JobStatus.RUNNING):
        assert world.deliver(world.rapi.step(1, status)) is Applied.APPLIED
        assert world.jobs(instance_id)[0].status is status
        assert world.instance(instance_id).state is State.BUILDING
    assert world.deliver(world.rapi.finish(1)) is Applied.APPLIED
    row = world.instance(instance_id)
    assert (row.state, row.task, row.present, row.node) == (State.ACTIVE, None, True, "node1")
    assert row.launched_at is not None
    assert row.look_wanted
    assert world.used() == (1, 2, 1024)


def test_the_same_event_again_changes_nothing(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    event = world.rapi.finish(1)
    world.deliver(event)
    before = world.instance(instance_id).updated_at
    assert world.deliver(event) is Applied.STALE
    assert world.instance(instance_id).updated_at == before


def test_a_status_that_is_lower_than_the_recorded_one_changes_nothing(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    early = world.rapi.step(1, JobStatus.WAITING)
    world.deliver(world.rapi.finish(1))
    assert world.deliver(early) is Applied.STALE
    assert world.jobs(instance_id)[0].status is JobStatus.SUCCESS


def test_an_event_that_comes_before_the_answer_finds_its_job_by_request_id(world: World) -> None:
    instance_id = world.create_one()
    heard: list[Applied] = []
    world.rapi.lose_replies = 1
    world.submit()
    heard.append(world.deliver(world.rapi.step(1, JobStatus.RUNNING)))
    job = world.jobs(instance_id)[0]
    assert heard == [Applied.APPLIED]
    assert (job.ganeti_id, job.cluster, job.status) == (1, world.rapi.cluster, JobStatus.RUNNING)
    assert job.claimed_until is None


def test_events_of_a_request_for_several_servers_each_find_their_own_job(world: World) -> None:
    made = world.create(count=3)
    world.rapi.lose_replies = 3
    world.submit()
    for job_id in (3, 1, 2):
        world.clock.tick()
        world.deliver(world.rapi.finish(job_id))
    for instance in made:
        job = world.jobs(instance.id)[0]
        assert job.ganeti_id is not None
        assert world.rapi.jobs[job.ganeti_id].instance == instance.ganeti_name
        assert world.instance(instance.id).state is State.ACTIVE


def test_a_cluster_that_no_backend_is_changes_nothing(world: World) -> None:
    world.create_one()
    world.submit()
    event = replace(world.rapi.finish(1), cluster="99999999-2222-4333-8444-555555555555")
    assert world.deliver(event) is Applied.UNKNOWN_CLUSTER


def test_a_job_id_of_a_cluster_made_anew_is_not_taken_for_ours(world: World) -> None:
    instance_id = world.active()
    job = world.rapi.foreign("OP_TEST_DELAY", "unrelated")
    job.id = 1
    world.rapi.jobs[1] = job
    event = world.rapi.finish(1, failed=ganeti.error())
    assert world.deliver(event) is Applied.STALE
    assert world.instance(instance_id).state is State.ACTIVE


def test_a_failed_create_is_an_error_with_a_fault_and_a_cleanup_behind_it(world: World) -> None:
    instance_id = world.create_one()
    job = world.finish(instance_id, failed=ganeti.error("OpExecError", "no room on the disk"))
    row = world.instance(instance_id)
    assert (row.state, row.task, row.present) == (State.ERROR, None, None)
    assert (job.error_class, job.error_text) == ("OpExecError", "no room on the disk")
    assert row.fault_message == "OP_INSTANCE_CREATE failed: OpExecError"
    assert statuses(world.jobs(instance_id)) == [("create", JobStatus.ERROR), ("cleanup", JobStatus.SUBMITTING)]
    assert world.used() == (1, 2, 1024)
    world.finish(instance_id)
    row = world.instance(instance_id)
    assert (row.state, row.present, row.deleted_at) == (State.ERROR, False, None)
    assert row.fault_message is not None
    assert world.used() == (0, 0, 0)


def test_a_create_that_was_refused_as_a_job_costs_nothing_and_leaves_nothing_to_clean_up(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, failed=ganeti.NO_ROOM)
    row = world.instance(instance_id)
    assert (row.state, row.present) == (State.ERROR, False)
    assert row.fault_message == "OP_INSTANCE_CREATE failed: OpPrereqError (insufficient_resources)"
    assert len(world.jobs(instance_id)) == 1
    assert world.used() == (0, 0, 0)


def test_a_canceled_create_says_so(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, canceled=True)
    row = world.instance(instance_id)
    assert row.state is State.ERROR
    assert row.fault_message == "OP_INSTANCE_CREATE failed: JobCanceled"


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Action.STOP, State.STOPPED),
        (Action.REBOOT, State.ACTIVE),
        (Action.REBOOT_HARD, State.ACTIVE),
    ],
)
def test_an_action_ends_in_its_state_and_clears_its_task(world: World, action: Action, state: State) -> None:
    instance_id = world.active()
    world.act(instance_id, action)
    assert world.instance(instance_id).task is not None
    world.finish(instance_id)
    row = world.instance(instance_id)
    assert (row.state, row.task, row.task_job_id) == (state, None, None)


def test_a_failed_action_leaves_the_state_and_has_ganeti_asked(world: World) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.finish(instance_id, failed=ganeti.error())
    row = world.instance(instance_id)
    assert (row.state, row.task, row.look_wanted) == (State.ACTIVE, None, True)
    assert row.fault_message is None


def test_a_delete_of_what_the_cluster_does_not_have_has_reached_its_goal(world: World) -> None:
    instance_id = world.active()
    world.delete(instance_id)
    world.finish(instance_id, failed=ganeti.UNKNOWN_ENTITY)
    row = world.instance(instance_id)
    assert (row.state, row.present) == (State.DELETED, False)
    assert row.deleted_at is not None
    assert world.used() == (0, 0, 0)


def test_a_failed_delete_gives_the_server_back(world: World) -> None:
    instance_id = world.active()
    world.delete(instance_id)
    world.finish(instance_id, failed=ganeti.error())
    row = world.instance(instance_id)
    assert (row.state, row.task, row.look_wanted) == (State.ACTIVE, None, True)
    assert world.used() == (1, 2, 1024)


def test_no_late_event_changes_a_deleted_server(world: World) -> None:
    instance_id = world.active()
    name = world.instance(instance_id).ganeti_name
    world.delete(instance_id)
    world.finish(instance_id)
    before = world.instance(instance_id)
    for opcode in (Opcode.STARTUP, Opcode.MIGRATE, Opcode.REMOVE):
        world.deliver(world.rapi.finish(world.rapi.foreign(opcode, name).id))
    world.deliver(hook(world, name, node="node2"))
    after = world.instance(instance_id)
    assert (after.state, after.updated_at, after.node) == (State.DELETED, before.updated_at, None)
    assert not after.look_wanted
    assert world.used() == (0, 0, 0)


# other people's jobs


def foreign(world: World, opcode: str, instance_id: str, **outcome: object) -> messages.JobEvent:
    """Have an operator do something to a server, and give the event of its end."""
    world.clock.tick()
    job = world.rapi.foreign(opcode, world.instance(instance_id).ganeti_name)
    return world.rapi.finish(job.id, **outcome)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("opcode", "state"),
    [(Opcode.SHUTDOWN, State.STOPPED), (Opcode.STARTUP, State.ACTIVE), (Opcode.REMOVE, State.DELETED)],
)
def test_what_an_operator_does_is_a_fact_like_any_other(world: World, opcode: Opcode, state: State) -> None:
    instance_id = world.active()
    event = foreign(world, opcode, instance_id)
    assert world.deliver(event) is Applied.APPLIED
    assert world.instance(instance_id).state is state
    assert world.deliver(event) is Applied.STALE


def test_other_peoples_instances_are_foreign(world: World) -> None:
    event = world.rapi.finish(world.rapi.foreign(Opcode.STARTUP, "their-own-machine").id)
    assert world.deliver(event) is Applied.FOREIGN


def test_an_operators_job_is_nobodys_business_before_it_has_ended(world: World) -> None:
    instance_id = world.active()
    job = world.rapi.foreign(Opcode.SHUTDOWN, world.instance(instance_id).ganeti_name)
    assert world.deliver(world.rapi.step(job.id, JobStatus.RUNNING)) is Applied.FOREIGN
    assert world.instance(instance_id).state is State.ACTIVE


def test_an_older_fact_does_not_overrule_a_newer_one(world: World) -> None:
    instance_id = world.active()
    stopped = foreign(world, Opcode.SHUTDOWN, instance_id)
    started = foreign(world, Opcode.STARTUP, instance_id)
    world.deliver(started)
    assert world.deliver(stopped) is Applied.STALE
    assert world.instance(instance_id).state is State.ACTIVE


def test_a_job_of_several_operations_is_believed_whole(world: World) -> None:
    instance_id = world.active()
    world.clock.tick()
    name = world.instance(instance_id).ganeti_name
    job = world.rapi.foreign((Opcode.SHUTDOWN, Opcode.REINSTALL, Opcode.STARTUP), name)
    event = world.rapi.finish(job.id)
    times = [world.clock.tick() for _ in event.job.ops]
    timed = [replace(op, ended_at=at) for op, at in zip(event.job.ops, times, strict=True)]
    event = replace(event, job=replace(event.job, ops=tuple(timed)))
    assert world.deliver(event) is Applied.APPLIED
    assert world.instance(instance_id).state is State.ACTIVE


def test_a_job_that_failed_half_way_is_believed_as_far_as_it_went(world: World) -> None:
    instance_id = world.active()
    world.clock.tick()
    job = world.rapi.foreign((Opcode.SHUTDOWN, Opcode.REINSTALL), world.instance(instance_id).ganeti_name)
    event = world.rapi.finish(job.id)
    first, second = event.job.ops
    second = replace(second, status=JobStatus.ERROR, error_class="OpExecError", error_text="it broke")
    event = replace(event, job=replace(event.job, status=JobStatus.ERROR, ops=(first, second)))
    world.deliver(event)
    row = world.instance(instance_id)
    assert (row.state, row.look_wanted) == (State.STOPPED, True)


@pytest.mark.parametrize(
    "outcome", [{"canceled": True}, {"failed": ganeti.error()}, {"failed": ganeti.NO_ROOM}], ids=str
)
def test_somebody_elses_failed_create_does_no_harm_to_the_server_of_that_name(
    world: World, outcome: dict[str, object]
) -> None:
    instance_id = world.active()
    world.deliver(foreign(world, Opcode.CREATE, instance_id, **outcome))
    row = world.instance(instance_id)
    assert (row.state, row.present, row.fault_message) == (State.ACTIVE, True, None)
    assert row.look_wanted
    assert [job.action for job in world.jobs(instance_id)] == ["create"]
    assert world.used() == (1, 2, 1024)


def test_a_migration_heard_of_before_the_create_does_not_hide_that_the_create_worked(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    created = world.rapi.finish(1)
    world.deliver(foreign(world, Opcode.MIGRATE, instance_id))
    world.deliver(created)
    row = world.instance(instance_id)
    assert (row.state, row.task) == (State.ACTIVE, None)


def test_a_failure_heard_of_first_does_not_hide_an_earlier_success(world: World) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.submit()
    stopped = world.rapi.finish(2)
    world.deliver(foreign(world, Opcode.STARTUP, instance_id, failed=ganeti.error()))
    world.deliver(stopped)
    row = world.instance(instance_id)
    assert (row.state, row.look_wanted) == (State.STOPPED, True)


def test_a_create_heard_of_late_still_says_when_the_server_was_launched(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    created = world.rapi.finish(1)
    world.deliver(foreign(world, Opcode.SHUTDOWN, instance_id))
    world.deliver(created)
    row = world.instance(instance_id)
    assert (row.state, row.task) == (State.STOPPED, None)
    assert row.launched_at is not None
    assert row.look_wanted


def test_a_second_submission_of_a_create_that_already_exists_settles_by_a_look(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, failed=ganeti.ALREADY_EXISTS)
    row = world.instance(instance_id)
    assert (row.state, row.task, row.look_wanted) == (State.BUILDING, None, True)
    world.rapi.instances[row.ganeti_name] = ganeti.FakeInstance(row.ganeti_name, vcpus=2, ram=1024)
    world.look()
    assert world.instance(instance_id).state is State.ACTIVE


def test_a_final_event_is_not_taken_for_foreign_when_the_answer_is_recorded_at_that_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two searches for the job, the submitter may record the id that the first one searched for."""
    instance_id = world.create_one()
    world.rapi.lose_replies = 1
    world.submit()
    event = world.rapi.finish(1)
    search = job_rows.unanswered

    def recorded_meanwhile(db: object, **wanted: object) -> None:
        row = search(db, **wanted)  # type: ignore[arg-type]
        if row is not None:
            events.answer(row, cluster=event.cluster, ganeti_id=1, at=world.clock())
            db.flush()  # type: ignore[attr-defined]

    monkeypatch.setattr(job_rows, "unanswered", recorded_meanwhile)
    assert world.deliver(event) is Applied.APPLIED
    assert world.instance(instance_id).task is None


# hooks


def hook(world: World, name: str, *, node: str = "node1", macs: tuple[str, ...] = ()) -> messages.InstanceEvent:
    return messages.InstanceEvent(
        cluster=world.rapi.cluster,
        instance=name,
        opcode=Opcode.MIGRATE,
        node=node,
        nics=tuple(messages.Nic(i, mac, None, "bridged", "br0", None, None, None) for i, mac in enumerate(macs)),
        at=world.clock.tick(),
    )


def test_a_hook_tells_the_node_and_the_nics_and_nothing_else(world: World) -> None:
    instance_id = world.active()
    before = world.instance(instance_id)
    event = hook(world, before.ganeti_name, node="node2", macs=("aa:00:00:00:00:09",))
    assert world.deliver(event) is Applied.APPLIED
    row = world.instance(instance_id)
    assert (row.node, [nic["mac"] for nic in row.nics]) == ("node2", ["aa:00:00:00:00:09"])
    assert (row.state, row.task, row.fact_at) == (before.state, before.task, before.fact_at)
    assert world.deliver(event) is Applied.STALE


def test_a_hook_older_than_the_last_fact_is_stale(world: World) -> None:
    instance_id = world.active()
    event = hook(world, world.instance(instance_id).ganeti_name, node="node9")
    world.deliver(foreign(world, Opcode.SHUTDOWN, instance_id))
    assert world.deliver(event) is Applied.STALE
    assert world.instance(instance_id).node == "node1"


def test_hooks_of_other_peoples_instances_and_of_networks_are_foreign(world: World) -> None:
    assert world.deliver(hook(world, "their-own-machine")) is Applied.FOREIGN
    network = messages.NetworkEvent(world.rapi.cluster, "OP_NETWORK_ADD", "net", None, None, None, world.clock())
    assert world.deliver(network) is Applied.FOREIGN


def test_an_applied_event_wakes_the_submitter_and_a_stale_one_does_not(world: World) -> None:
    woken: list[bool] = []
    wake: Callable[[], None] = lambda: woken.append(True)  # noqa: E731
    world.cloud = replace(world.cloud, wake=wake)
    world.create_one()
    world.submit()
    event = world.rapi.finish(1)
    woken.clear()
    world.deliver(event)
    world.deliver(event)
    assert woken == [True]


def test_a_delete_asked_for_while_the_create_fails_leaves_no_cleanup_of_its_own(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    world.delete(instance_id)
    world.deliver(world.rapi.finish(1, failed=ganeti.error()))
    row = world.instance(instance_id)
    assert (row.state, row.task) == (State.ERROR, Task.DELETING)
    assert statuses(world.jobs(instance_id)) == [("create", JobStatus.ERROR), ("delete", JobStatus.SUBMITTING)]
    world.finish(instance_id, failed=ganeti.UNKNOWN_ENTITY)
    assert world.instance(instance_id).state is State.DELETED


def test_a_late_running_of_its_create_does_not_make_a_deleted_server_uncertain(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.lose_replies = 1
    world.submit()
    running = world.rapi.step(1, JobStatus.RUNNING)
    world.deliver(foreign(world, Opcode.REMOVE, instance_id))
    world.deliver(running)
    assert world.instance(instance_id).present is False
