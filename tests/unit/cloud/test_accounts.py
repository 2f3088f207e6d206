"""Users and projects: what ends with them, and what keeps somebody an admin."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from cloud import accounts, auth, images, instances
from cloud.accounts import ProjectChange, UserChange
from cloud.auth import Scope
from cloud.images import ImageSpec
from common.errors import Conflict, Invalid, NotFound, QuotaExceeded, Unauthorized
from db import users
from db.images import Visibility
from db.instances import Instance
from db.users import Role
from tests.support.clouds import World

PASSWORD = "correct horse"


@pytest.fixture
def root(world: World) -> World:
    """A world with one admin, named root, in the project admin."""
    accounts.add_project(world.cloud, "admin")
    accounts.add_user(world.cloud, "root", password=PASSWORD, default_project="admin")
    accounts.grant(world.cloud, user="root", project="admin", role=Role.ADMIN)
    return world


def log_in(world: World, password: str = PASSWORD) -> str:
    return auth.by_password(world.cloud, password=password, scope=Scope(), user_name="root").text


def alive(world: World, text: str) -> bool:
    try:
        auth.validate(world.cloud, text)
    except Unauthorized:
        return False
    return True


LAST: dict[str, Callable[[World], object]] = {
    "the role": lambda world: accounts.withdraw(world.cloud, user="root", project="admin", role=Role.ADMIN),
    "the user": lambda world: accounts.remove_user(world.cloud, "root"),
    "being let in": lambda world: accounts.set_user_enabled(world.cloud, "root", enabled=False),
    "the project": lambda world: accounts.remove_project(world.cloud, "admin"),
    "the project's being open": lambda world: accounts.set_project_enabled(world.cloud, "admin", enabled=False),
}


@pytest.mark.parametrize("taken", LAST)
def test_the_last_admin_stays(root: World, taken: str) -> None:
    text = log_in(root)
    with pytest.raises(Conflict, match="nobody who is an admin"):
        LAST[taken](root)
    assert auth.caller(auth.validate(root.cloud, text), "req-1").admin


@pytest.mark.parametrize("taken", LAST)
def test_an_admin_may_go_while_there_is_another(root: World, taken: str) -> None:
    accounts.grant(root.cloud, user="demo", project="demo", role=Role.ADMIN)
    text = log_in(root)
    LAST[taken](root)
    assert not alive(root, text)


def test_an_admin_who_is_locked_out_counts_for_none(root: World) -> None:
    accounts.grant(root.cloud, user="demo", project="demo", role=Role.ADMIN)
    accounts.set_user_enabled(root.cloud, "demo", enabled=False)
    with pytest.raises(Conflict):
        LAST["the user"](root)


def test_a_new_password_ends_the_tokens_and_a_new_name_does_not(root: World) -> None:
    text = log_in(root)
    accounts.update_user(root.cloud, "root", UserChange(name="chief", email="chief@cloud.example", description="boss"))
    assert alive(root, text)
    accounts.update_user(root.cloud, "chief", UserChange(password="another horse"))
    assert not alive(root, text)
    assert accounts.user(root.cloud, "chief").email == "chief@cloud.example"


def test_what_an_empty_text_says_is_taken_away(root: World) -> None:
    changed = accounts.update_user(root.cloud, "root", UserChange(email="", default_project="", description=""))
    assert (changed.email, changed.default_project_id, changed.description) == (None, None, None)


def test_a_taken_name_is_a_conflict(root: World) -> None:
    with pytest.raises(Conflict):
        accounts.update_user(root.cloud, "root", UserChange(name="demo"))
    with pytest.raises(Conflict):
        accounts.update_project(root.cloud, "admin", ProjectChange(name="demo"))


@pytest.mark.parametrize("name", ["", " x", "x" * 65])
def test_a_name_that_can_not_be_meant_is_refused(root: World, name: str) -> None:
    with pytest.raises(Invalid):
        accounts.update_user(root.cloud, "root", UserChange(name=name))
    with pytest.raises(Invalid):
        accounts.update_project(root.cloud, "admin", ProjectChange(name=name))


def test_a_project_closed_and_opened_again_has_no_old_tokens(root: World) -> None:
    accounts.grant(root.cloud, user="demo", project="demo", role=Role.ADMIN)
    text = log_in(root)
    accounts.set_project_enabled(root.cloud, "admin", enabled=False)
    accounts.set_project_enabled(root.cloud, "admin", enabled=True)
    assert not alive(root, text)


def test_a_project_with_a_server_stays_until_the_server_is_gone(root: World) -> None:
    server = root.active()
    with pytest.raises(Conflict, match="still has servers"):
        accounts.remove_project(root.cloud, "demo")
    root.delete(server)
    root.finish(server)
    accounts.remove_project(root.cloud, "demo")
    with root.cloud.sessions.read() as db:
        assert db.scalar(sa.select(Instance.project_id).where(Instance.id == server)) == root.project.id


def test_a_create_that_waited_for_the_end_of_its_project_finds_no_quota(root: World) -> None:
    accounts.remove_project(root.cloud, "demo")
    with pytest.raises(QuotaExceeded):
        root.create("late")


def test_a_project_with_an_image_stays(root: World) -> None:
    images.add(
        root.cloud, ImageSpec(name="own", file="own.raw", visibility=Visibility.PRIVATE, project_id=root.project.id)
    )
    with pytest.raises(Conflict, match="still has images"):
        accounts.remove_project(root.cloud, "demo")


def test_a_deleted_project_is_not_found_and_its_name_is_free(root: World) -> None:
    accounts.remove_project(root.cloud, "demo")
    for name in (root.project.id, "demo"):
        with pytest.raises(NotFound):
            accounts.project(root.cloud, name)
    assert [row.name for row in accounts.all_projects(root.cloud)] == ["admin"]
    assert accounts.add_project(root.cloud, "demo").id != root.project.id
    assert [held.user_name for held in accounts.held(root.cloud)] == ["root"]


def test_a_user_goes_with_the_roles_and_leaves_the_servers(root: World) -> None:
    server = root.active()
    accounts.remove_user(root.cloud, "demo")
    with root.cloud.sessions.read() as db:
        assert users.roles_in(db, root.user.id, root.project.id) == []
    assert instances.get(root.cloud, root.fresh(), server).user_id == root.user.id
