"""Soft deletes: a server that rests, stopped and counted, until it is restored, removed by force, or too old."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud import flavors, instances, quotas, resizes, soft_deletes, sweeper
from cloud.settings import CloudSettings
from cloud.states import Action
from common.errors import Busy, Conflict, NotFound
from common.jobs import JobStatus, Opcode
from db.instances import State, Task
from db.sessions import Sessions
from tests.support import clouds, ganeti
from tests.support.clouds import World

GRACE = 3600.0


@pytest.fixture
def patient(sessions: Sessions) -> World:
    """A cloud where a deleted server rests for an hour."""
    made = clouds.world(sessions, settings=CloudSettings(reclaim_after=GRACE))
    return made


def delete(world: World, instance_id: str) -> None:
    world.clock.tick()
    soft_deletes.delete(world.cloud, world.fresh(), instance_id)


def restore(world: World, instance_id: str) -> None:
    world.clock.tick()
    soft_deletes.restore(world.cloud, world.fresh(), instance_id)


def resting(world: World) -> str:
    """A server that was deleted, and rests."""
    instance_id = world.active()
    delete(world, instance_id)
    world.finish(instance_id)
    return instance_id


def test_a_delete_stops_the_server_and_leaves_it_resting_and_counted(patient: World) -> None:
    instance_id = patient.active()
    used = patient.used()
    delete(patient, instance_id)
    assert patient.instance(instance_id).task is Task.SOFT_DELETING
    assert patient.finish(instance_id).opcode == Opcode.SHUTDOWN
    row = patient.instance(instance_id)
    assert (row.state, row.task, row.deleted_at) == (State.STOPPED, Task.SOFT_DELETED, None)
    assert row.soft_deleted_at is not None
    assert patient.used() == used


def test_a_second_delete_changes_nothing(patient: World) -> None:
    instance_id = resting(patient)
    before = patient.instance(instance_id)
    delete(patient, instance_id)
    after = patient.instance(instance_id)
    assert (after.task, after.soft_deleted_at) == (Task.SOFT_DELETED, before.soft_deleted_at)
    assert len(patient.jobs(instance_id)) == 2


def test_without_a_grace_a_delete_removes_at_once(world: World) -> None:
    instance_id = world.active()
    delete(world, instance_id)
    assert world.finish(instance_id).opcode == Opcode.REMOVE
    assert world.instance(instance_id).state is State.DELETED


def test_what_never_ran_is_removed_at_once(patient: World) -> None:
    instance_id = patient.create_one()
    delete(patient, instance_id)
    assert patient.instance(instance_id).state is State.DELETED
    assert patient.used() == (0, 0, 0)


def test_what_the_cluster_has_lost_is_removed_at_once(patient: World) -> None:
    instance_id = patient.active()

    def lose(row: instances.Instance) -> None:
        row.state, row.present = State.ERROR, False

    patient.change(instance_id, lose)
    delete(patient, instance_id)
    assert patient.instance(instance_id).state is State.DELETED


def test_a_restored_server_runs(patient: World) -> None:
    instance_id = resting(patient)
    restore(patient, instance_id)
    assert patient.instance(instance_id).task is Task.RESTORING
    assert patient.finish(instance_id).opcode == Opcode.STARTUP
    row = patient.instance(instance_id)
    assert (row.state, row.task, row.soft_deleted_at) == (State.ACTIVE, None, None)
    patient.act(instance_id, Action.STOP)


def test_only_what_rests_can_be_restored_and_only_by_its_owner(patient: World) -> None:
    instance_id = patient.active()
    with pytest.raises(Conflict, match="nothing to restore"):
        restore(patient, instance_id)
    delete(patient, instance_id)
    with pytest.raises(Conflict, match="nothing to restore"):
        restore(patient, instance_id)
    with pytest.raises(NotFound):
        soft_deletes.restore(patient.cloud, patient.stranger_caller(), instance_id)


@pytest.mark.parametrize("action", [Action.START, Action.STOP, Action.REBOOT, Action.REBOOT_HARD])
def test_nothing_else_can_be_done_to_what_rests(patient: World, action: Action) -> None:
    instance_id = resting(patient)
    with pytest.raises(Busy):
        patient.act(instance_id, action)


def test_a_restore_that_fails_leaves_it_resting_for_the_whole_time_again(patient: World) -> None:
    instance_id = resting(patient)
    patient.clock.tick(GRACE - 60)
    restore(patient, instance_id)
    patient.finish(instance_id, failed=ganeti.error())
    patient.clock.tick(120)
    assert soft_deletes.reclaim_old(patient.cloud) == 0
    row = patient.instance(instance_id)
    assert (row.task, row.look_wanted) == (Task.SOFT_DELETED, True)


def test_a_stop_that_fails_leaves_the_server_as_it_was(patient: World) -> None:
    instance_id = patient.active()
    delete(patient, instance_id)
    patient.finish(instance_id, failed=ganeti.error())
    row = patient.instance(instance_id)
    assert (row.state, row.task, row.soft_deleted_at) == (State.ACTIVE, None, None)
    assert row.look_wanted


def test_a_delete_that_ganeti_has_forgotten_is_sent_again(patient: World) -> None:
    instance_id = patient.active()
    delete(patient, instance_id)
    patient.submit()
    patient.rapi.jobs.clear()
    patient.clock.tick(600)
    sweeper.settle_silent_jobs(patient.cloud, patient.clients, patient.known_backend(), patience=timedelta(seconds=60))
    patient.finish(instance_id)
    assert patient.instance(instance_id).task is Task.SOFT_DELETED


def test_what_has_rested_for_long_enough_is_removed_and_nothing_else(patient: World) -> None:
    old, busy, young = resting(patient), resting(patient), patient.active()
    patient.clock.tick(GRACE + 1)
    restore(patient, busy)
    delete(patient, young)
    patient.finish(young)
    assert soft_deletes.reclaim_old(patient.cloud) == 1
    assert soft_deletes.reclaim_old(patient.cloud) == 0
    assert patient.instance(young).task is Task.SOFT_DELETED
    patient.run_out(busy)
    patient.run_out(old)
    assert patient.instance(old).state is State.DELETED
    assert patient.instance(busy).state is State.ACTIVE
    assert quotas.audit(patient.cloud) == []


def test_a_removal_by_force_does_not_wait(patient: World) -> None:
    instance_id = resting(patient)
    patient.delete(instance_id)
    assert patient.finish(instance_id).opcode == Opcode.REMOVE
    assert patient.instance(instance_id).state is State.DELETED
    assert patient.used() == (0, 0, 0)


def test_a_removal_that_fails_leaves_it_resting(patient: World) -> None:
    instance_id = resting(patient)
    patient.delete(instance_id)
    patient.finish(instance_id, failed=ganeti.error())
    assert patient.instance(instance_id).task is Task.SOFT_DELETED


def test_a_delete_during_a_restore_has_it_rest_again(patient: World) -> None:
    instance_id = resting(patient)
    restore(patient, instance_id)
    patient.submit()
    delete(patient, instance_id)
    patient.run_out(instance_id)
    row = patient.instance(instance_id)
    assert (row.state, row.task) == (State.STOPPED, Task.SOFT_DELETED)


def test_what_an_operator_starts_rests_all_the_same(patient: World) -> None:
    instance_id = resting(patient)
    job = patient.rapi.foreign(Opcode.STARTUP, patient.instance(instance_id).ganeti_name)
    patient.clock.tick()
    patient.deliver(patient.rapi.finish(job.id))
    row = patient.instance(instance_id)
    assert (row.state, row.task) == (State.ACTIVE, Task.SOFT_DELETED)


def test_a_resize_that_a_delete_interrupts_is_forgotten(patient: World) -> None:
    flavors.add(patient.cloud, flavors.FlavorSpec(id="large", name="large", vcpus=4, ram=4096, disk=10))
    instance_id = patient.active()
    used = patient.used()
    resizes.begin(patient.cloud, patient.fresh(), instance_id, "large")
    patient.submit()
    delete(patient, instance_id)
    patient.run_out(instance_id)
    row = patient.instance(instance_id)
    assert (row.task, row.resizing_to, row.vcpus) == (Task.SOFT_DELETED, None, 2)
    assert patient.used() == used
    assert [job.status for job in patient.jobs(instance_id)].count(JobStatus.CANCELED) == 2


def test_a_resize_that_waits_to_be_confirmed_still_does_after_a_restore(patient: World) -> None:
    flavors.add(patient.cloud, flavors.FlavorSpec(id="large", name="large", vcpus=4, ram=4096, disk=10))
    instance_id = patient.active()
    resizes.begin(patient.cloud, patient.fresh(), instance_id, "large")
    patient.run_out(instance_id)
    delete(patient, instance_id)
    patient.run_out(instance_id)
    restore(patient, instance_id)
    patient.run_out(instance_id)
    assert patient.instance(instance_id).task is Task.RESIZED
    resizes.revert(patient.cloud, patient.fresh(), instance_id)
