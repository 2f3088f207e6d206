"""Resizes: a chain of jobs, two sizes that count until one is chosen, and a way back that is exact."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud import flavors, quotas, resizes
from cloud.states import Action
from common.errors import Busy, Conflict, Invalid, QuotaExceeded
from common.jobs import JobStatus, Opcode
from db.instances import State, Task
from tests.support import ganeti
from tests.support.clouds import World

LARGE = flavors.FlavorSpec(id="large", name="large", vcpus=4, ram=4096, disk=40)


@pytest.fixture
def resizable(world: World) -> str:
    flavors.add(world.cloud, LARGE)
    return world.active()


def opcodes(world: World, instance_id: str) -> list[str]:
    return [job.opcode for job in reversed(world.jobs(instance_id)) if job.action != Action.CREATE]


def begin(world: World, instance_id: str) -> None:
    world.clock.tick()
    resizes.begin(world.cloud, world.fresh(), instance_id, LARGE.id)


def test_a_running_server_is_stopped_resized_and_started_and_waits_to_be_confirmed(
    world: World, resizable: str
) -> None:
    begin(world, resizable)
    assert opcodes(world, resizable) == [Opcode.SHUTDOWN, Opcode.SET_PARAMS, Opcode.STARTUP]
    assert world.instance(resizable).task is Task.RESIZING
    world.run_out(resizable)
    row = world.instance(resizable)
    assert (row.state, row.task, row.flavor_id, row.vcpus, row.ram) == (State.ACTIVE, Task.RESIZED, "large", 4, 4096)
    assert world.rapi.sizes[row.ganeti_name] == (4, 4096)


def test_a_stopped_server_stays_stopped(world: World, resizable: str) -> None:
    world.act(resizable, Action.STOP)
    world.finish(resizable)
    begin(world, resizable)
    world.run_out(resizable)
    row = world.instance(resizable)
    assert (row.state, row.task) == (State.STOPPED, Task.RESIZED)


def test_until_it_is_confirmed_the_larger_size_counts_and_afterwards_the_new_one(world: World, resizable: str) -> None:
    before = world.instance(resizable)
    old = (before.vcpus, before.ram)
    begin(world, resizable)
    assert world.used() == (1, 4, 4096)
    world.run_out(resizable)
    assert quotas.audit(world.cloud) == []
    resizes.confirm(world.cloud, world.fresh(), resizable)
    assert world.used() == (1, 4, 4096)
    assert old != (4, 4096)
    assert quotas.audit(world.cloud) == []


def test_a_larger_disk_is_grown_when_the_resize_is_confirmed(world: World, resizable: str) -> None:
    had = world.instance(resizable).disk
    begin(world, resizable)
    world.run_out(resizable)
    assert world.instance(resizable).disk == had
    resizes.confirm(world.cloud, world.fresh(), resizable)
    world.run_out(resizable)
    row = world.instance(resizable)
    assert (row.disk, row.task) == (40, None)
    assert world.rapi.grown == [(row.ganeti_name, 0, (40 - had) * 1024)]


def test_a_revert_gives_back_the_old_size_and_what_it_cost(world: World, resizable: str) -> None:
    before, used = world.instance(resizable), world.used()
    begin(world, resizable)
    world.run_out(resizable)
    resizes.revert(world.cloud, world.fresh(), resizable)
    assert world.instance(resizable).task is Task.REVERTING
    world.run_out(resizable)
    row = world.instance(resizable)
    assert (row.flavor_id, row.vcpus, row.ram, row.task) == (before.flavor_id, before.vcpus, before.ram, None)
    assert row.state is State.ACTIVE
    assert world.used() == used
    assert quotas.audit(world.cloud) == []


def test_when_the_size_can_not_be_changed_the_server_runs_again_as_it_was(world: World, resizable: str) -> None:
    before, used = world.instance(resizable), world.used()
    begin(world, resizable)
    world.finish(resizable)
    world.finish(resizable, failed=ganeti.error())
    world.run_out(resizable)
    row = world.instance(resizable)
    assert (row.state, row.task, row.flavor_id) == (State.ACTIVE, None, before.flavor_id)
    assert world.used() == used
    assert quotas.audit(world.cloud) == []


def test_when_it_can_not_even_be_stopped_the_change_of_size_is_withdrawn(world: World, resizable: str) -> None:
    used = world.used()
    begin(world, resizable)
    world.finish(resizable, failed=ganeti.error())
    statuses = {job.opcode: job.status for job in world.jobs(resizable)}
    assert statuses[Opcode.SET_PARAMS] is JobStatus.CANCELED
    world.run_out(resizable)
    assert world.instance(resizable).task is None
    assert world.used() == used


def test_more_than_the_quota_allows_changes_nothing(world: World, resizable: str) -> None:
    world.set_quota(cores=3)
    with pytest.raises(QuotaExceeded, match="cores"):
        begin(world, resizable)
    assert world.instance(resizable).task is None
    assert opcodes(world, resizable) == []


def test_a_delete_in_the_middle_gives_everything_back(world: World, resizable: str) -> None:
    begin(world, resizable)
    world.finish(resizable)
    world.delete(resizable)
    world.run_out(resizable)
    assert world.instance(resizable).state is State.DELETED
    assert world.used() == (0, 0, 0)
    assert quotas.audit(world.cloud) == []


def test_what_makes_no_sense_is_refused(world: World, resizable: str) -> None:
    row = world.instance(resizable)
    with pytest.raises(Invalid, match="already"):
        resizes.begin(world.cloud, world.fresh(), resizable, row.flavor_id)
    flavors.add(world.cloud, flavors.FlavorSpec(id="flat", name="flat", vcpus=1, ram=512, disk=0))
    with pytest.raises(Invalid, match="GiB of disk"):
        resizes.begin(world.cloud, world.fresh(), resizable, "flat")
    with pytest.raises(Conflict, match="nothing to confirm"):
        resizes.confirm(world.cloud, world.fresh(), resizable)
    begin(world, resizable)
    with pytest.raises(Busy):
        begin(world, resizable)


def test_what_nobody_confirms_is_confirmed_in_time(world: World, resizable: str) -> None:
    begin(world, resizable)
    world.run_out(resizable)
    assert resizes.confirm_old(world.cloud) == 0
    world.clock.tick(timedelta(hours=25).total_seconds())
    assert resizes.confirm_old(world.cloud) == 1
    assert world.instance(resizable).resized_from is None
