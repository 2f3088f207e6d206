"""What owners do to their servers: one transaction each, counted exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cloud import backends, creations, instances
from cloud.creations import CreateSpec
from cloud.instances import Change
from cloud.states import Action
from common.errors import Busy, Conflict, Forbidden, Invalid, NotFound
from common.jobs import JobStatus
from db.instances import Filter, State, Task
from db.users import Role
from tests.support import clouds, ganeti
from tests.support.clouds import World, statuses


def spec(world: World, **changes: object) -> CreateSpec:
    wanted = CreateSpec(name="web", flavor_id=world.flavor.id, image_id=world.image.id)
    return replace(wanted, **changes)  # type: ignore[arg-type]


def test_a_second_backend_for_the_same_cluster_is_refused_as_trouble(world: World) -> None:
    other = clouds.add_backend(world.cloud, world.vault, "ganeti2")
    backends.refresh(world.cloud, world.clients, other)
    row = backends.get(world.cloud, "ganeti2")
    assert row.cluster is None
    assert row.trouble == "backend ganeti1 is this cluster already"


# who may


def test_a_reader_may_look_and_not_change(world: World) -> None:
    instance_id = world.active()
    reader = world.fresh(roles=(Role.READER,))
    assert instances.get(world.cloud, reader, instance_id).id == instance_id
    attempts: list[Callable[[], object]] = [
        lambda: creations.create(world.cloud, reader, spec(world)),
        lambda: instances.act(world.cloud, reader, instance_id, Action.STOP),
        lambda: instances.delete(world.cloud, reader, instance_id),
        lambda: instances.update(world.cloud, reader, instance_id, Change(name="x")),
        lambda: instances.set_metadata(world.cloud, reader, instance_id, {}, replace=True),
        lambda: instances.delete_metadata(world.cloud, reader, instance_id, "x"),
    ]
    for attempt in attempts:
        with pytest.raises(Forbidden):
            attempt()
    assert world.instance(instance_id).task is None


def test_another_tenants_server_is_not_there_for_anything(world: World) -> None:
    instance_id = world.active()
    other = world.stranger_caller()
    attempts: list[Callable[[], object]] = [
        lambda: instances.get(world.cloud, other, instance_id),
        lambda: instances.act(world.cloud, other, instance_id, Action.STOP),
        lambda: instances.delete(world.cloud, other, instance_id),
        lambda: instances.update(world.cloud, other, instance_id, Change(name="x")),
        lambda: instances.set_metadata(world.cloud, other, instance_id, {}, replace=True),
        lambda: instances.delete_metadata(world.cloud, other, instance_id, "x"),
        lambda: instances.actions(world.cloud, other, instance_id),
    ]
    absent = "there is no server " + instance_id
    for attempt in attempts:
        with pytest.raises(NotFound, match=absent):
            attempt()
    with pytest.raises(Invalid):
        instances.page(world.cloud, other, Filter(project_id=other.project_id), limit=5, marker=instance_id)
    assert instances.get(world.cloud, world.stranger_caller(roles=(Role.ADMIN,)), instance_id).id == instance_id


# act


def test_an_action_leaves_a_job_and_its_task_and_a_second_one_has_to_wait(world: World) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    row = world.instance(instance_id)
    assert (row.state, row.task, row.task_job_id) == (State.ACTIVE, Task.STOPPING, world.jobs(instance_id)[0].id)
    with pytest.raises(Busy):
        world.act(instance_id, Action.REBOOT)
    assert len(world.jobs(instance_id)) == 2


def test_an_action_that_the_state_does_not_allow_leaves_no_job(world: World) -> None:
    instance_id = world.active()
    with pytest.raises(Conflict):
        world.act(instance_id, Action.START)
    assert len(world.jobs(instance_id)) == 1
    assert world.instance(instance_id).task is None


# delete


def test_a_server_that_ganeti_never_heard_of_is_gone_at_once(world: World) -> None:
    instance_id = world.create_one()
    world.delete(instance_id)
    row = world.instance(instance_id)
    assert (row.state, row.task) == (State.DELETED, None)
    assert row.deleted_at is not None
    assert statuses(world.jobs(instance_id)) == [("create", JobStatus.CANCELED), ("delete", JobStatus.SUCCESS)]
    assert world.used() == (0, 0, 0)
    assert world.submit() == 0
    with pytest.raises(NotFound):
        world.delete(instance_id)


def test_a_delete_while_the_create_is_in_flight_waits_its_turn(world: World) -> None:
    instance_id = world.create_one()
    world.submit()
    world.delete(instance_id)
    assert world.instance(instance_id).task is Task.DELETING
    assert world.submit() == 0
    world.clock.tick()
    world.deliver(world.rapi.finish(1))
    row = world.instance(instance_id)
    assert (row.state, row.task) == (State.ACTIVE, Task.DELETING)
    world.finish(instance_id)
    assert world.instance(instance_id).state is State.DELETED
    assert world.rapi.instances == {}
    assert world.used() == (0, 0, 0)


def test_a_second_delete_changes_nothing(world: World) -> None:
    instance_id = world.active()
    world.delete(instance_id)
    before = world.instance(instance_id)
    world.delete(instance_id)
    assert len(world.jobs(instance_id)) == 2
    assert world.instance(instance_id).updated_at == before.updated_at


def test_a_delete_withdraws_an_action_that_was_not_sent(world: World) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.delete(instance_id)
    assert statuses(world.jobs(instance_id))[1:] == [("stop", JobStatus.CANCELED), ("delete", JobStatus.SUBMITTING)]
    world.finish(instance_id)
    assert world.instance(instance_id).state is State.DELETED


def test_a_failed_create_that_left_nothing_is_deleted_at_once(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, failed=ganeti.NO_ROOM)
    world.delete(instance_id)
    assert world.instance(instance_id).state is State.DELETED
    assert world.used() == (0, 0, 0)


def test_a_failed_create_with_remains_is_deleted_by_way_of_ganeti(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, failed=ganeti.error())
    world.delete(instance_id)
    assert statuses(world.jobs(instance_id))[1:] == [("cleanup", JobStatus.CANCELED), ("delete", JobStatus.SUBMITTING)]
    world.finish(instance_id)
    assert world.instance(instance_id).state is State.DELETED
    assert world.used() == (0, 0, 0)


# the rest


def test_metadata_is_merged_replaced_and_removed(world: World) -> None:
    instance_id = world.create_one()
    caller = world.fresh()
    assert instances.set_metadata(world.cloud, caller, instance_id, {"a": "1"}, replace=False) == {"a": "1"}
    assert instances.set_metadata(world.cloud, caller, instance_id, {"b": "2"}, replace=False) == {"a": "1", "b": "2"}
    instances.delete_metadata(world.cloud, caller, instance_id, "a")
    assert world.instance(instance_id).meta == {"b": "2"}
    with pytest.raises(NotFound):
        instances.delete_metadata(world.cloud, caller, instance_id, "a")
    assert instances.set_metadata(world.cloud, caller, instance_id, {}, replace=True) == {}


def test_an_update_changes_what_it_names(world: World) -> None:
    instance_id = world.create_one()
    instances.update(world.cloud, world.fresh(), instance_id, Change(name="Αθήνα"))
    row = world.instance(instance_id)
    assert (row.name, row.description) == ("Αθήνα", None)


def test_the_owner_reads_the_actions_of_a_deleted_server_without_our_own_cleanups(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, failed=ganeti.error())
    world.delete(instance_id)
    world.finish(instance_id)
    done = instances.actions(world.cloud, world.fresh(), instance_id)
    assert [job.action for job in done] == ["delete", "create"]


def test_pages_follow_each_other_without_gap_or_overlap(world: World) -> None:
    made = [world.create_one(f"web{number}") for number in range(7)]
    caller, wanted = world.fresh(), Filter(project_id=world.project.id)
    seen: list[str] = []
    marker = None
    while page := instances.page(world.cloud, caller, wanted, limit=3, marker=marker):
        seen += [row.id for row in page]
        marker = seen[-1]
    assert seen == made[::-1]
    with pytest.raises(Invalid, match="marker"):
        instances.page(world.cloud, caller, wanted, limit=3, marker="nothing")


@pytest.mark.parametrize(("wanted", "looks"), [(State.ACTIVE, 1), (State.ERROR, 0)])
def test_a_server_whose_state_was_set_is_looked_at_unless_it_is_called_broken(
    world: World, wanted: State, looks: int
) -> None:
    instance_id = world.active()

    instances.reset_state(world.cloud, world.fresh(roles=(Role.ADMIN,)), instance_id, wanted)

    assert world.look() == looks
    assert world.instance(instance_id).state is wanted
