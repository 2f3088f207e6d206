"""Rebuilds, whose jobs carry no request id."""

from __future__ import annotations

import pytest

from cloud import images, instances, rebuilds
from cloud.images import ImageSpec
from cloud.rebuilds import RebuildSpec
from cloud.states import Action
from common.errors import Conflict, Invalid
from common.jobs import JobStatus, Opcode
from db.instances import State, Task
from db.users import Role
from tests.support.clouds import World


@pytest.fixture
def other_image(world: World) -> str:
    return images.add(world.cloud, ImageSpec(name="other", file="other.img")).id


def begin(world: World, instance_id: str, image_id: str) -> None:
    world.clock.tick()
    rebuilds.begin(world.cloud, world.fresh(), instance_id, RebuildSpec(image_id=image_id, name="new name"))


def test_a_running_server_begins_again_as_another_image(world: World, other_image: str) -> None:
    instance_id = world.active()
    begin(world, instance_id, other_image)
    assert world.instance(instance_id).task is Task.REBUILDING
    world.finish(instance_id)
    row = world.instance(instance_id)
    assert (row.image_id, row.name, row.task) == (other_image, "new name", None)
    assert world.rapi.installed == [(row.ganeti_name, "other.img", False)]


def test_a_stopped_server_stays_stopped(world: World, other_image: str) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.finish(instance_id)
    begin(world, instance_id, other_image)
    world.finish(instance_id)
    assert world.instance(instance_id).state is State.STOPPED
    assert world.rapi.installed[0][2] is True


def test_a_server_that_is_called_broken_is_rebuilt_and_runs(world: World, other_image: str) -> None:
    instance_id = world.active()
    instances.reset_state(world.cloud, world.fresh(roles=(Role.ADMIN,)), instance_id, State.ERROR)
    begin(world, instance_id, other_image)
    world.finish(instance_id)
    world.look()
    row = world.instance(instance_id)
    assert (row.state, row.image_id) == (State.ACTIVE, other_image)
    assert world.rapi.installed == [(row.ganeti_name, "other.img", False)]


def test_a_server_that_could_not_be_created_is_not_rebuilt(world: World, other_image: str) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, failed=["OpPrereqError", ["no room", "insufficient_resources"]])
    with pytest.raises(Conflict, match="never there"):
        begin(world, instance_id, other_image)


def test_an_event_that_comes_before_rapis_answer_finds_its_job(world: World, other_image: str) -> None:
    instance_id = world.active()
    begin(world, instance_id, other_image)
    world.rapi.lose_replies = 1
    world.submit()
    job_id = world.rapi.open_jobs()[0]
    world.deliver(world.rapi.finish(job_id))
    assert world.jobs(instance_id)[0].status is JobStatus.SUCCESS
    assert world.instance(instance_id).image_id == other_image


def test_a_reinstall_whose_answer_was_lost_is_found_and_not_sent_again(world: World, other_image: str) -> None:
    instance_id = world.active()
    begin(world, instance_id, other_image)
    world.rapi.lose_replies = 1
    world.submit()
    world.clock.tick(world.cloud.settings.submit_lease + 1)
    world.submit()
    assert len(world.rapi.installed) == 1
    assert world.jobs(instance_id)[0].ganeti_id == world.rapi.open_jobs()[0]


def test_another_rebuilds_job_is_not_taken_for_this_one(world: World, other_image: str) -> None:
    instance_id = world.active()
    begin(world, instance_id, other_image)
    world.finish(instance_id)
    world.rapi.unreachable = True
    begin(world, instance_id, world.image.id)
    world.submit()
    world.rapi.unreachable = False
    world.clock.tick(world.cloud.settings.submit_lease + 1)
    world.finish(instance_id)
    assert len(world.rapi.installed) == 2
    assert world.instance(instance_id).image_id == world.image.id


def test_what_makes_no_sense_is_refused(world: World) -> None:
    instance_id = world.active()
    empty = images.add(world.cloud, ImageSpec(name="empty", file=None))
    for image_id in ("nowhere", empty.id):
        with pytest.raises(Invalid, match="imageRef"):
            begin(world, instance_id, image_id)
    assert [job.opcode for job in world.jobs(instance_id)] == [Opcode.CREATE]


def test_a_locked_server_is_left_alone_but_by_admins(world: World) -> None:
    instance_id = world.active()
    instances.set_locked(world.cloud, world.fresh(), instance_id, locked=True)
    with pytest.raises(Conflict, match="locked"):
        world.act(instance_id, Action.STOP)
    with pytest.raises(Conflict, match="locked"):
        world.delete(instance_id)
    instances.set_locked(world.cloud, world.fresh(), instance_id, locked=False)
    world.delete(instance_id)
    assert world.instance(instance_id).task is Task.DELETING
