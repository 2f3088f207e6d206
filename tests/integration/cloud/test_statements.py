"""What an operation costs the database does not depend on how much is in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from cloud import instances
from common import names
from db import instances as instance_rows
from db.instances import Filter, Instance, State
from tests.support import clouds, networks
from tests.support.clouds import World

DELETED, LIVE = 10_000, 50


def fill(world: World, *, deleted: int, live: int, project_id: str | None = None) -> None:
    """Put servers of the past, and some of today, into the table at once."""
    start = world.clock()
    rows = []
    for number in range(deleted + live):
        instance_id = names.new_id()
        gone = number < deleted
        at = start + timedelta(seconds=number)
        rows.append(
            {
                "id": instance_id,
                "name": f"web{number}",
                "project_id": project_id or world.project.id,
                "user_id": world.user.id,
                "backend_id": world.backend.id,
                "ganeti_name": f"syros-{instance_id}",
                "flavor_id": world.flavor.id,
                "flavor_name": world.flavor.name,
                "vcpus": 1,
                "ram": 1,
                "disk": 1,
                "meta": {},
                "access_ipv4": "",
                "access_ipv6": "",
                "reservation_id": instance_id,
                "state": State.DELETED if gone else State.ACTIVE,
                "nics": [],
                "charged": not gone,
                "look_wanted": False,
                "fact_job": 0,
                "created_at": at,
                "updated_at": at,
                "deleted_at": at if gone else None,
            }
        )
    with world.cloud.sessions.begin() as db:
        db.execute(sa.insert(Instance), rows)
    with world.cloud.sessions.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("ANALYZE"))


OPERATIONS: dict[str, tuple[Callable[[World, str], object], int]] = {
    "get": (lambda world, one: instances.get(world.cloud, world.caller, one), 1),
    "page": (
        lambda world, one: instances.page(world.cloud, world.caller, Filter(project_id=world.project.id), limit=100),
        1,
    ),
    "page after a marker": (
        lambda world, one: instances.page(
            world.cloud, world.caller, Filter(project_id=world.project.id), limit=100, marker=one
        ),
        2,
    ),
    "delete": (lambda world, one: world.delete(one), 22),
    "create": (lambda world, one: world.create(), 25),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_number_of_statements_is_fixed(world: World, name: str) -> None:
    operation, at_most = OPERATIONS[name]
    networks.add(world.cloud, "10.0.0.0/8")
    counts = []
    for more in (5, 40):
        fill(world, deleted=more, live=more)
        one = world.create_one()
        counts.append(len(clouds.count_statements(world.cloud.sessions, partial(operation, world, one))))
    assert counts[0] == counts[1] <= at_most, counts


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (lambda world: Filter(project_id=world.project.id), "ix_instances_live"),
        (lambda world: Filter(project_id=None), "ix_instances_live_all"),
    ],
    ids=["of a project", "of everybody"],
)
def test_the_server_list_reads_the_live_servers_index(
    postgres_world: World, wanted: Callable[[World], Filter], index: str
) -> None:
    world = postgres_world
    fill(world, deleted=DELETED, live=LIVE)
    fill(world, deleted=LIVE, live=20 * LIVE, project_id=world.stranger_caller().project_id)
    query = instance_rows._where(sa.select(Instance), wanted(world))
    query = query.order_by(Instance.created_at.desc(), Instance.id.desc()).limit(20)
    with world.cloud.sessions.begin() as db:
        db.execute(sa.text("ANALYZE instances"))  # what autovacuum does, in its own time
    compiled = query.compile(world.cloud.sessions.engine, compile_kwargs={"literal_binds": True})
    with world.cloud.sessions.engine.connect() as connection:
        plan = "\n".join(connection.scalars(sa.text(f"EXPLAIN {compiled}".replace(":", r"\:"))))
    assert f"using {index} " in plan or f"on {index} " in plan, plan
    assert "Seq Scan" not in plan
