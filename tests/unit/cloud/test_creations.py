"""What a create makes and leaves: one transaction, counted exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cloud import backends, creations, flavors, images
from cloud.creations import CreateSpec
from common.errors import Invalid, QuotaExceeded, Unavailable
from common.jobs import JobStatus
from db import instances as instance_rows
from db.instances import Filter, State, Task
from tests.support import clouds, ganeti
from tests.support.clouds import World


def spec(world: World, **changes: object) -> CreateSpec:
    wanted = CreateSpec(name="web", flavor_id=world.flavor.id, image_id=world.image.id)
    return replace(wanted, **changes)  # type: ignore[arg-type]


def rows(world: World) -> list[instance_rows.Instance]:
    with world.cloud.sessions.read() as db:
        return list(instance_rows.page(db, Filter(project_id=None), limit=1000))


def test_a_create_leaves_a_building_server_and_its_job(world: World) -> None:
    caller = world.fresh()
    (made,) = creations.create(world.cloud, caller, spec(world, metadata={"a": "b"}, description="mine"))
    row = world.instance(made.id)
    assert (row.state, row.task, row.present, row.charged) == (State.BUILDING, Task.CREATING, False, True)
    assert (row.name, row.meta, row.description) == ("web", {"a": "b"}, "mine")
    assert row.ganeti_name == f"syros-{made.id}"
    (job,) = world.jobs(made.id)
    assert (job.action, job.status, job.request_id) == ("create", JobStatus.SUBMITTING, caller.request_id)
    assert row.task_job_id == job.id
    assert world.used() == (1, 2, 1024)


def test_several_are_numbered_and_share_a_reservation(world: World) -> None:
    made = world.create("web", count=3)
    assert [row.name for row in made] == ["web-1", "web-2", "web-3"]
    assert len({row.reservation_id for row in made}) == 1
    assert world.used() == (3, 6, 3072)


@pytest.mark.parametrize(
    ("limits", "made"),
    [
        ({"instances": 3}, 3),
        ({"cores": 5}, 2),
        ({"ram": 1024}, 1),
        ({"instances": -1, "cores": -1, "ram": -1}, 8),
    ],
)
def test_as_many_are_made_as_the_quota_allows(world: World, limits: dict[str, int], made: int) -> None:
    world.set_quota(**limits)
    assert len(creations.create(world.cloud, world.fresh(), spec(world, min_count=1, max_count=8))) == made
    assert world.used() == (made, 2 * made, 1024 * made)


def test_fewer_than_the_minimum_are_not_made_at_all(world: World) -> None:
    world.set_quota(instances=3)
    with pytest.raises(QuotaExceeded, match="instances"):
        creations.create(world.cloud, world.fresh(), spec(world, min_count=4, max_count=8))
    assert rows(world) == []
    assert world.used() == (0, 0, 0)


@pytest.mark.parametrize(("least", "most"), [(0, 1), (2, 1), (-1, -1), (0, 0)])
def test_counts_that_mean_nothing_are_refused(world: World, least: int, most: int) -> None:
    with pytest.raises(Invalid):
        creations.create(world.cloud, world.fresh(), spec(world, min_count=least, max_count=most))


def test_asking_for_a_million_costs_no_more_statements_than_asking_for_one(world: World) -> None:
    world.set_quota(instances=1)

    def statements(most: int) -> int:
        wanted = spec(world, min_count=1, max_count=most)
        seen = clouds.count_statements(
            world.cloud.sessions, lambda: creations.create(world.cloud, world.fresh(), wanted)
        )
        (row,) = rows(world)
        world.delete(row.id)
        return len(seen)

    statements(1)  # makes the project's usage rows
    assert statements(1_000_000) == statements(1)


def test_a_name_that_does_not_fit_with_its_number_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="name"):
        creations.create(world.cloud, world.fresh(), spec(world, name="x" * 254, max_count=2))
    assert creations.create(world.cloud, world.fresh(), spec(world, name="x" * 255))


@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        (lambda world: {"flavor_id": "nothing"}, Invalid),
        (lambda world: {"image_id": "nothing"}, Invalid),
        (lambda world: {"image_id": small_image(world)}, Invalid),
        (lambda world: {"metadata": {str(n): "" for n in range(129)}}, QuotaExceeded),
        (lambda world: {"flavor_id": big_flavor(world)}, Unavailable),
    ],
)
def test_a_create_that_cannot_be_leaves_nothing_behind(
    world: World, prepare: Callable[[World], dict[str, object]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        creations.create(world.cloud, world.fresh(), spec(world, **prepare(world)))
    assert rows(world) == []
    assert world.used() == (0, 0, 0)


def small_image(world: World) -> str:
    return images.add(world.cloud, images.ImageSpec(name="big", file="big.raw", min_disk=100)).id


def big_flavor(world: World) -> str:
    return flavors.add(world.cloud, flavors.FlavorSpec(id="9", name="huge", vcpus=1, ram=51200, disk=100_000)).id


def test_no_backend_takes_a_server_when_drained_offline_unknown_or_long_unseen(world: World) -> None:
    name = world.backend.name
    for flags in ({"drained": True}, {"drained": False, "offline": True}):
        backends.set_flags(world.cloud, name, **flags)
        with pytest.raises(Unavailable):
            world.create()
    backends.set_flags(world.cloud, name, offline=False)
    world.clock.tick(301)
    with pytest.raises(Unavailable):
        world.create()
    backends.refresh(world.cloud, world.clients, world.known_backend())
    assert world.create()


def test_the_emptier_backend_takes_the_next_server(world: World) -> None:
    other = clouds.add_backend(world.cloud, world.vault, "ganeti2")
    second = ganeti.FakeRapi(world.clock, cluster="22222222-2222-4333-8444-555555555555")
    backends.refresh(world.cloud, ganeti.clients({other.id: second}), other)
    taken = {world.create()[0].backend_id for _ in range(2)}
    assert taken == {world.backend.id, other.id}
