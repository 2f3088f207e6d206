"""Users and projects of another identity service: one row each, whatever they are called there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cloud import accounts, foreigners
from cloud.foreigners import Known, Named
from db.users import Role
from tests.support.clouds import START, World

KNOWN = Known(
    user=Named("a" * 32, "ann"),
    project=Named("b" * 32, "lab"),
    roles=[Role.MEMBER],
    methods=["password"],
    audit_id="x",
    issued_at=START,
    expires_at=START + timedelta(hours=1),
)


def names(world: World) -> list[str]:
    return [row.name for row in accounts.all_users(world.cloud)]


def test_a_second_sight_makes_nothing_new(world: World) -> None:
    first, second = foreigners.welcome(world.cloud, KNOWN), foreigners.welcome(world.cloud, KNOWN)
    assert (first.user.id, first.roles) == (second.user.id, second.roles) == ("a" * 32, (Role.MEMBER,))
    assert names(world) == ["ann", "demo"]


def test_a_new_name_is_taken_over(world: World) -> None:
    foreigners.welcome(world.cloud, KNOWN)
    foreigners.welcome(world.cloud, replace(KNOWN, user=Named("a" * 32, "anna"), project=Named("b" * 32, "lab2")))
    assert names(world) == ["anna", "demo"]
    assert accounts.project(world.cloud, "lab2").id == "b" * 32


def test_namesakes_of_two_domains_are_told_apart(world: World) -> None:
    other = replace(KNOWN, user=Named("c" * 32, "ann"), project=Named("d" * 32, "lab"))
    foreigners.welcome(world.cloud, KNOWN)
    for _ in range(2):
        bearer = foreigners.welcome(world.cloud, other)
        assert (bearer.user.name, bearer.project.name if bearer.project else "") == (
            f"ann {'c' * 32}",
            f"lab {'d' * 32}",
        )


def test_long_ids_and_names_of_directories_fit(world: World) -> None:
    long = replace(KNOWN, user=Named("e" * 64, "n" * 200))
    first, second = foreigners.welcome(world.cloud, long), foreigners.welcome(world.cloud, long)
    assert first.user.id == second.user.id
    assert (len(first.user.id), len(first.user.name)) == (32, 64)


def test_a_token_for_no_project_makes_no_project(world: World) -> None:
    bearer = foreigners.welcome(world.cloud, replace(KNOWN, project=None, roles=[]))
    assert (bearer.project, bearer.token.project_id) == (None, None)
