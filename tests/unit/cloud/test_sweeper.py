"""What the event path left undone, a few seconds later."""

from __future__ import annotations

from datetime import timedelta

from cloud import sweeper
from cloud.states import Action
from common.jobs import JobStatus
from db.instances import State, Task
from db.tokens import Token
from tests.support import ganeti
from tests.support.clouds import World, statuses

PATIENCE = timedelta(seconds=60)


def sweep(world: World) -> int:
    return sweeper.settle_silent_jobs(world.cloud, world.clients, world.known_backend(), patience=PATIENCE)


def test_a_silent_job_is_settled_as_its_event_would_have(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    world.rapi.finish(1)
    assert sweep(world) == 0, "it has not been silent for long"
    world.clock.tick(61)
    assert sweep(world) == 1
    assert world.instance(instance_id).state is State.ACTIVE
    assert sweep(world) == 0


def test_a_job_that_is_still_under_way_is_asked_about_once_per_patience(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    world.clock.tick(61)
    assert sweep(world) == 0
    asked = len(world.rapi.asked)
    assert sweep(world) == 0
    assert len(world.rapi.asked) == asked
    assert world.instance(instance_id).state is State.BUILDING


def test_many_silent_jobs_are_one_question(world: World) -> None:
    world.create(count=5)
    world.submit()
    for job_id in world.rapi.open_jobs():
        world.rapi.finish(job_id)
    world.clock.tick(61)
    world.rapi.asked.clear()
    assert sweep(world) == 5
    assert world.rapi.asked == ["query"]


def test_a_create_that_ganeti_forgot_is_settled_by_a_look(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    world.rapi.finish(1)
    world.rapi.forget(1)
    world.clock.tick(61)
    assert sweep(world) == 1
    job = world.jobs(instance_id)[0]
    assert (job.status, job.error_class) == (JobStatus.ERROR, "JobLost")
    assert world.instance(instance_id).task is None
    world.look()
    assert world.instance(instance_id).state is State.ACTIVE


def test_a_lost_create_that_left_nothing_is_an_error_that_costs_nothing(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    world.rapi.forget(1)
    world.clock.tick(61)
    sweep(world)
    world.look()
    row = world.instance(instance_id)
    assert (row.state, row.fault_message) == (State.ERROR, "the create left no instance")
    assert world.used() == (0, 0, 0)


def test_a_lost_action_clears_its_task_and_the_look_tells_the_state(world: World) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.submit()
    world.rapi.finish(2)
    world.rapi.forget(2)
    world.clock.tick(61)
    sweep(world)
    world.look()
    row = world.instance(instance_id)
    assert (row.state, row.task) == (State.STOPPED, None)


def test_a_delete_that_was_lost_is_asked_for_again_until_the_server_is_gone(world: World) -> None:
    instance_id = world.active()
    world.delete(instance_id)
    world.submit()
    world.rapi.finish(2)
    world.rapi.forget(2)
    world.clock.tick(61)
    sweep(world)
    assert world.instance(instance_id).task is Task.DELETING
    world.submit()
    world.deliver(world.rapi.finish(3, failed=ganeti.UNKNOWN_ENTITY))
    assert world.instance(instance_id).state is State.DELETED
    assert world.used() == (0, 0, 0)


def test_a_job_lost_after_its_server_was_deleted_wants_no_look(world: World) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.submit()
    removed = world.rapi.foreign("OP_INSTANCE_REMOVE", f"syros-{instance_id}")
    world.deliver(world.rapi.finish(removed.id))
    world.rapi.forget(2)
    world.clock.tick(61)
    sweep(world)
    row = world.instance(instance_id)
    assert (row.state, row.look_wanted) == (State.DELETED, False)


def clean_up(world: World) -> int:
    return sweeper.clean_up_again(world.cloud, world.known_backend())


def test_a_failed_cleanup_is_tried_again_after_a_while_until_it_works(world: World) -> None:
    instance_id = world.create_one()
    name = f"syros-{instance_id}"
    world.finish(instance_id, failed=ganeti.error())
    world.rapi.instances[name] = ganeti.FakeInstance(name, vcpus=2, ram=1024, status="ADMIN_down")
    for _ in range(2):
        world.finish(instance_id, failed=ganeti.error())
        world.look()
        assert clean_up(world) == 0
        world.clock.tick(61)
        assert clean_up(world) == 1
        assert clean_up(world) == 0, "one is under way"
    world.finish(instance_id)
    row = world.instance(instance_id)
    assert (row.state, row.present, world.rapi.instances) == (State.ERROR, False, {})
    assert world.used() == (0, 0, 0)
    world.clock.tick(61)
    assert clean_up(world) == 0
    assert statuses(world.jobs(instance_id))[-1] == ("cleanup", JobStatus.SUCCESS)


def test_tokens_long_expired_are_forgotten(world: World) -> None:
    now = world.clock()
    for number, hours in enumerate((-48, -1, 1)):
        with world.cloud.sessions.begin() as db:
            db.add(
                Token(
                    digest=str(number),
                    audit_id="a",
                    user_id=world.user.id,
                    methods=["password"],
                    issued_at=now,
                    expires_at=now + timedelta(hours=hours),
                )
            )
    sweeper.forget_expired(world.cloud)
    with world.cloud.sessions.read() as db:
        assert [db.get(Token, str(number)) is not None for number in range(3)] == [False, True, True]
