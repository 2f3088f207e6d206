"""Admins who take each other out at the same moment, and creates that race with the end of their project."""

from __future__ import annotations

from concurrent import futures

from cloud import accounts
from common.errors import Conflict, NotFound, QuotaExceeded
from db import belongings
from db.users import Role
from tests.support.clouds import World


def test_of_two_admins_who_remove_each_other_one_stays(postgres_world: World) -> None:
    cloud = postgres_world.cloud
    for round_number in range(10):
        names = [f"admin-{round_number}-{number}" for number in range(2)]
        for name in names:
            accounts.add_user(cloud, name, password=None)
            accounts.grant(cloud, user=name, project="demo", role=Role.ADMIN)
        for held in accounts.held(cloud, role=Role.ADMIN):
            if held.user_name not in names:
                accounts.remove_user(cloud, held.user_name)

        def remove(name: str) -> bool:
            try:
                accounts.remove_user(cloud, name)
            except Conflict:
                return False
            return True

        with futures.ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(remove, names)) == [False, True]
        assert len(accounts.held(cloud, role=Role.ADMIN)) == 1


def test_a_project_that_ends_while_servers_are_made_has_them_or_ends(postgres_world: World) -> None:
    world = postgres_world

    def create() -> bool:
        try:
            world.create()
        except (QuotaExceeded, NotFound):
            return False
        return True

    def end() -> bool:
        try:
            accounts.remove_project(world.cloud, "demo")
        except Conflict:
            return False
        return True

    with futures.ThreadPoolExecutor(4) as pool:
        creating = [pool.submit(create) for _ in range(3)]
        ending = pool.submit(end)
        created = any(future.result() for future in creating)
    assert ending.result() is not created
    with world.cloud.sessions.read() as db:
        assert belongings.of_project(db, world.project.id) == (["servers"] if created else [])
