"""What console proxies tell is kept as rows, and sessions that nobody may have any more are ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from cloud import accounts, console_doors, console_links, console_sessions, policy, screens
from cloud.console_doors import Viewer
from cloud.console_holders import guest
from cloud.console_proxies import Proxies
from cloud.context import Cloud
from cloud.policy import Operation
from common.console_proxy import ConsoleProxyUnreachable
from common.consoles import Kind
from common.errors import Conflict, NotFound, Unavailable
from db import console_sessions as rows
from db import instances
from db.console_sessions import ConsoleSession, Filter
from db.instances import Instance, State, Task
from db.users import Role
from tests.support import clouds
from tests.support.clouds import World
from tests.support.consoles import FakeProxy, Places, desk


@pytest.fixture
def proxy() -> FakeProxy:
    return FakeProxy("one")


@pytest.fixture
def proxies(proxy: FakeProxy) -> Proxies:
    return Proxies({"one:1": proxy})


@pytest.fixture
def cloud(world: World, proxy: FakeProxy) -> Cloud:
    return replace(world.cloud, console_desk=desk(Places(), proxy))


@pytest.fixture
def server(world: World) -> str:
    """A server that runs."""
    server = world.create_one()
    with world.cloud.sessions.begin() as db:
        row = instances.lock(db, server)
        assert row is not None
        row.state, row.task = State.ACTIVE, None
    return server


@pytest.fixture
def let(world: World, cloud: Cloud, server: str) -> Callable[..., str]:
    """Let a viewer to the server's screen; gives the session's id."""

    def enter(link_id: str | None = None, project_id: str | None = None, user_id: str | None = None) -> str:
        with cloud.sessions.read() as db:
            row = instances.get(db, server)
        assert row is not None
        viewer = Viewer(user_id or world.user.id, project_id or world.project.id, "req-1", link_id)
        return console_doors.screen(cloud, guest(row), viewer, Kind.WEBSOCKET).session

    return enter


def known(cloud: Cloud) -> Mapping[str, ConsoleSession]:
    return {row.id: row for row in console_sessions.page(cloud, Filter(), limit=100)}


def test_a_session_is_followed_from_its_grant_to_its_end(
    cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str]
) -> None:
    session = let()
    assert known(cloud)[session].opened_at is None
    proxy.enter(session)
    console_sessions.follow(cloud, proxies)
    row = known(cloud)[session]
    assert (row.viewer, row.ended_at, row.opened_at is not None) == ("198.51.100.9:4000", None, True)
    proxy.end(session, "viewer_left")
    for _ in range(2):  # twice changes nothing
        console_sessions.follow(cloud, proxies)
        row = known(cloud)[session]
        assert (row.reason, row.ended_at is not None, row.opened_at is not None) == ("viewer_left", True, True)


def test_all_of_a_long_history_is_read_and_none_of_it_twice(
    cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str]
) -> None:
    for _ in range(5):
        proxy.end(let(), "expired")
    console_sessions.follow(cloud, proxies)
    assert [row.reason for row in known(cloud).values()] == ["expired"] * 5
    with cloud.sessions.read() as db:
        cursor = rows.cursor(db, "one:1")
        assert cursor is not None
        assert (cursor.boot, cursor.after) == ("boot-one", 5)


def test_sessions_at_a_proxy_that_was_started_anew_have_ended(
    world: World, cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str]
) -> None:
    session = let()
    proxy.enter(session)
    console_sessions.follow(cloud, proxies)
    proxy.restart()
    fresh = let()
    world.clock.tick(11)
    console_sessions.follow(cloud, proxies)
    found = known(cloud)
    assert found[session].reason == "proxy_restarted"
    assert found[fresh].ended_at is None


def test_a_session_that_its_proxy_forgot_has_ended_until_it_tells_of_it_again(
    world: World, cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str]
) -> None:
    session = let()
    console_sessions.follow(cloud, proxies)
    lost = proxy.open.pop(session)
    console_sessions.follow(cloud, proxies)
    assert known(cloud)[session].ended_at is None  # it may have been granted this very moment
    world.clock.tick(11)
    console_sessions.follow(cloud, proxies)
    assert known(cloud)[session].reason == "forgotten"
    proxy.open[session] = lost
    console_sessions.follow(cloud, proxies)
    assert (known(cloud)[session].ended_at, known(cloud)[session].reason) == (None, None)


def test_a_session_whose_grant_was_not_recorded_is_known_from_its_proxy(
    world: World, cloud: Cloud, proxies: Proxies, proxy: FakeProxy, server: str, let: Callable[..., str]
) -> None:
    link = console_links.create(cloud, world.caller, server, seconds=60).link
    mine, theirs = let(), let(link_id=link.id)
    with cloud.sessions.begin() as db:
        db.execute(sa.delete(ConsoleSession))
    console_sessions.follow(cloud, proxies)
    found = known(cloud)
    assert (found[mine].user_id, found[mine].link_id, found[mine].view_only) == (world.user.id, None, False)
    assert (found[theirs].user_id, found[theirs].link_id, found[theirs].view_only) == (world.user.id, link.id, True)


def test_sessions_of_something_else_at_the_proxy_are_none_of_ours(
    cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str]
) -> None:
    session = let()
    proxy.open["other"] = replace(proxy.open[session], session="other", server="somebody-elses")
    console_sessions.follow(cloud, proxies)
    assert set(known(cloud)) == {session}


def test_a_silent_proxy_delays_no_other(cloud: Cloud, proxy: FakeProxy, let: Callable[..., str]) -> None:
    silent = FakeProxy("zero")
    silent.silent = True
    session = let()
    proxy.end(session, "idle")
    console_sessions.follow(cloud, Proxies({"zero:1": silent, "one:1": proxy}))
    assert known(cloud)[session].reason == "idle"


def _delete(world: World, server: str) -> None:
    world.delete(server)


def _gone(world: World, server: str) -> None:
    with world.cloud.sessions.begin() as db:
        db.execute(
            sa.update(Instance).where(Instance.id == server).values(state=State.DELETED, deleted_at=world.clock())
        )


def _soft_delete(world: World, server: str) -> None:
    with world.cloud.sessions.begin() as db:
        db.execute(sa.update(Instance).where(Instance.id == server).values(task=Task.SOFT_DELETING))


def _disable_user(world: World, server: str) -> None:
    accounts.set_user_enabled(world.cloud, world.user.name, enabled=False)


def _remove_user(world: World, server: str) -> None:
    accounts.remove_user(world.cloud, world.user.name)


def _disable_project(world: World, server: str) -> None:
    accounts.set_project_enabled(world.cloud, world.project.name, enabled=False)


def _withdraw(world: World, server: str) -> None:
    accounts.grant(world.cloud, user=world.user.name, project=world.project.name, role=Role.READER)
    accounts.withdraw(world.cloud, user=world.user.name, project=world.project.name, role=Role.MEMBER)


def _nothing(world: World, server: str) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "ended"),
    [
        (_nothing, 0),
        (_delete, 1),
        (_gone, 1),
        (_soft_delete, 1),
        (_disable_user, 1),
        (_remove_user, 1),
        (_disable_project, 1),
        (_withdraw, 1),
    ],
)
def test_a_session_is_ended_once_nobody_would_be_granted_it(
    world: World,
    cloud: Cloud,
    proxies: Proxies,
    proxy: FakeProxy,
    server: str,
    let: Callable[..., str],
    change: Callable[[World, str], None],
    ended: int,
) -> None:
    accounts.add_project(cloud, "office")
    accounts.add_user(cloud, "boss", password=clouds.PASSWORD, default_project="office")
    accounts.grant(cloud, user="boss", project="office", role=Role.ADMIN)
    session = let()
    proxy.enter(session)
    change(world, server)
    console_sessions.follow(cloud, proxies)
    assert proxy.killed == [session] * ended
    console_sessions.follow(cloud, proxies)
    assert known(cloud)[session].reason == ("killed" if ended else None)
    assert len(proxy.killed) == ended


@pytest.mark.parametrize(("role", "ended"), [(Role.ADMIN, 0), (Role.MEMBER, 1)])
def test_who_is_in_another_project_has_to_be_an_admin(
    world: World, cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str], role: Role, ended: int
) -> None:
    office = accounts.add_project(cloud, "office")
    other = accounts.add_user(cloud, "other", password=clouds.PASSWORD, default_project="office")
    accounts.grant(cloud, user="other", project="office", role=role)
    let(project_id=office.id, user_id=other.id)
    console_sessions.follow(cloud, proxies)
    assert len(proxy.killed) == ended


def test_roles_that_another_service_tells_are_not_missed(
    world: World, cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str]
) -> None:
    assert cloud.console_desk is not None
    session = let()
    with cloud.sessions.begin() as db:
        db.execute(sa.update(ConsoleSession).values(roles_elsewhere=True))
    _withdraw(world, "")
    console_sessions.follow(cloud, proxies)
    assert proxy.killed == []
    _disable_user(world, "")
    console_sessions.follow(cloud, proxies)
    assert proxy.killed == [session]


def test_the_end_of_a_link_is_the_end_of_those_who_came_by_it(
    world: World, cloud: Cloud, proxies: Proxies, proxy: FakeProxy, server: str, let: Callable[..., str]
) -> None:
    revoked, expiring = (console_links.create(cloud, world.caller, server, seconds=60).link.id for _ in range(2))
    first, second, own = let(link_id=revoked), let(link_id=expiring), let()
    console_links.revoke(cloud, world.caller, server, revoked)
    console_sessions.follow(cloud, proxies)
    assert proxy.killed == [first]
    world.clock.tick(60)
    console_sessions.follow(cloud, proxies)
    assert proxy.killed == [first, second]
    assert own in proxy.open


def test_a_server_is_deleted_although_no_proxy_answers(
    world: World, cloud: Cloud, proxies: Proxies, proxy: FakeProxy, server: str, let: Callable[..., str]
) -> None:
    session = let()
    proxy.silent = True
    world.delete(server)
    console_sessions.follow(cloud, proxies)
    proxy.silent = False
    console_sessions.follow(cloud, proxies)
    assert proxy.killed == [session]


def test_a_proxy_that_falls_silent_is_asked_once_and_not_for_each_of_its_sessions(
    world: World, cloud: Cloud, proxy: FakeProxy, server: str, let: Callable[..., str]
) -> None:
    for _ in range(3):
        let()
    world.delete(server)
    tries: list[str] = []

    def kill(*, session: str = "", **_others: str) -> int:
        tries.append(session)
        raise ConsoleProxyUnreachable("it has not answered in time")

    proxy.kill = kill  # type: ignore[method-assign]
    assert console_sessions.end_unjustified(cloud, {"one:1": proxy}) == 0
    assert len(tries) == 1


def test_an_operator_ends_a_session(cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str]) -> None:
    session = let()
    with pytest.raises(NotFound):
        console_sessions.kill(cloud, proxies, "nosuch")
    with pytest.raises(Unavailable, match="one:1"):
        console_sessions.kill(cloud, Proxies({}), session)
    proxy.silent = True
    with pytest.raises(Unavailable):
        console_sessions.kill(cloud, proxies, session)
    proxy.silent = False
    console_sessions.kill(cloud, proxies, session)
    assert proxy.killed == [session]
    with pytest.raises(Conflict):
        console_sessions.kill(cloud, proxies, session)


def test_what_a_pull_costs_does_not_depend_on_how_many_sessions_there_are(
    cloud: Cloud, proxies: Proxies, let: Callable[..., str]
) -> None:
    counts = []
    for more in (2, 8):
        for _ in range(more):
            let()
        counts.append(len(clouds.count_statements(cloud.sessions, lambda: console_sessions.follow(cloud, proxies))))
    assert counts[1] <= counts[0] <= 8, counts


def test_old_sessions_are_forgotten_but_not_those_that_go_on(
    world: World, cloud: Cloud, proxies: Proxies, proxy: FakeProxy, let: Callable[..., str]
) -> None:
    ended, going_on = let(), let()
    proxy.end(ended, "idle")
    console_sessions.follow(cloud, proxies)
    with cloud.sessions.begin() as db:
        assert rows.purge(db, world.clock() + timedelta(seconds=1)) == 1
    assert set(known(cloud)) == {going_on}


def test_who_may_open_consoles_are_members_and_admins() -> None:
    assert policy.roles_for(Operation.CONSOLE_OPEN) == {Role.MEMBER, Role.ADMIN}


def test_tokens_are_counted_on_by_one_exchange_alone(world: World, cloud: Cloud, server: str) -> None:
    text = screens.token(cloud, world.caller, server, kind="novnc")
    assert screens.exchange(cloud, text, "req-1").instance.id == server
