"""Logging in, tokens and application credentials: what ends them, at once, and what nobody ever gets to read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache

import argon2
import pytest

from cloud import accounts, auth, backends, credentials, passwords
from cloud.auth import Scope
from cloud.credentials import CredentialSpec
from cloud.vault import Vault, new_key
from common import config
from common.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from db.sessions import Sessions
from db.users import Role, User
from tests.support import clouds
from tests.support.clouds import World

PASSWORD = "correct horse"
OTHER = "battery staple"
SECRET = "a secret of an application"


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hash as cheaply as argon2 can: what is tested here is who gets in."""
    quick = cache(lambda: argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(passwords, "_hasher", quick)
    passwords._decoy.cache_clear()
    yield
    passwords._decoy.cache_clear()


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = clouds.world(sessions)
    accounts.set_password(made.cloud, "demo", PASSWORD)
    return made


def log_in(world: World, *, password: str = PASSWORD, scope: Scope | None = None) -> auth.Login:
    return auth.by_password(world.cloud, password=password, scope=scope or Scope(), user_name="demo")


def test_a_login_gives_a_token_for_the_users_own_project(world: World) -> None:
    login = log_in(world)
    bearer = auth.validate(world.cloud, login.text)
    assert bearer.project is not None
    assert (bearer.user.name, bearer.project.name, bearer.roles) == ("demo", "demo", (Role.MEMBER,))
    caller = auth.caller(bearer, "req-1")
    assert (caller.user_id, caller.project_id, caller.admin) == (world.user.id, world.project.id, False)


def test_validating_a_token_is_one_statement(world: World) -> None:
    text = log_in(world).text
    assert len(clouds.count_statements(world.cloud.sessions, lambda: auth.validate(world.cloud, text))) == 1


def test_every_failed_login_has_the_same_text(world: World) -> None:
    accounts.add_project(world.cloud, "elsewhere")
    closed = accounts.add_project(world.cloud, "closed")
    accounts.grant(world.cloud, user="demo", project="closed", role=Role.MEMBER)
    accounts.set_project_enabled(world.cloud, closed.id, enabled=False)
    out = accounts.add_user(world.cloud, "out", password=PASSWORD)
    accounts.set_user_enabled(world.cloud, out.id, enabled=False)
    failures: list[Callable[[], object]] = [
        lambda: log_in(world, password=OTHER),
        lambda: log_in(world, password=""),
        lambda: auth.by_password(world.cloud, password=PASSWORD, scope=Scope(), user_name="nobody"),
        lambda: auth.by_password(world.cloud, password=PASSWORD, scope=Scope(), user_id="nobody"),
        lambda: auth.by_password(world.cloud, password=PASSWORD, scope=Scope(), user_name="out"),
        lambda: log_in(world, scope=Scope(project_name="nothing")),
        lambda: log_in(world, scope=Scope(project_name="elsewhere")),
        lambda: log_in(world, scope=Scope(project_name="closed")),
        lambda: log_in(world, scope=Scope(project_id="nothing")),
    ]
    texts = set()
    for failure in failures:
        with pytest.raises(Unauthorized) as caught:
            failure()
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_a_user_without_a_password_is_not_let_in_by_any(world: World) -> None:
    bare = User(id="b" * 32, name="bare", enabled=True, created_at=world.clock())
    with world.cloud.sessions.begin() as db:
        db.add(bare)
    with pytest.raises(Unauthorized):
        auth.by_password(world.cloud, password="", scope=Scope(unscoped=True), user_name="bare")


def test_a_token_without_a_project_validates_and_acts_on_nothing(world: World) -> None:
    bearer = auth.validate(world.cloud, log_in(world, scope=Scope(unscoped=True)).text)
    assert bearer.project is None
    with pytest.raises(Unauthorized):
        auth.caller(bearer, "req-1")


def ended(world: World, text: str) -> bool:
    try:
        auth.validate(world.cloud, text)
    except Unauthorized:
        return True
    return False


ENDS: dict[str, Callable[[World, str], object]] = {
    "its time is over": lambda world, text: world.clock.tick(8 * 3600),
    "it is revoked": lambda world, text: auth.revoke(world.cloud, text),
    "its user is disabled": lambda world, text: accounts.set_user_enabled(world.cloud, "demo", enabled=False),
    "its project is disabled": lambda world, text: accounts.set_project_enabled(world.cloud, "demo", enabled=False),
    "the last role is withdrawn": lambda world, text: accounts.withdraw(
        world.cloud, user="demo", project="demo", role=Role.MEMBER
    ),
    "the password is set": lambda world, text: accounts.set_password(world.cloud, "demo", OTHER),
    "the password is changed": lambda world, text: accounts.change_password(
        world.cloud, world.user.id, original=PASSWORD, password=OTHER
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_token_ends_at_once_when(world: World, end: str) -> None:
    text = log_in(world).text
    assert not ended(world, text)
    ENDS[end](world, text)
    assert ended(world, text)


def test_a_token_lives_until_its_last_second_and_no_longer(world: World) -> None:
    text = log_in(world).text
    world.clock.tick(8 * 3600 - 1)
    assert not ended(world, text)
    world.clock.tick(1)
    assert ended(world, text)


def test_revoking_what_is_unknown_is_no_error_and_ends_nothing_else(world: World) -> None:
    text = log_in(world).text
    auth.revoke(world.cloud, "nonsense")
    assert not ended(world, text)


def test_roles_count_as_they_are_now(world: World) -> None:
    text = log_in(world).text
    other = accounts.add_user(world.cloud, "another admin", password=None)
    accounts.grant(world.cloud, user=other.id, project="demo", role=Role.ADMIN)
    accounts.grant(world.cloud, user="demo", project="demo", role=Role.ADMIN)
    assert auth.caller(auth.validate(world.cloud, text), "req-1").admin
    accounts.withdraw(world.cloud, user="demo", project="demo", role=Role.ADMIN)
    assert not auth.caller(auth.validate(world.cloud, text), "req-1").admin
    accounts.grant(world.cloud, user="demo", project="demo", role=Role.READER)
    accounts.withdraw(world.cloud, user="demo", project="demo", role=Role.MEMBER)
    caller = auth.caller(auth.validate(world.cloud, text), "req-1")
    assert caller.roles == (Role.READER,)
    with pytest.raises(NotFound):
        accounts.withdraw(world.cloud, user="demo", project="demo", role=Role.MEMBER)


def test_an_exchanged_token_lives_no_longer_than_the_first(world: World) -> None:
    first = log_in(world, scope=Scope(unscoped=True))
    world.clock.tick(3600)
    second = auth.by_token(world.cloud, first.text, Scope(project_id=world.project.id))
    assert second.bearer.token.expires_at == first.bearer.token.expires_at
    assert second.bearer.token.methods == ["password", "token"]
    auth.revoke(world.cloud, first.text)
    with pytest.raises(Unauthorized):
        auth.by_token(world.cloud, first.text, Scope())


def test_the_database_keeps_no_token(world: World) -> None:
    login = log_in(world)
    assert login.text not in str(vars(login.bearer.token))


# application credentials


def credential(world: World, **changes: object) -> str:
    spec = replace(CredentialSpec(name="app", secret=SECRET), **changes)  # type: ignore[arg-type]
    held = (Role.MEMBER, Role.READER)
    made, secret = credentials.add(
        world.cloud, user_id=world.user.id, project_id=world.project.id, held=held, spec=spec
    )
    assert secret == SECRET
    return made.id


def by_credential(world: World, credential_id: str, secret: str = SECRET) -> auth.Login:
    return auth.by_credential(world.cloud, secret=secret, credential_id=credential_id)


def test_a_credential_has_those_of_its_roles_that_its_user_still_has(world: World) -> None:
    accounts.grant(world.cloud, user="demo", project="demo", role=Role.READER)
    login = by_credential(world, credential(world, roles=(Role.READER,)))
    caller = auth.caller(auth.validate(world.cloud, login.text), "req-1")
    assert caller.roles == (Role.READER,)
    accounts.withdraw(world.cloud, user="demo", project="demo", role=Role.READER)
    assert not ended(world, login.text), "a member may all that a reader may"
    accounts.withdraw(world.cloud, user="demo", project="demo", role=Role.MEMBER)
    assert ended(world, login.text)


def test_a_credential_gives_nobody_a_role_that_its_maker_has_not(world: World) -> None:
    with pytest.raises(Forbidden):
        credential(world, roles=(Role.ADMIN,))


def test_a_credential_expires_with_its_tokens(world: World) -> None:
    credential_id = credential(world, expires_at=world.clock() + timedelta(hours=1))
    login = by_credential(world, credential_id)
    world.clock.tick(3601)
    assert ended(world, login.text)
    with pytest.raises(Unauthorized):
        by_credential(world, credential_id)


def test_a_credential_that_is_removed_takes_its_tokens_with_it(world: World) -> None:
    credential_id = credential(world)
    login = by_credential(world, credential_id)
    credentials.remove(world.cloud, world.user.id, credential_id)
    assert ended(world, login.text)
    with pytest.raises(Unauthorized):
        by_credential(world, credential_id)


def test_a_credentials_failures_do_not_tell_whether_there_is_one(world: World) -> None:
    credential_id = credential(world)
    texts = set()
    failures: tuple[Callable[[], object], ...] = (
        lambda: by_credential(world, credential_id, "wrong"),
        lambda: by_credential(world, "nothing"),
        lambda: auth.by_credential(world.cloud, secret=SECRET, name="app", user_name="nobody"),
        lambda: auth.by_credential(world.cloud, secret=SECRET, name="none", user_name="demo"),
        lambda: auth.by_credential(world.cloud, secret=SECRET),
    )
    for failure in failures:
        with pytest.raises(Unauthorized) as caught:
            failure()
        texts.add(str(caught.value))
    assert len(texts) == 1
    assert auth.by_credential(world.cloud, secret=SECRET, name="app", user_name="demo").text


def test_a_token_of_a_credential_is_not_exchanged(world: World) -> None:
    login = by_credential(world, credential(world))
    with pytest.raises(Unauthorized):
        auth.by_token(world.cloud, login.text, Scope())


def test_a_credential_is_its_users_alone_and_its_name_taken_once(world: World) -> None:
    credential_id = credential(world)
    with pytest.raises(NotFound):
        credentials.get(world.cloud, "somebody else", credential_id)
    with pytest.raises(NotFound):
        credentials.remove(world.cloud, "somebody else", credential_id)
    with pytest.raises(Conflict):
        credential(world)


# accounts


def test_a_wrong_original_password_changes_nothing(world: World) -> None:
    text = log_in(world).text
    with pytest.raises(Unauthorized):
        accounts.change_password(world.cloud, world.user.id, original=OTHER, password="another one")
    assert not ended(world, text)


@pytest.mark.parametrize("password", ["", "short", "x" * 513])
def test_a_password_has_a_length(world: World, password: str) -> None:
    with pytest.raises(Invalid):
        accounts.set_password(world.cloud, "demo", password)


@pytest.mark.parametrize("name", ["", " demo", "demo ", "x" * 65])
def test_names_of_users_and_projects_are_checked(world: World, name: str) -> None:
    with pytest.raises(Invalid):
        accounts.add_project(world.cloud, name)
    with pytest.raises(Invalid):
        accounts.add_user(world.cloud, name, password=PASSWORD)


def test_a_name_is_taken_once(world: World) -> None:
    with pytest.raises(Conflict):
        accounts.add_project(world.cloud, "demo")
    with pytest.raises(Conflict):
        accounts.add_user(world.cloud, "demo", password=PASSWORD)


def test_granting_twice_is_granting_once(world: World) -> None:
    for _ in range(2):
        accounts.grant(world.cloud, user="demo", project="demo", role=Role.READER)
    assert len(accounts.all_assignments(world.cloud)) == 2


def test_no_secret_shows_in_any_repr(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    login = log_in(world)
    spec = backends.BackendSpec(name="b", rapi_urls=("https://h",), rapi_user="u", rapi_password=SECRET)
    sealed = world.vault.seal(SECRET)
    shown = " ".join(
        map(repr, (login, login.bearer, CredentialSpec(name="app", secret=SECRET), spec, world.backend, world.vault))
    )
    for secret in (login.text, SECRET, PASSWORD, sealed):
        assert secret not in shown
        assert secret not in caplog.text
    assert world.vault.open(sealed) == SECRET
    with pytest.raises(config.ConfigError):
        Vault(config.Secrets(key=new_key())).open(sealed)


def test_who_is_let_in_again_has_to_log_in_again(world: World) -> None:
    login = auth.by_password(world.cloud, password=PASSWORD, scope=Scope(), user_name="demo")
    accounts.set_user_enabled(world.cloud, "demo", enabled=False)
    accounts.set_user_enabled(world.cloud, "demo", enabled=True)
    with pytest.raises(Unauthorized):
        auth.validate(world.cloud, login.text)


@pytest.mark.parametrize(
    "useless", [CredentialSpec(name="none", roles=()), CredentialSpec(name="late", expires_at=clouds.START)]
)
def test_a_credential_that_nobody_could_use_is_refused(world: World, useless: CredentialSpec) -> None:
    user = accounts.user(world.cloud, "demo")
    project = accounts.project(world.cloud, "demo")
    with pytest.raises(Invalid):
        credentials.add(world.cloud, user_id=user.id, project_id=project.id, held=(Role.MEMBER,), spec=useless)
