"""Moving servers between nodes."""

from dataclasses import replace

import pytest

from cloud import flavors, migrations, nodes, resizes
from cloud.context import Caller
from cloud.states import Action
from common.errors import Conflict, Forbidden, Invalid
from common.jobs import JobStatus
from db import backends
from db.instances import State
from db.jobs import MoveFilter
from db.users import Role
from tests.support.clouds import World


@pytest.fixture
def operator(world: World) -> Caller:
    """An admin, of a cloud whose disks are shared by two nodes."""
    with world.cloud.sessions.begin() as db:
        backend = backends.get(db, world.backend.id)
        assert backend is not None
        backend.disk_template = "sharedfile"
        nodes.keep(db, backend.id, [{"name": "node1", "mtotal": 1}, {"name": "node2", "mtotal": 1}])
    return replace(world.fresh(), roles=(Role.ADMIN,))


def lose(world: World, node: str) -> None:
    with world.cloud.sessions.begin() as db:
        nodes.keep(db, world.backend.id, [{"name": node, "offline": True}, {"name": "node2", "mtotal": 1}])


@pytest.mark.parametrize("action", [Action.LIVE_MIGRATE, Action.MIGRATE])
def test_a_server_moves_and_keeps_running(world: World, operator: Caller, action: Action) -> None:
    server = world.active()
    migrations.begin(world.cloud, operator, server, action=action, target="node2")
    assert world.instance(server).task == "migrating"
    world.finish(server)
    row = world.instance(server)
    assert (row.state, row.task, row.look_wanted) == (State.ACTIVE, None, True)
    assert world.rapi.moved == [(row.ganeti_name, "node2", None, False)]


def test_without_a_target_ganeti_chooses(world: World, operator: Caller) -> None:
    server = world.active()
    migrations.begin(world.cloud, operator, server, action=Action.LIVE_MIGRATE)
    world.submit()
    assert world.rapi.moved == [(world.instance(server).ganeti_name, None, "hail", False)]


def test_a_server_is_evacuated_only_from_a_node_that_is_lost(world: World, operator: Caller) -> None:
    server = world.active()
    with pytest.raises(Conflict, match="not marked offline"):
        migrations.begin(world.cloud, operator, server, action=Action.EVACUATE)
    lose(world, "node1")
    migrations.begin(world.cloud, operator, server, action=Action.EVACUATE)
    world.submit()
    assert world.rapi.moved == [(world.instance(server).ganeti_name, None, "hail", True)]


def test_a_move_that_fails_leaves_the_server_as_it_was(world: World, operator: Caller) -> None:
    server = world.active()
    migrations.begin(world.cloud, operator, server, action=Action.LIVE_MIGRATE)
    world.finish(server, failed=["OpExecError", ["no"]])
    row = world.instance(server)
    assert (row.state, row.task, row.look_wanted) == (State.ACTIVE, None, True)


@pytest.mark.parametrize("target", ["node1", "node9"])
def test_a_target_has_to_be_another_node_of_the_backend(world: World, operator: Caller, target: str) -> None:
    with pytest.raises(Invalid):
        migrations.begin(world.cloud, operator, world.active(), action=Action.MIGRATE, target=target)


def test_a_disk_of_one_node_does_not_move(world: World) -> None:
    admin = replace(world.fresh(), roles=(Role.ADMIN,))
    with pytest.raises(Invalid, match="one node only"):
        migrations.begin(world.cloud, admin, world.active(), action=Action.MIGRATE)


def test_tenants_move_nothing(world: World) -> None:
    with pytest.raises(Forbidden):
        migrations.begin(world.cloud, world.fresh(), world.active(), action=Action.MIGRATE)


def test_moves_and_resizes_are_listed_once_each_newest_first_and_nothing_else(world: World, operator: Caller) -> None:
    flavors.add(world.cloud, flavors.FlavorSpec(id="7", name="large", vcpus=4, ram=4096, disk=10))
    server = world.active()
    migrations.begin(world.cloud, operator, server, action=Action.MIGRATE, target="node2")
    world.finish(server)
    world.look()
    resizes.begin(world.cloud, world.fresh(), server, "7")
    listed = migrations.page(world.cloud, operator, MoveFilter(), limit=10)
    assert [job.action for job in listed] == [Action.RESIZE, Action.MIGRATE]
    assert listed[0].spec["old_flavor_id"] == world.flavor.id
    assert listed[0].spec["new_flavor_id"] == "7"
    assert [job.action for job in migrations.page(world.cloud, operator, MoveFilter(), limit=1)] == [Action.RESIZE]
    rest = migrations.page(world.cloud, operator, MoveFilter(), limit=10, after=listed[0].id)
    assert [job.action for job in rest] == [Action.MIGRATE]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (MoveFilter(node="node1"), 2),
        (MoveFilter(node="node2"), 1),
        (MoveFilter(node="node3"), 0),
        (MoveFilter(source="node1"), 2),
        (MoveFilter(source="node2"), 0),
        (MoveFilter(instance_id="nobody"), 0),
        (MoveFilter(conditions=[(Action.MIGRATE, [JobStatus.SUCCESS])]), 1),
        (MoveFilter(conditions=[(Action.MIGRATE, [JobStatus.ERROR])]), 0),
        (MoveFilter(conditions=[]), 0),
    ],
)
def test_they_are_filtered_by_node_server_kind_and_outcome(
    world: World, operator: Caller, wanted: MoveFilter, found: int
) -> None:
    for action, target in ((Action.MIGRATE, "node2"), (Action.LIVE_MIGRATE, None)):
        server = world.active()
        migrations.begin(world.cloud, operator, server, action=action, target=target)
        world.finish(server)
    assert len(migrations.page(world.cloud, operator, wanted, limit=10)) == found


def test_only_an_admin_lists_them(world: World) -> None:
    with pytest.raises(Forbidden):
        migrations.page(world.cloud, world.fresh(), MoveFilter(), limit=10)
