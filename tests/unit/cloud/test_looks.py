"""Looking at single instances: believed only if nothing has happened meanwhile."""

from __future__ import annotations

import pytest

from cloud import looks
from cloud.states import Action
from common.jobs import Opcode
from db.instances import Instance, State
from rapi.errors import RapiUnreachable
from rapi.specs import NicSpec
from tests.support import ganeti
from tests.support.clouds import World


def want_look(row: Instance) -> None:
    row.look_wanted = True


def test_a_look_keeps_the_node_the_console_port_and_the_nics(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id)
    seen = world.rapi.instances[world.instance(instance_id).ganeti_name]
    seen.nics = [NicSpec(mac="aa:00:00:00:00:01")]
    assert world.look() == 1
    row = world.instance(instance_id)
    assert (row.node, row.console_port, [nic["mac"] for nic in row.nics]) == ("node1", 11000, ["aa:00:00:00:00:01"])
    assert not row.look_wanted
    assert world.look() == 0


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("running", State.ACTIVE),
        ("ADMIN_down", State.STOPPED),
        ("ERROR_down", State.STOPPED),
        ("USER_down", State.STOPPED),
        ("ADMIN_offline", State.STOPPED),
        ("ERROR_up", State.ACTIVE),
        ("ERROR_wrongnode", State.ACTIVE),
        ("ERROR_nodedown", State.UNKNOWN),
        ("ERROR_nodeoffline", State.UNKNOWN),
        ("something new", State.ACTIVE),
    ],
)
def test_what_ganeti_shows_becomes_the_state(world: World, status: str, state: State) -> None:
    instance_id = world.active()
    world.rapi.instances[f"syros-{instance_id}"].status = status
    world.change(instance_id, want_look)
    world.look()
    assert world.instance(instance_id).state is state


def test_a_look_during_which_something_happened_is_taken_again(world: World) -> None:
    instance_id = world.active()
    name = world.instance(instance_id).ganeti_name
    world.change(instance_id, want_look)
    event = world.rapi.finish(world.rapi.foreign(Opcode.SHUTDOWN, name).id)
    world.rapi.instances[name].status = "running"

    def stopped_meanwhile(_what: str) -> None:
        world.rapi.meanwhile = lambda _: None
        world.deliver(event)

    world.rapi.meanwhile = stopped_meanwhile
    world.look()
    row = world.instance(instance_id)
    assert (row.state, row.look_wanted) == (State.STOPPED, True)


def test_another_process_clock_that_is_behind_hides_no_change(world: World) -> None:
    """Changes are told apart by the row itself, never by comparing two machines' clocks."""
    instance_id = world.active()
    world.change(instance_id, want_look)

    def changed_meanwhile(_what: str) -> None:
        world.rapi.meanwhile = lambda _: None
        world.change(instance_id, lambda row: setattr(row, "state", State.UNKNOWN))
        world.clock.tick(-3600)
        world.change(instance_id, lambda row: None)

    world.rapi.meanwhile = changed_meanwhile
    world.look()
    assert world.instance(instance_id).state is State.UNKNOWN


def test_a_look_waits_for_a_pending_action(world: World) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.change(instance_id, want_look)
    assert world.look() == 0
    world.finish(instance_id, canceled=True)
    world.rapi.instances[f"syros-{instance_id}"].status = "ADMIN_down"
    assert world.look() == 1
    assert world.instance(instance_id).state is State.STOPPED


def test_many_looks_are_one_question(world: World) -> None:
    world.set_quota(instances=-1, cores=-1, ram=-1)
    made = world.create(count=25)
    for _ in range(4):
        world.submit()
        for job_id in world.rapi.open_jobs():
            world.clock.tick()
            world.deliver(world.rapi.finish(job_id))
    world.rapi.asked.clear()
    assert world.look() == 25
    assert world.rapi.asked == ["instances"]
    assert all(world.instance(row.id).console_port == 11000 for row in made)


def test_the_remains_of_a_failed_create_are_never_taken_for_a_server(world: World) -> None:
    instance_id = world.create_one()
    job = world.finish(instance_id, failed=ganeti.error())
    name = f"syros-{instance_id}"
    world.rapi.instances[name] = ganeti.FakeInstance(name, vcpus=2, ram=1024, status="ADMIN_down")
    world.finish(instance_id, failed=ganeti.error())
    assert world.look() == 1
    row = world.instance(instance_id)
    assert (row.state, row.present, row.fault_message) == (
        State.ERROR,
        None,
        f"{job.opcode} failed: OpExecError",
    )


def test_a_failed_create_that_left_nothing_gives_the_quota_back(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, failed=ganeti.error())
    world.finish(instance_id, failed=ganeti.error())
    world.look()
    assert world.instance(instance_id).present is False
    assert world.used() == (0, 0, 0)


def test_an_absence_is_only_noted_for_the_reconciler_to_judge(world: World) -> None:
    instance_id = world.active()
    world.rapi.instances.clear()
    world.change(instance_id, want_look)
    world.look()
    row = world.instance(instance_id)
    assert row.state is State.ACTIVE
    assert row.missing_since is not None


def test_a_deleted_server_is_not_raised_by_a_look(world: World) -> None:
    instance_id = world.active()
    world.delete(instance_id)
    world.finish(instance_id)
    name = f"syros-{instance_id}"
    world.rapi.instances[name] = ganeti.FakeInstance(name, vcpus=2, ram=1024)
    world.change(instance_id, want_look)
    world.look()
    row = world.instance(instance_id)
    assert (row.state, row.node, row.charged) == (State.DELETED, None, False)
    assert world.used() == (0, 0, 0)


def test_a_backend_that_does_not_answer_leaves_every_look_to_be_taken(world: World) -> None:
    instance_id = world.active()
    world.change(instance_id, want_look)
    world.rapi.unreachable = True
    with pytest.raises(RapiUnreachable):
        world.look()
    assert world.instance(instance_id).look_wanted


def test_nics_of_which_ganeti_shows_half_the_columns_are_read_as_far_as_they_go() -> None:
    row = ganeti.FakeInstance("x", vcpus=1, ram=1, nics=[NicSpec(mac="a"), NicSpec(mac="b")]).row()
    row["nic.ips"] = ["10.0.0.1"]
    del row["nic.names"]
    assert [(nic.index, nic.mac, nic.ip, nic.name) for nic in looks.parse(row).nics] == [
        (0, "a", None, None),
        (1, "b", None, None),
    ]
