"""Who was at which console, as an operator looks it up and ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloud import accounts, console_proxies
from cloud.console_proxies import Proxies
from common.consoles import Forward, Kind
from db.console_sessions import ConsoleSession
from tests.support.consoles import FakeProxy
from tests.unit.manage.conftest import Operator

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
SERVERS = ("0" * 8 + "-0000-4000-8000-" + "0" * 12, "1" * 8 + "-0000-4000-8000-" + "0" * 12)


@pytest.fixture
def people(operator: Operator) -> dict[str, str]:
    """Ids of a user and of their project."""
    project = accounts.add_project(operator.cloud, "acme")
    user = accounts.add_user(operator.cloud, "ann", password="ann-secret", default_project="acme")
    return {"ann": user.id, "acme": project.id}


@pytest.fixture
def sessions(operator: Operator, people: dict[str, str]) -> list[str]:
    """Sessions at two servers, of which one has ended; the newest first."""
    with operator.sessions.begin() as db:
        for number in range(3):
            ended = number == 0
            db.add(
                ConsoleSession(
                    id=f"one-{number}",
                    proxy="one:1",
                    kind="websocket",
                    protocol="rfb",
                    instance_id=SERVERS[number % 2],
                    user_id=people["ann"] if number else "f" * 32,
                    project_id=people["acme"],
                    view_only=False,
                    request_id="req-1",
                    viewer="198.51.100.9:4000",
                    granted_at=AT + timedelta(seconds=number),
                    opened_at=AT + timedelta(seconds=number),
                    ended_at=AT + timedelta(minutes=1) if ended else None,
                    reason="viewer_left" if ended else None,
                )
            )
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
