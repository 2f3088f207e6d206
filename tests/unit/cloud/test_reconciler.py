"""Comparing a whole backend with the database: what is found, what is repaired, what is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cloud import quotas, reconciler, strangers
from cloud.looks import Sight
from cloud.reconciler import Finding, Kind, Known
from cloud.states import Action
from common import names
from common.errors import Conflict, Invalid, NotFound
from common.jobs import JobStatus
from db.instances import State
from db.quotas import Resource
from db.users import Role
from tests.support import ganeti
from tests.support.clouds import START, World

PREFIX = "syros-"
NAME = "syros-0a0a0a0a-0000-4000-8000-000000000001"

ROW = Known(
    id=NAME.removeprefix(PREFIX),
    name=NAME,
    state=State.ACTIVE,
    present=True,
    node="node1",
    console_port=11000,
    vcpus=2,
    ram=1024,
    missing_since=None,
    moving=False,
    remains=False,
    updated_at=START,
)
SIGHT = Sight(
    name=NAME, state=State.ACTIVE, node="node1", console_port=11000, nics=(), vcpus=2, ram=1024, status="running"
)
DOWN = replace(SIGHT, state=State.STOPPED, status="ADMIN_down")
UNSEEN = replace(SIGHT, state=State.UNKNOWN, status="ERROR_nodedown")


@pytest.mark.parametrize(
    ("row", "sight", "kind"),
    [
        (ROW, SIGHT, None),
        (ROW, DOWN, Kind.STATE),
        (ROW, UNSEEN, Kind.STATE),
        (replace(ROW, state=State.STOPPED), SIGHT, Kind.STATE),
        (replace(ROW, state=State.BUILDING), SIGHT, Kind.STATE),
        (replace(ROW, state=State.UNKNOWN), UNSEEN, None),
        (ROW, replace(SIGHT, state=None, status="new"), None),
        (ROW, None, Kind.MISSING),
        (replace(ROW, missing_since=START), None, Kind.LOST),
        (replace(ROW, missing_since=START), SIGHT, Kind.FOUND),
        (replace(ROW, state=State.ERROR, present=False), SIGHT, Kind.FOUND),
        (replace(ROW, state=State.ERROR, present=False), None, None),
        (replace(ROW, state=State.BUILDING, present=None), SIGHT, Kind.FOUND),
        (replace(ROW, state=State.ERROR, present=None, remains=True), DOWN, None),
        (replace(ROW, state=State.ERROR, present=None, remains=True), None, Kind.MISSING),
        (ROW, replace(SIGHT, vcpus=4), Kind.SIZE),
        (ROW, replace(SIGHT, ram=2048), Kind.SIZE),
        (ROW, replace(SIGHT, node="node2"), Kind.PLACE),
        (ROW, replace(SIGHT, console_port=11001), Kind.PLACE),
        (replace(ROW, moving=True), DOWN, None),
        (replace(ROW, moving=True), None, None),
    ],
)
def test_every_difference_has_its_kind(row: Known, sight: Sight | None, kind: Kind | None) -> None:
    sights = {NAME: sight} if sight is not None else {}
    found = list(reconciler.compare("b", PREFIX, [row], sights=sights, ghosts=frozenset()))
    assert [finding.kind for finding, _ in found] == ([kind] if kind else [])


def test_what_the_database_does_not_know_is_a_stranger_if_it_has_our_prefix() -> None:
    sights = {NAME: SIGHT, "mailserver": replace(SIGHT, name="mailserver"), "syros-test": SIGHT}
    found = list(reconciler.compare("b", PREFIX, [], sights=sights, ghosts=frozenset()))
    assert [(finding.kind, finding.subject) for finding, _ in found] == [(Kind.STRANGER, NAME)]


def test_what_the_database_has_as_deleted_is_undead() -> None:
    found = list(reconciler.compare("b", PREFIX, [], sights={NAME: SIGHT}, ghosts=frozenset({NAME})))
    assert [finding.kind for finding, _ in found] == [Kind.UNDEAD]


def reconcile(world: World, *, repair: bool = True) -> list[Finding]:
    world.clock.tick()
    return reconciler.reconcile(
        world.cloud, world.clients, world.known_backend(), repair=repair, grace=timedelta(seconds=60)
    )


def kinds(findings: list[Finding]) -> list[tuple[Kind, bool]]:
    return [(finding.kind, finding.repaired) for finding in findings]


def test_a_state_that_nothing_explains_is_repaired(world: World) -> None:
    instance_id = world.active()
    world.rapi.instances[f"syros-{instance_id}"].status = "ADMIN_down"
    assert kinds(reconcile(world, repair=False)) == [(Kind.STATE, False)]
    assert world.instance(instance_id).state is State.ACTIVE
    assert kinds(reconcile(world)) == [(Kind.STATE, True)]
    assert world.instance(instance_id).state is State.STOPPED
    assert reconcile(world) == []


def test_a_server_is_lost_only_when_it_was_missed_twice_and_the_grace_is_over(world: World) -> None:
    instance_id = world.active()
    gone = dict(world.rapi.instances)
    world.rapi.instances.clear()
    assert kinds(reconcile(world)) == [(Kind.MISSING, False)]
    assert kinds(reconcile(world)) == [(Kind.LOST, False)]
    assert world.instance(instance_id).state is State.ACTIVE
    assert world.used() == (1, 2, 1024)
    world.clock.tick(61)
    assert kinds(reconcile(world)) == [(Kind.LOST, True)]
    row = world.instance(instance_id)
    assert (row.state, row.present, row.fault_message) == (
        State.ERROR,
        False,
        "the cluster does not have this server any more",
    )
    assert world.used() == (0, 0, 0)
    assert reconcile(world) == []
    world.rapi.instances.update(gone)
    assert kinds(reconcile(world)) == [(Kind.FOUND, True)]
    row = world.instance(instance_id)
    assert (row.state, row.fault_message) == (State.ACTIVE, None)
    assert world.used() == (1, 2, 1024)


def test_one_that_was_missed_once_and_is_back_is_no_longer_missing(world: World) -> None:
    instance_id = world.active()
    gone = dict(world.rapi.instances)
    world.rapi.instances.clear()
    reconcile(world)
    world.rapi.instances.update(gone)
    assert kinds(reconcile(world)) == [(Kind.FOUND, True)]
    assert world.instance(instance_id).missing_since is None


def test_a_row_that_changed_while_ganeti_was_asked_is_not_repaired(world: World) -> None:
    instance_id = world.active()
    world.rapi.instances[f"syros-{instance_id}"].status = "ADMIN_down"

    def started_meanwhile(_what: str) -> None:
        world.rapi.meanwhile = lambda _: None
        world.act(instance_id, Action.REBOOT)

    world.rapi.meanwhile = started_meanwhile
    assert kinds(reconcile(world)) == [(Kind.STATE, False)]
    assert world.instance(instance_id).state is State.ACTIVE


def test_a_server_created_while_ganeti_was_asked_is_no_stranger(world: World) -> None:
    def created_meanwhile(what: str) -> None:
        if what == "instances":
            world.rapi.meanwhile = lambda _: None
            world.active()

    world.rapi.meanwhile = created_meanwhile
    assert reconcile(world) == []
    assert strangers.all_strangers(world.cloud) == []


def test_nothing_is_said_of_a_server_with_something_under_way(world: World) -> None:
    instance_id = world.active()
    world.delete(instance_id)
    world.submit()
    world.rapi.instances.clear()
    assert reconcile(world) == []
    assert world.instance(instance_id).missing_since is None


def test_a_size_that_differs_is_reported_and_left(world: World) -> None:
    instance_id = world.active()
    world.rapi.instances[f"syros-{instance_id}"].vcpus = 8
    assert kinds(reconcile(world)) == [(Kind.SIZE, False)]
    assert world.instance(instance_id).vcpus == 2
    assert world.used() == (1, 2, 1024)


def test_a_server_that_moved_is_noted(world: World) -> None:
    instance_id = world.active()
    world.rapi.instances[f"syros-{instance_id}"].node = "node2"
    assert kinds(reconcile(world)) == [(Kind.PLACE, True)]
    assert world.instance(instance_id).node == "node2"


def test_the_undead_are_reported_and_never_touched(world: World) -> None:
    instance_id = world.active()
    world.delete(instance_id)
    world.finish(instance_id)
    world.rapi.instances[f"syros-{instance_id}"] = ganeti.FakeInstance(f"syros-{instance_id}", vcpus=2, ram=1024)
    assert kinds(reconcile(world)) == [(Kind.UNDEAD, False)]
    assert world.instance(instance_id).state is State.DELETED
    assert strangers.all_strangers(world.cloud) == []


def stranger(world: World) -> str:
    name = names.instance_name(PREFIX, names.new_id())
    world.rapi.instances[name] = ganeti.FakeInstance(name, vcpus=4, ram=4096)
    reconcile(world)
    return name


def test_a_stranger_is_remembered_and_forgotten_when_it_is_gone(world: World) -> None:
    name = stranger(world)
    (found,) = strangers.all_strangers(world.cloud)
    assert (found.name, found.vcpus, found.ram, found.node) == (name, 4, 4096, "node1")
    first_seen = found.first_seen_at
    reconcile(world)
    (found,) = strangers.all_strangers(world.cloud)
    assert found.first_seen_at == first_seen < found.last_seen_at
    assert name in world.rapi.instances
    world.rapi.instances.clear()
    reconcile(world)
    assert strangers.all_strangers(world.cloud) == []


def adopt(world: World, name: str, **changes: str) -> str:
    wanted = {
        "backend_name": world.backend.name,
        "name": name,
        "project_id": world.project.id,
        "flavor_id": world.flavor.id,
        "label": "old friend",
    }
    return strangers.adopt(world.cloud, world.fresh(roles=(Role.ADMIN,)), **{**wanted, **changes}).id


def test_an_adopted_stranger_is_charged_for_what_it_is_whatever_the_quota_says(world: World) -> None:
    world.set_quota(instances=0)
    name = stranger(world)
    instance_id = adopt(world, name)
    row = world.instance(instance_id)
    assert (row.state, row.present, row.name, row.vcpus) == (State.UNKNOWN, True, "old friend", 4)
    assert world.used() == (1, 4, 4096)
    world.look()
    assert world.instance(instance_id).state is State.ACTIVE
    assert reconcile(world) == []
    assert strangers.all_strangers(world.cloud) == []
    world.delete(instance_id)
    world.finish(instance_id)
    assert world.used() == (0, 0, 0)


def test_what_is_no_stranger_is_not_adopted(world: World) -> None:
    name = stranger(world)
    with pytest.raises(NotFound):
        adopt(world, "syros-nobody")
    with pytest.raises(NotFound):
        adopt(world, name, backend_name="elsewhere")
    with pytest.raises(Invalid):
        adopt(world, name, project_id="nobody")
    with pytest.raises(Invalid):
        adopt(world, name, flavor_id="nothing")
    adopt(world, name)
    with pytest.raises((NotFound, Conflict)):
        adopt(world, name)


def test_a_create_that_was_given_up_and_works_after_all_becomes_a_server(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.refusals = [ganeti.refused()]
    world.submit()
    name = f"syros-{instance_id}"
    world.rapi.instances[name] = ganeti.FakeInstance(name, vcpus=2, ram=1024)
    assert kinds(reconcile(world)) == [(Kind.FOUND, True)]
    assert world.instance(instance_id).state is State.ACTIVE
    assert world.used() == (1, 2, 1024)


def test_a_lost_server_is_deleted_at_once(world: World) -> None:
    instance_id = world.active()
    world.rapi.instances.clear()
    reconcile(world)
    world.clock.tick(61)
    reconcile(world)
    calls = len(world.rapi.calls)
    world.delete(instance_id)
    assert world.instance(instance_id).state is State.DELETED
    assert world.jobs(instance_id)[0].status is JobStatus.SUCCESS
    world.submit()
    assert len(world.rapi.calls) == calls


def test_the_quota_audit_finds_and_repairs_drift(world: World) -> None:
    world.active()
    assert quotas.audit(world.cloud) == []
    with world.cloud.sessions.begin() as db:
        usages = quotas.quotas.lock_usages(db, world.project.id)  # type: ignore[attr-defined]
        usages[Resource.CORES].used = 9
    (drift,) = quotas.audit(world.cloud, repair=True)
    assert (drift.recorded, drift.actual) == (9, 2)
    assert quotas.audit(world.cloud) == []
    assert world.used() == (1, 2, 1024)
