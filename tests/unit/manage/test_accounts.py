"""Projects, users, roles and quotas."""

import pytest

from cloud import accounts, passwords, quotas
from db.quotas import Resource, Usage
from tests.unit.manage.conftest import Operator


def add_user(operator: Operator, name: str = "ann", *more: str) -> None:
    operator.run("user", "add", name, "--password-file", operator.file("password", "correct horse\n"), *more)


def test_a_project_is_shown_with_these_keys(operator: Operator) -> None:
    made = operator.json("project", "add", "acme", "--description", "rockets")

    assert set(made) == {"id", "name", "enabled", "description", "created_at"}
    assert (made["name"], made["enabled"], made["description"]) == ("acme", True, "rockets")
    assert operator.json("project", "list") == [made]


def test_a_second_project_of_one_name_is_refused(operator: Operator) -> None:
    operator.run("project", "add", "acme")

    assert operator.run("project", "add", "acme", code=1).err == "syros-manage: there is a project acme already\n"


def test_an_unknown_project_is_code_1(operator: Operator) -> None:
    assert operator.run("project", "show", "acme", code=1).err == "syros-manage: there is no project acme\n"


def test_a_project_shows_its_members_and_its_quota(operator: Operator) -> None:
    operator.run("project", "add", "acme")
    add_user(operator, "ann", "--project", "acme", "--role", "admin")

    shown = operator.json("project", "show", "acme")

    assert shown["members"] == [{"user": "ann", "role": "admin"}]
    assert shown["quota"][0] == {"resource": "instances", "limit": 10, "used": 0}


def test_a_project_is_closed_and_opened(operator: Operator) -> None:
    operator.run("project", "add", "acme")

    assert operator.json("project", "disable", "acme", "--yes")["enabled"] is False
    assert operator.json("project", "enable", "acme")["enabled"] is True


def test_closing_a_project_asks_first(operator: Operator) -> None:
    operator.run("project", "add", "acme")

    operator.run("project", "disable", "acme", stdin="n\n", code=1)

    assert accounts.project(operator.cloud, "acme").enabled


def test_a_user_gets_the_password_of_the_file_and_the_role(operator: Operator) -> None:
    operator.run("project", "add", "acme")
    add_user(operator, "ann", "--project", "acme", "--role", "admin")

    row = accounts.user(operator.cloud, "ann")

    assert passwords.matches(row.password_hash, "correct horse")
    assert operator.json("role", "list") == [{"user": "ann", "project": "acme", "role": "admin"}]


def test_a_user_of_a_project_is_a_member_by_default(operator: Operator) -> None:
    operator.run("project", "add", "acme")
    add_user(operator, "ann", "--project", "acme")

    assert operator.json("user", "show", "ann")["roles"] == [{"user": "ann", "project": "acme", "role": "member"}]


def test_a_generated_password_is_shown_once_and_works(operator: Operator) -> None:
    made = operator.json("user", "add", "ann", "--generate-password")

    assert passwords.matches(accounts.user(operator.cloud, "ann").password_hash, made["password"])
    assert "password" not in operator.json("user", "show", "ann")


def test_a_password_may_come_by_standard_input(operator: Operator) -> None:
    operator.run("user", "add", "ann", "--password-file", "-", stdin="correct horse\n")

    assert passwords.matches(accounts.user(operator.cloud, "ann").password_hash, "correct horse")


def test_without_a_terminal_a_password_has_to_be_given_somehow(operator: Operator) -> None:
    assert "--password-file" in operator.run("user", "add", "ann", code=2).err


@pytest.mark.parametrize("more", [["--role", "admin"], ["--project", "nowhere"]])
def test_a_user_who_can_not_be_placed_is_not_made(operator: Operator, more: list[str]) -> None:
    operator.run("user", "add", "ann", "--generate-password", *more, code=None)

    assert operator.json("user", "list") == []


def test_a_changed_password_replaces_the_old_one(operator: Operator) -> None:
    add_user(operator)

    new = operator.json("user", "password", "ann", "--generate-password")["password"]

    stored = accounts.user(operator.cloud, "ann").password_hash
    assert passwords.matches(stored, new)
    assert not passwords.matches(stored, "correct horse")


def test_a_user_is_locked_out_and_let_in(operator: Operator) -> None:
    add_user(operator)

    assert operator.json("user", "disable", "ann", "--yes")["enabled"] is False
    assert operator.json("user", "enable", "ann")["enabled"] is True


def test_roles_are_granted_and_revoked(operator: Operator) -> None:
    operator.run("project", "add", "acme")
    add_user(operator)

    operator.run("role", "grant", "reader", "--user", "ann", "--project", "acme")
    assert operator.json("role", "list", "--user", "ann") == [{"user": "ann", "project": "acme", "role": "reader"}]
    operator.run("role", "revoke", "reader", "--user", "ann", "--project", "acme")
    assert operator.json("role", "list", "--project", "acme") == []
    operator.run("role", "revoke", "reader", "--user", "ann", "--project", "acme", code=1)


def test_limits_are_set_one_by_one(operator: Operator) -> None:
    operator.run("project", "add", "acme")

    operator.run("quota", "set", "acme", "--cores", "-1")
    operator.run("project", "quota", "acme", "--instances", "3", "--security-groups", "4")

    assert operator.json("quota", "show", "acme") == [
        {"resource": "instances", "limit": 3, "used": 0},
        {"resource": "cores", "limit": -1, "used": 0},
        {"resource": "ram", "limit": 51200, "used": 0},
        {"resource": "networks", "limit": 10, "used": 0},
        {"resource": "floating_ips", "limit": 50, "used": 0},
        {"resource": "ports", "limit": 500, "used": 0},
        {"resource": "security_groups", "limit": 4, "used": 0},
        {"resource": "security_group_rules", "limit": 100, "used": 0},
    ]


def test_setting_no_limit_at_all_is_a_mistake(operator: Operator) -> None:
    operator.run("project", "add", "acme")

    operator.run("quota", "set", "acme", code=2)


def test_the_audit_finds_a_wrong_usage_and_repairs_it(operator: Operator) -> None:
    project = operator.json("project", "add", "acme")
    with operator.sessions.begin() as db:
        db.add(Usage(project_id=project["id"], resource=Resource.CORES, used=7))

    (found,) = operator.json("quota", "audit", code=1)
    assert (found["project"], found["resource"], found["recorded"], found["actual"]) == ("acme", "cores", 7, 0)
    assert found["repaired"] is False
    assert operator.json("quota", "audit", "--repair")[0]["repaired"] is True
    assert operator.json("quota", "audit") == []
    assert quotas.standing(operator.cloud, project["id"])[Resource.CORES].used == 0
