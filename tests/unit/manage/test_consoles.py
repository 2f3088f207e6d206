"""Who was at which console, as an operator looks it up and ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloud import accounts, console_proxies
from cloud.console_proxies import Proxies
from common.consoles import Forward, Kind
from db.console_sessions import ConsoleSession
from tests.support.consoles import FakeProxy
from tests.unit.manage.conftest import Operator, Tenancy, statements

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
SERVERS = ("0" * 8 + "-0000-4000-8000-" + "0" * 12, "1" * 8 + "-0000-4000-8000-" + "0" * 12)


@pytest.fixture
def people(operator: Operator) -> dict[str, str]:
    """Ids of a user and of their project."""
    project = accounts.add_project(operator.cloud, "acme")
    user = accounts.add_user(operator.cloud, "ann", password="ann-secret", default_project="acme")
    return {"ann": user.id, "acme": project.id}


def session(number: int, *, server: str, user: str, project: str, ended: bool = False) -> ConsoleSession:
    return ConsoleSession(
        id=f"one-{number}",
        proxy="one:1",
        kind="websocket",
        protocol="rfb",
        instance_id=server,
        user_id=user,
        project_id=project,
        view_only=False,
        request_id="req-1",
        viewer="198.51.100.9:4000",
        granted_at=AT + timedelta(seconds=number),
        opened_at=AT + timedelta(seconds=number),
        ended_at=AT + timedelta(minutes=1) if ended else None,
        reason="viewer_left" if ended else None,
    )


@pytest.fixture
def sessions(operator: Operator, people: dict[str, str]) -> list[str]:
    """Sessions at two servers, of which one has ended; the newest first."""
    with operator.sessions.begin() as db:
        for number in range(3):
            ended = number == 0
            user = people["ann"] if number else "f" * 32
            db.add(session(number, server=SERVERS[number % 2], user=user, project=people["acme"], ended=ended))
    return ["one-2", "one-1", "one-0"]


def ids(operator: Operator, *arguments: str) -> list[str]:
    return [row["id"] for row in operator.json("console", "list", *arguments)]


def test_sessions_are_found_by_what_is_known_of_them(operator: Operator, sessions: list[str]) -> None:
    assert ids(operator) == sessions
    assert ids(operator, "--open") == ["one-2", "one-1"]
    assert ids(operator, "--server", SERVERS[0]) == ["one-2", "one-0"]
    assert ids(operator, "--user", "ann") == ["one-2", "one-1"]
    assert ids(operator, "--project", "acme", "--open", "--server", SERVERS[1]) == ["one-1"]
    assert ids(operator, "--link", "none") == []
    operator.run("console", "list", "--user", "nobody", code=1)


def test_a_long_list_has_pages(operator: Operator, sessions: list[str]) -> None:
    assert ids(operator, "--limit", "2") == sessions[:2]
    assert ids(operator, "--limit", "2", "--marker", sessions[1]) == sessions[2:]
    assert "marker" in operator.run("console", "list", "--marker", "nosuch", code=2).err


def test_a_session_is_shown_to_people_and_to_programs(operator: Operator, sessions: list[str]) -> None:
    shown = operator.json("console", "show", "one-0")
    assert (shown["reason"], shown["viewer"], shown["granted_at"]) == (
        "viewer_left",
        "198.51.100.9:4000",
        "2026-01-31T12:00:00Z",
    )
    assert "reason" in operator.run("console", "list", "--format", "table").out
    assert "viewer_left" in operator.run("console", "show", "one-0").out
    operator.run("console", "show", "nosuch", code=1)


def test_a_list_has_names_and_ids(operator: Operator, tenancy: Tenancy) -> None:
    people = {"ann": tenancy.user.id, "acme": tenancy.project.id}
    server = tenancy.create("web")
    with operator.sessions.begin() as db:
        for number in range(2):
            row = session(number, server=server.id, user=people["ann"], project=people["acme"])
            db.add(row)
    first, second = operator.json("console", "list")
    named = {key: first[key] for key in ("server", "server_id", "user", "user_id", "project", "project_id")}
    assert named == {
        "server": "web",
        "server_id": server.id,
        "user": "ann",
        "user_id": people["ann"],
        "project": "acme",
        "project_id": people["acme"],
    }
    assert operator.json("console", "show", second["id"]) == second
    table = operator.run("console", "list").out
    assert "web" in table
    assert "ann" in table
    asked = operator.run("console", "kill", first["id"], code=1, stdin="n\n").err
    assert "user ann at server web" in asked


def test_what_is_gone_goes_by_its_id(operator: Operator, sessions: list[str]) -> None:
    shown = operator.json("console", "show", "one-0")
    assert (shown["server"], shown["user"]) == (SERVERS[0], "f" * 32)


def test_a_list_of_many_is_as_many_statements_as_one_of_one(operator: Operator, sessions: list[str]) -> None:
    few = statements(lambda: operator.json("console", "list", "--limit", "1"))
    assert statements(lambda: operator.json("console", "list")) == few


def test_a_session_is_ended(operator: Operator, sessions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "[console] proxies" in operator.run("console", "kill", "--yes", "one-1", code=2).err
    proxy = FakeProxy("one")
    proxy.forward(
        Forward(
            host="192.0.2.7",
            port=11000,
            kind=Kind.WEBSOCKET,
            seconds=60,
            server=SERVERS[1],
            user="u",
            project="p",
            request_id="req-1",
        )
    )
    monkeypatch.setattr(console_proxies, "of", lambda _settings: Proxies({"one:1": proxy}))
    operator.run("console", "kill", "one-1", code=1, stdin="n\n")
    assert proxy.killed == []
    assert operator.json("console", "kill", "--yes", "one-1") == {"killed": "one-1"}
    assert proxy.killed == ["one-1"]
    operator.run("console", "kill", "--yes", "one-0", code=1)
