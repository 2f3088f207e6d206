from collections.abc import Callable

import pytest

from apiserver.compute import migrations
from cloud.context import Cloud
from cloud.states import Action
from common.jobs import JobStatus, Opcode
from db import instances, jobs
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import MakeServer

PATH = "/compute/v2.1/os-migrations"
MOVES = (Action.LIVE_MIGRATE, Action.MIGRATE, Action.EVACUATE, Action.RESIZE)

Move = Callable[..., int]


@pytest.fixture
def move(cloud: Cloud) -> Move:
    """Leave a job that moved a server; gives its id."""

    def leave(server: str, action: Action, status: JobStatus, **spec: object) -> int:
        opcode = Opcode.SET_PARAMS if action is Action.RESIZE else Opcode.FAILOVER
        with cloud.sessions.begin() as db:
            row = instances.get(db, server)
            assert row is not None
            job = jobs.Job(
                backend_id=row.backend_id,
                instance_id=server,
                request_id="req-1",
                action=action,
                opcode=opcode,
                spec=spec,
                status=status,
                created_at=cloud.clock(),
                finished_at=cloud.clock(),
            )
            db.add(job)
            db.flush()
            return job.id

    return leave


def test_a_move_is_shown_as_this_version_has_it(admin: Asking, active: str, move: Move) -> None:
    number = move(active, Action.LIVE_MIGRATE, JobStatus.SUCCESS, **{"from": "node1", "to": "node2", "lost": False})
    assert admin.get(PATH).json == {
        "migrations": [
            {
                "id": number,
                "status": "completed",
                "instance_uuid": active,
                "source_compute": "node1",
                "source_node": "node1",
                "dest_compute": "node2",
                "dest_node": "node2",
                "dest_host": "node2",
                "old_instance_type_id": None,
                "new_instance_type_id": None,
                "created_at": "2026-01-31T12:00:00.000000",
                "updated_at": "2026-01-31T12:00:00.000000",
            }
        ]
    }


def test_a_resize_shows_its_flavors_where_their_ids_are_numbers(admin: Asking, active: str, move: Move) -> None:
    move(active, Action.RESIZE, JobStatus.RUNNING, old_flavor_id="1", new_flavor_id="large")
    (shown,) = admin.get(PATH).json["migrations"]
    assert (shown["old_instance_type_id"], shown["new_instance_type_id"]) == (1, None)
    assert shown["status"] == "migrating"


@pytest.mark.parametrize("action", MOVES)
def test_every_status_of_a_job_has_a_word(action: Action) -> None:
    words = {status: migrations.status(action, status) for status in JobStatus}
    assert all(words.values())
    assert len({words[JobStatus.SUCCESS], words[JobStatus.ERROR], words[JobStatus.RUNNING]}) == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3),
        ("migration_type=live-migration", 1),
        ("migration_type=resize", 1),
        ("migration_type=teleport", 0),
        ("status=completed", 1),
        ("status=error", 1),
        ("status=finished", 1),
        ("status=finished&migration_type=migration", 0),
        ("host=node2", 2),
        ("source_compute=node2", 1),
        ("host=node2&source_compute=node1", 1),
        ("hidden=false", 3),
    ],
)
def test_they_are_filtered(admin: Asking, make: MakeServer, move: Move, query: str, found: int) -> None:
    server = make()
    move(server, Action.LIVE_MIGRATE, JobStatus.SUCCESS, **{"from": "node1", "to": "node2"})
    move(server, Action.MIGRATE, JobStatus.ERROR, **{"from": "node1", "to": None})
    move(make(), Action.RESIZE, JobStatus.SUCCESS, **{"from": "node2", "to": "node2"})
    assert len(admin.get(f"{PATH}?{query}").json["migrations"]) == found
    assert len(admin.get(f"{PATH}?instance_uuid={server}").json["migrations"]) == 2


def test_a_page_names_the_next_one(admin: Asking, active: str, move: Move) -> None:
    first, second = (move(active, Action.MIGRATE, JobStatus.SUCCESS) for _ in range(2))
    page = admin.get(f"{PATH}?limit=1").json
    assert [item["id"] for item in page["migrations"]] == [second]
    (link,) = page["migrations_links"]
    following = admin.get(link["href"].removeprefix("http://cloud.example:8774")).json
    assert [item["id"] for item in following["migrations"]] == [first]
    assert admin.get(f"{PATH}?marker=x").status_code == 400


def test_they_are_for_admins_only(demo: Asking) -> None:
    assert demo.get(PATH).status_code == 403
