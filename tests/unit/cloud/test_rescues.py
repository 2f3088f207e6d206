"""Rescues: a server boots from the rescue system's CD, and from its own disk again; whatever fails, it is either."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud import backends, instances, rescues, resizes, soft_deletes, sweeper
from cloud.states import Action
from common.errors import Busy, Conflict, Invalid, NotFound, Unsupported
from common.jobs import Opcode
from db import backends as backend_rows
from db.instances import State, Task
from tests.support import ganeti
from tests.support.clouds import World

ISO = "/srv/syros/images/rescue.iso"
CD = {"boot_order": "cdrom", "cdrom_disk_type": "ide", "kernel_path": "", "cdrom_image_path": ISO}


@pytest.fixture
def running(world: World) -> str:
    """A server that can be rescued."""
    backends.change(world.cloud, world.backend.name, backends.BackendChange(rescue_image=ISO))
    return world.active()


def begin(world: World, instance_id: str) -> None:
    world.clock.tick()
    rescues.begin(world.cloud, world.fresh(), instance_id)


def end(world: World, instance_id: str) -> None:
    world.clock.tick()
    rescues.end(world.cloud, world.fresh(), instance_id)


@pytest.fixture
def rescued(world: World, running: str) -> str:
    begin(world, running)
    world.run_out(running)
    return running


def changes(world: World, instance_id: str) -> list[dict[str, str]]:
    name = world.instance(instance_id).ganeti_name
    return [dict(change) for change in world.rapi.hvparams.get(name, [])]


def test_a_running_server_is_stopped_set_to_the_cd_and_started(world: World, running: str) -> None:
    begin(world, running)
    assert world.instance(running).task is Task.RESCUING
    assert world.run_out(running) == [Opcode.SHUTDOWN, Opcode.SET_PARAMS, Opcode.STARTUP]
    row = world.instance(running)
    assert (row.state, row.task) == (State.ACTIVE, Task.RESCUED)
    assert changes(world, running) == [CD]


def test_a_stopped_server_is_rescued_too_and_runs(world: World, running: str) -> None:
    world.act(running, Action.STOP)
    world.finish(running)
    begin(world, running)
    assert world.run_out(running) == [Opcode.SET_PARAMS, Opcode.STARTUP]
    row = world.instance(running)
    assert (row.state, row.task) == (State.ACTIVE, Task.RESCUED)


def test_afterwards_it_boots_as_it_did_before(world: World, rescued: str) -> None:
    end(world, rescued)
    assert world.instance(rescued).task is Task.UNRESCUING
    assert world.run_out(rescued) == [Opcode.SHUTDOWN, Opcode.SET_PARAMS, Opcode.STARTUP]
    row = world.instance(rescued)
    assert (row.state, row.task, row.rescued_at) == (State.ACTIVE, None, None)
    assert changes(world, rescued)[1:] == [dict.fromkeys(CD, "default")]


def test_what_the_backend_sets_for_all_its_servers_is_set_again(world: World, rescued: str) -> None:
    with world.cloud.sessions.begin() as db:
        row = backend_rows.by_name(db, world.backend.name)
        assert row is not None
        row.hvparams = {"kernel_path": "/boot/guest", "vga": "std"}
    end(world, rescued)
    world.run_out(rescued)
    assert changes(world, rescued)[-1] == {**dict.fromkeys(CD, "default"), "kernel_path": "/boot/guest"}


def test_where_there_is_no_rescue_system_nothing_begins(world: World) -> None:
    instance_id = world.active()
    with pytest.raises(Unsupported, match="rescue"):
        begin(world, instance_id)
    assert world.instance(instance_id).task is None


def test_a_rescue_system_that_is_taken_away_does_not_keep_servers_in_it(world: World, rescued: str) -> None:
    backends.change(world.cloud, world.backend.name, backends.BackendChange(rescue_image=""))
    end(world, rescued)
    world.run_out(rescued)
    assert world.instance(rescued).task is None


def test_only_a_rescued_server_comes_back_and_it_is_rescued_once(world: World, running: str) -> None:
    with pytest.raises(Conflict, match="nothing to unrescue"):
        end(world, running)
    begin(world, running)
    with pytest.raises(Busy):
        begin(world, running)
    world.run_out(running)
    with pytest.raises(Busy):
        begin(world, running)
    with pytest.raises(NotFound):
        rescues.end(world.cloud, world.stranger_caller(), running)


@pytest.mark.parametrize("action", [Action.START, Action.STOP, Action.REBOOT, Action.REBOOT_HARD])
def test_nothing_else_is_done_to_it_meanwhile(world: World, rescued: str, action: Action) -> None:
    with pytest.raises(Busy):
        world.act(rescued, action)
    with pytest.raises(Busy):
        resizes.begin(world.cloud, world.fresh(), rescued, world.flavor.id)


def test_when_it_can_not_be_stopped_it_goes_on_as_it_was(world: World, running: str) -> None:
    begin(world, running)
    world.finish(running, failed=ganeti.error())
    assert world.run_out(running) == [Opcode.STARTUP]
    row = world.instance(running)
    assert (row.state, row.task, row.rescued_at) == (State.ACTIVE, None, None)
    assert changes(world, running) == []


def test_when_ganeti_refuses_the_image_it_runs_again_as_it_was(world: World, running: str) -> None:
    begin(world, running)
    world.finish(running)
    world.finish(running, failed=ganeti.error("OpExecError", "not found or not a file or URL"))
    assert world.run_out(running) == [Opcode.STARTUP]
    row = world.instance(running)
    assert (row.state, row.task, row.rescued_at) == (State.ACTIVE, None, None)


def test_a_stopped_server_whose_image_is_refused_stays_stopped(world: World, running: str) -> None:
    world.act(running, Action.STOP)
    world.finish(running)
    begin(world, running)
    world.finish(running, failed=ganeti.error())
    row = world.instance(running)
    assert (row.state, row.task) == (State.STOPPED, None)
    assert world.run_out(running) == []


def test_one_that_does_not_start_from_the_cd_is_rescued_all_the_same(world: World, running: str) -> None:
    begin(world, running)
    world.finish(running)
    world.finish(running)
    world.finish(running, failed=ganeti.error())
    row = world.instance(running)
    assert (row.task, row.look_wanted) == (Task.RESCUED, True)
    world.rapi.instances[row.ganeti_name].status = "ADMIN_down"
    world.look()
    assert world.instance(running).state is State.STOPPED
    end(world, running)
    world.run_out(running)
    assert world.instance(running).state is State.ACTIVE


def test_when_ganeti_has_forgotten_whether_it_was_set_there_is_a_way_back(world: World, running: str) -> None:
    begin(world, running)
    world.finish(running)
    world.submit()
    world.rapi.jobs.clear()
    world.clock.tick(600)
    patience = timedelta(seconds=60)
    sweeper.settle_silent_jobs(world.cloud, world.clients, world.known_backend(), patience=patience)
    assert world.run_out(running) == [Opcode.STARTUP]
    row = world.instance(running)
    assert (row.state, row.task) == (State.ACTIVE, Task.RESCUED)


def test_when_the_way_back_fails_it_stays_rescued_and_runs(world: World, rescued: str) -> None:
    end(world, rescued)
    world.finish(rescued)
    world.finish(rescued, failed=ganeti.error())
    world.run_out(rescued)
    row = world.instance(rescued)
    assert (row.state, row.task) == (State.ACTIVE, Task.RESCUED)
    end(world, rescued)


@pytest.mark.parametrize("opcode", [Opcode.SHUTDOWN, Opcode.STARTUP, Opcode.REBOOT, Opcode.SET_PARAMS])
def test_what_an_operator_does_meanwhile_ends_no_rescue(world: World, rescued: str, opcode: Opcode) -> None:
    job = world.rapi.foreign(opcode, world.instance(rescued).ganeti_name)
    world.clock.tick()
    world.deliver(world.rapi.finish(job.id))
    assert world.instance(rescued).task is Task.RESCUED


def test_a_rescued_server_can_be_deleted(world: World, rescued: str) -> None:
    world.delete(rescued)
    world.run_out(rescued)
    assert world.instance(rescued).state is State.DELETED


def test_a_delete_during_a_rescue_takes_what_is_under_way_along(world: World, running: str) -> None:
    begin(world, running)
    world.submit()
    world.delete(running)
    assert world.run_out(running) == [Opcode.SHUTDOWN, Opcode.REMOVE]


def test_a_restored_server_is_as_rescued_as_before_its_delete(world: World, rescued: str) -> None:
    def rest(row: instances.Instance) -> None:
        row.task, row.soft_deleted_at = Task.SOFT_DELETED, world.clock()

    world.change(rescued, rest)
    soft_deletes.restore(world.cloud, world.fresh(), rescued)
    world.run_out(rescued)
    assert world.instance(rescued).task is Task.RESCUED


@pytest.mark.parametrize("image", ["rescue.iso", "/srv/../etc/x.iso", "/srv/", "//x.iso", "file:///x.iso", "/ä.iso"])
def test_an_image_that_ganeti_would_refuse_is_refused_at_once(world: World, image: str) -> None:
    with pytest.raises(Invalid, match="rescue_image"):
        backends.change(world.cloud, world.backend.name, backends.BackendChange(rescue_image=image))


@pytest.mark.parametrize("image", [ISO, "http://boot.example/rescue.iso", "https://boot.example/r.iso", ""])
def test_an_image_is_a_path_or_a_url_or_none(world: World, image: str) -> None:
    change = backends.BackendChange(rescue_image=image)
    assert backends.change(world.cloud, world.backend.name, change).rescue_image == (image or None)
