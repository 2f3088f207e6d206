"""Consoles on both databases: a token opens one console, whoever shows it at once; sessions end when they have to."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from cloud import console_links, console_sessions, screens
from cloud.console_proxies import Proxies
from cloud.context import Cloud
from common.errors import Forbidden, Unavailable
from db import console_tokens
from db.console_sessions import ConsoleSession, Filter
from db.instances import Instance, State
from tests.support.clouds import World
from tests.support.consoles import FakeProxy, Places, desk

AT_ONCE = 8


@pytest.fixture
def proxy() -> FakeProxy:
    return FakeProxy()


@pytest.fixture
def cloud(world: World, proxy: FakeProxy) -> Cloud:
    return replace(world.cloud, console_desk=desk(Places(), proxy))


@pytest.fixture
def server(world: World) -> str:
    """A server that runs."""
    server = world.create_one()
    with world.cloud.sessions.begin() as db:
        db.execute(sa.update(Instance).where(Instance.id == server).values(state=State.ACTIVE, task=None))
    return server


def _race(cloud: Cloud, text: str) -> list[str]:
    """Show a token from several threads at once; give what became of each."""
    barrier, ends = threading.Barrier(AT_ONCE), []

    def run() -> None:
        barrier.wait(timeout=60)
        try:
            ends.append(screens.exchange(cloud, text, "req-1").resume)
        except Forbidden:
            ends.append("")

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return ends


def test_of_many_who_show_a_token_at_once_one_is_let_in(
    world: World, cloud: Cloud, proxy: FakeProxy, server: str
) -> None:
    text = screens.token(cloud, world.caller, server, kind="novnc")
    for number in range(1, 4):  # the console's token, then what brings its holder back
        ends = _race(cloud, text)
        assert len(ends) == AT_ONCE
        assert len(proxy.asked) == number
        (text,) = filter(None, ends)


def test_a_token_that_was_given_back_is_used_up_by_the_next(
    world: World, cloud: Cloud, proxy: FakeProxy, server: str
) -> None:
    text = screens.token(cloud, world.caller, server, kind="novnc")
    proxy.silent = True
    with pytest.raises(Unavailable):
        screens.exchange(cloud, text, "req-1")
    proxy.silent = False
    assert len(list(filter(None, _race(cloud, text)))) == 1


def test_sessions_are_followed_and_ended(world: World, cloud: Cloud, proxy: FakeProxy, server: str) -> None:
    proxies = Proxies({f"{proxy.name}:1": proxy})
    link = console_links.create(cloud, world.caller, server, seconds=60)
    own = screens.exchange(cloud, screens.token(cloud, world.caller, server, kind="novnc"), "req-1")
    screens.exchange(cloud, link.token, "req-2")
    for session in list(proxy.open):
        proxy.enter(session)
    console_sessions.follow(cloud, proxies)
    assert screens.status(cloud, own.resume).viewers == 2
    console_links.revoke(cloud, world.caller, server, link.link.id)
    console_sessions.follow(cloud, proxies)
    console_sessions.follow(cloud, proxies)
    assert screens.status(cloud, own.resume).viewers == 1
    with cloud.sessions.begin() as db:
        db.execute(
            sa.update(Instance).where(Instance.id == server).values(state=State.DELETED, deleted_at=world.clock())
        )
    console_sessions.follow(cloud, proxies)
    console_sessions.follow(cloud, proxies)
    rows = console_sessions.page(cloud, Filter(instance_id=server, open=False), limit=9)
    assert [row.reason for row in rows] == ["killed", "killed"]
    (following,) = console_sessions.page(cloud, Filter(), limit=1, marker=rows[0].id)
    assert following.id == rows[1].id
    with cloud.sessions.begin() as db:
        assert console_tokens.purge(db, world.clock.tick(90_000)) == 3
        assert db.scalar(sa.select(sa.func.count()).select_from(ConsoleSession)) == 2


def test_two_dispatchers_at_once_take_in_the_same(world: World, cloud: Cloud, proxy: FakeProxy, server: str) -> None:
    proxies = Proxies({f"{proxy.name}:1": proxy})
    for _ in range(6):
        screens.exchange(cloud, screens.token(cloud, world.caller, server, kind="novnc"), "req-1")
    for session in list(proxy.open)[:4]:
        proxy.end(session, "viewer_left")
    console_sessions.follow(cloud, proxies)
    barrier = threading.Barrier(2)

    def run() -> None:
        barrier.wait(timeout=60)
        console_sessions.follow(cloud, proxies)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    rows = console_sessions.page(cloud, Filter(), limit=9)
    assert sorted(str(row.reason) for row in rows) == ["None"] * 2 + ["viewer_left"] * 4
