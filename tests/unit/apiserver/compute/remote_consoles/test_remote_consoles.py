"""Consoles of servers, as clients ask for them, and as the page trades what they are given."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import pytest
import sqlalchemy as sa

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import accounts
from cloud.context import Cloud
from common.console_proxy import ConsoleProxyRefused
from common.consoles import Kind, Protocol
from common.errors import Conflict, Unavailable
from db import console_sessions, console_tokens, instances, requests
from db.console_sessions import ConsoleSession
from db.console_tokens import ConsoleLink, ConsoleToken
from db.instances import State, Task
from db.users import Role
from tests.support import clouds
from tests.support.consoles import ADDRESS, NODE, FakeProxy, Places, desk
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, Standing
from tests.unit.apiserver.compute.remote_consoles.page import (
    LINKS,
    PATH,
    REVOKE,
    SESSIONS,
    STATUS,
    ask,
    refusal,
    token_of,
    trade,
)
from tests.unit.apiserver.conftest import Clock


@pytest.mark.parametrize("kind", ["novnc", "xvpvnc"])
def test_a_screen_is_a_url_of_the_page_with_a_token_for_which_nobody_is_asked(
    demo: Asking, active: str, places: Places, proxy: FakeProxy, kind: str
) -> None:
    console = ask(demo, active, "os-getVNCConsole", kind)
    assert console["type"] == kind
    assert console["url"].startswith("https://cloud.example/console/?token=")
    assert len(token_of(console["url"])) >= 43  # 256 bits, six in a letter
    assert (places.asked, proxy.asked) == ([], [])


@pytest.mark.parametrize(("protocol", "kind"), [("vnc", "novnc"), ("vnc", "xvpvnc")])
def test_a_remote_console_is_the_same(anyone: Asking, demo: Asking, active: str, protocol: str, kind: str) -> None:
    body = {"remote_console": {"protocol": protocol, "type": kind}}
    answer = demo.post(f"{PATH}/{active}/remote-consoles", body)
    assert answer.status_code == 200
    console = answer.json["remote_console"]
    assert (console["protocol"], console["type"]) == (protocol, kind)
    assert trade(anyone, token_of(console["url"]))["type"] == kind


def test_a_token_is_traded_for_a_place_at_the_proxy(
    anyone: Asking, token: str, active: str, places: Places, proxy: FakeProxy, clock: Clock
) -> None:
    session = trade(anyone, token)
    assert session == {
        "url": "wss://one.example:6080/?ticket=ticket-one-1",
        "type": "novnc",
        "view_only": False,
        "resume": session["resume"],
        "expires_at": "2026-01-31T20:00:00Z",
        "server": {"id": active, "name": "web", "status": "ACTIVE"},
    }
    (asked,) = proxy.asked
    assert (asked.host, asked.port, asked.kind, asked.protocol) == (ADDRESS, 11004, Kind.WEBSOCKET, Protocol.RFB)
    assert (asked.server, asked.take_over, asked.view_only, asked.tls_name) == (active, True, False, NODE)
    assert [guest.ganeti_name for guest in places.asked] == [f"syros-{active}"]


def test_a_token_is_used_up_and_what_it_is_traded_for_brings_its_holder_back_once(
    anyone: Asking, token: str, clock: Clock
) -> None:
    first = trade(anyone, token)
    assert "has been used" in refusal(anyone, SESSIONS, {"token": token}, 403)
    clock.forward(hours=7)
    second = trade(anyone, first["resume"])
    assert "has been used" in refusal(anyone, SESSIONS, {"token": first["resume"]}, 403)
    assert second["expires_at"] == first["expires_at"]
    clock.forward(hours=1)
    assert "expired" in refusal(anyone, SESSIONS, {"token": second["resume"]}, 403)


def test_a_token_that_nobody_was_given_is_unknown(anyone: Asking, token: str) -> None:
    for other in (token[:-1], token + "A", token[::-1], "x", "ä" * 40):
        assert "unknown" in refusal(anyone, SESSIONS, {"token": other}, 403)
    trade(anyone, token)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "token"),
        ({"token": 5}, "token"),
        ({"token": ""}, "token"),
        ({"token": "t" * 256}, "token"),
        ({"token": "a\u0000b"}, "token"),
        ({"token": "t", "more": 1}, "more"),
        ([], "object"),
    ],
)
def test_a_body_that_can_not_be_meant_is_refused_by_name(anyone: Asking, body: object, field: str) -> None:
    assert field in refusal(anyone, SESSIONS, body, 400)


def test_of_several_who_show_a_token_at_once_one_is_let_in(app: flask.Flask, token: str, proxy: FakeProxy) -> None:
    barrier = threading.Barrier(6)
    statuses: list[int] = []

    def run() -> None:
        barrier.wait(timeout=60)
        statuses.append(app.test_client().post(SESSIONS, json={"token": token}).status_code)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sorted(statuses) == [200, 403, 403, 403, 403, 403]
    assert len(proxy.asked) == 1


def test_a_token_expires(anyone: Asking, token: str, clock: Clock) -> None:
    clock.forward(seconds=600)
    assert "expired" in refusal(anyone, SESSIONS, {"token": token}, 403)


@pytest.mark.parametrize(
    ("error", "status"), [(Unavailable("no answer"), 503), (Conflict("no screen"), 409)], ids=["away", "no screen"]
)
def test_a_token_stays_good_when_ganeti_leads_to_no_console(
    anyone: Asking, token: str, places: Places, error: Exception, status: int
) -> None:
    places.error = error
    assert str(error) in refusal(anyone, SESSIONS, {"token": token}, status)
    places.error = None
    assert trade(anyone, token)["resume"]


def test_a_token_stays_good_when_no_proxy_answers(anyone: Asking, token: str, proxy: FakeProxy) -> None:
    proxy.silent = True
    answer = anyone.post(SESSIONS, {"token": token})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    proxy.silent = False
    resume = trade(anyone, token)["resume"]
    proxy.silent = True
    refusal(anyone, SESSIONS, {"token": resume}, 503)
    proxy.silent = False
    trade(anyone, resume)


@pytest.mark.parametrize(
    ("code", "field", "status"),
    [
        ("unreachable", None, 503),
        ("busy", None, 503),
        ("busy", "user", 403),
        ("unavailable", None, 503),
        ("unauthorized", None, 503),
        ("invalid", "host", 503),
    ],
)
def test_what_a_proxy_refuses_is_told_without_its_own_words(
    anyone: Asking, token: str, proxy: FakeProxy, code: str, field: str | None, status: int
) -> None:
    proxy.refusal = ConsoleProxyRefused(code, "('192.0.2.7', 11004) is filtered", field)
    assert "192.0.2.7" not in refusal(anyone, SESSIONS, {"token": token}, status)


@pytest.mark.parametrize(
    ("state", "task", "status"),
    [
        (State.STOPPED, None, 409),
        (State.BUILDING, Task.CREATING, 409),
        (State.ERROR, None, 409),
        (State.UNKNOWN, None, 409),
        (State.ACTIVE, Task.STOPPING, 409),
        (State.ACTIVE, Task.DELETING, 409),
        (State.ACTIVE, Task.REBUILDING, 409),
        (State.ACTIVE, Task.REBOOTING, 200),
        (State.ACTIVE, Task.MIGRATING, 200),
        (State.ACTIVE, Task.RESCUED, 200),
    ],
)
def test_only_a_server_that_runs_has_a_console(
    demo: Asking, active: str, become: Become, state: State, task: Task | None, status: int
) -> None:
    become(active, state, task)
    for action, kind in (("os-getVNCConsole", "novnc"), ("os-getSerialConsole", "serial"), ("console", "vnc")):
        answer = demo.post(f"{PATH}/{active}/action", {action: {"type": kind}})
        assert answer.status_code == status, answer.text


def test_a_server_that_has_stopped_meanwhile_keeps_the_token_good(
    anyone: Asking, token: str, active: str, become: Become
) -> None:
    become(active, State.STOPPED)
    assert refusal(anyone, SESSIONS, {"token": token}, 409).startswith("server web is stopped: ")
    become(active, State.ACTIVE, Task.STOPPING)
    assert refusal(anyone, SESSIONS, {"token": token}, 409).startswith("server web is stopping; ")
    become(active, State.ACTIVE)
    trade(anyone, token)


def _disable_user(cloud: Cloud, server: str) -> None:
    accounts.set_user_enabled(cloud, "demo", enabled=False)


def _close_project(cloud: Cloud, server: str) -> None:
    accounts.set_project_enabled(cloud, "demo", enabled=False)


def _take_role(cloud: Cloud, server: str) -> None:
    accounts.withdraw(cloud, user="demo", project="demo", role=Role.MEMBER)


def _only_reader(cloud: Cloud, server: str) -> None:
    accounts.grant(cloud, user="demo", project="demo", role=Role.READER)
    _take_role(cloud, server)


def _delete(cloud: Cloud, server: str) -> None:
    with cloud.sessions.begin() as db:
        row = instances.lock(db, server)
        assert row is not None
        row.state, row.deleted_at = State.DELETED, cloud.clock()


CHANGES = [_disable_user, _close_project, _take_role, _only_reader, _delete]


@pytest.mark.parametrize("change", CHANGES)
def test_tokens_are_refused_to_who_may_not_see_the_console_any_more(
    anyone: Asking, demo: Asking, active: str, token: str, cloud: Cloud, change: Any
) -> None:
    resume = trade(anyone, token)["resume"]
    fresh = token_of(ask(demo, active, "os-getVNCConsole", "novnc")["url"])
    link = anyone.post(LINKS, {"resume": resume, "seconds": 60}).json["link"]
    change(cloud, active)
    for text in (resume, fresh, token_of(link["url"])):
        refusal(anyone, SESSIONS, {"token": text}, 403)
    refusal(anyone, STATUS, {"resume": resume}, 403)
    refusal(anyone, LINKS, {"resume": resume, "seconds": 60}, 403)
    refusal(anyone, REVOKE, {"resume": resume, "id": link["id"]}, 403)


def test_others_tenants_servers_are_not_there(
    stranger: Asking, anyone: Asking, active: str, places: Places, proxy: FakeProxy
) -> None:
    for action, kind in (("os-getVNCConsole", "novnc"), ("os-getSerialConsole", "serial"), ("console", "vnc")):
        assert stranger.post(f"{PATH}/{active}/action", {action: {"type": kind}}).status_code == 404
    remote = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    assert stranger.post(f"{PATH}/{active}/remote-consoles", remote).status_code == 404
    assert stranger.get(f"{PATH}/{active}/console-links").status_code == 404
    assert stranger.post(f"{PATH}/{active}/console-links", {"console_link": {"seconds": 5}}).status_code == 404
    assert stranger.delete(f"{PATH}/{active}/console-links/x").status_code == 404
    assert anyone.get(f"{PATH}/{active}/console-links").status_code == 401
    assert (places.asked, proxy.asked) == ([], [])


def test_a_reader_opens_no_console(anyone: Asking, active: str) -> None:
    watcher = anyone.as_user("watcher")
    for action, kind in (("os-getVNCConsole", "novnc"), ("os-getSerialConsole", "serial"), ("console", "vnc")):
        assert watcher.post(f"{PATH}/{active}/action", {action: {"type": kind}}).status_code == 403
    assert watcher.post(f"{PATH}/{active}/console-links", {"console_link": {"seconds": 5}}).status_code == 403
    assert watcher.get(f"{PATH}/{active}/console-links").json == {"console_links": []}


def test_an_admin_opens_any_console(anyone: Asking, admin: Asking, active: str) -> None:
    session = trade(anyone, token_of(ask(admin, active, "os-getVNCConsole", "novnc")["url"]))
    assert session["server"]["id"] == active


def test_a_native_viewer_is_given_a_host_a_port_and_a_password(demo: Asking, active: str, proxy: FakeProxy) -> None:
    assert ask(demo, active, "console", "vnc") == {
        "type": "vnc",
        "host": "one.example",
        "port": 25_001,
        "password": "Vx81kQ0z",
    }
    assert proxy.asked[0].kind is Kind.VNC


def test_a_serial_console_is_a_websocket_at_once(demo: Asking, active: str, proxy: FakeProxy) -> None:
    url = ask(demo, active, "os-getSerialConsole", "serial")["url"]
    assert url == "wss://one.example:6080/?ticket=ticket-one-1"
    body = {"remote_console": {"protocol": "serial", "type": "serial"}}
    assert demo.post(f"{PATH}/{active}/remote-consoles", body).json["remote_console"]["url"].endswith("-2")
    asked = proxy.asked[0]
    assert (asked.protocol, asked.guest, asked.host, asked.port) == (Protocol.SERIAL, f"syros-{active}", ADDRESS, 8780)
    assert (asked.tls_name, asked.console_password, asked.take_over) == (NODE, "serial-token", False)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("os-getVNCConsole", {"type": "spice-html5"}),
        ("os-getVNCConsole", {}),
        ("os-getVNCConsole", None),
        ("os-getVNCConsole", {"type": ["novnc"]}),
        ("os-getSerialConsole", {"type": "novnc"}),
        ("console", {"type": "vnc-wss"}),
        ("console", "vnc"),
        ("os-getSPICEConsole", {"type": "spice-html5"}),
        ("os-getRDPConsole", {"type": "rdp-html5"}),
        ("os-getMKSConsole", {"type": "webmks"}),
    ],
)
def test_consoles_that_there_are_none_of_are_refused(demo: Asking, active: str, action: str, body: object) -> None:
    answer = demo.post(f"{PATH}/{active}/action", {action: body})
    assert (answer.status_code, list(answer.json)) == (400, ["badRequest"])


@pytest.mark.parametrize(
    "console",
    [
        {"protocol": "spice", "type": "spice-html5"},
        {"protocol": "vnc", "type": "serial"},
        {"protocol": "serial", "type": "novnc"},
        {"protocol": "vnc"},
        {"type": "novnc"},
        {"protocol": "vnc", "type": "novnc", "more": 1},
        {},
    ],
)
def test_remote_consoles_that_there_are_none_of_are_refused(demo: Asking, active: str, console: object) -> None:
    assert demo.post(f"{PATH}/{active}/remote-consoles", {"remote_console": console}).status_code == 400


def test_what_opens_a_console_takes_no_key(demo: Asking, active: str, cloud: Cloud) -> None:
    for action, kind in (("os-getVNCConsole", "novnc"), ("os-getSerialConsole", "serial"), ("console", "vnc")):
        answer = demo.post(f"{PATH}/{active}/action", {action: {"type": kind}}, Idempotency_Key=action)
        assert answer.status_code == 400
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    assert demo.post(f"{PATH}/{active}/remote-consoles", body, Idempotency_Key="k").status_code == 400


def test_where_no_proxy_is_set_up_nothing_is_shown(standing: Standing, active: str, token: str) -> None:
    bare = Asking(standing.app.test_client(), standing.tokens["demo"])
    for action, kind in (("os-getVNCConsole", "novnc"), ("os-getSerialConsole", "serial"), ("console", "vnc")):
        assert bare.post(f"{PATH}/{active}/action", {action: {"type": kind}}).status_code == 501
    assert "[console] proxies" in refusal(bare, SESSIONS, {"token": token}, 501)


def test_another_proxy_is_tried_when_one_does_not_answer(
    standing: Standing, cloud: Cloud, active: str, places: Places
) -> None:
    silent, good = FakeProxy("silent"), FakeProxy("good")
    silent.silent = True
    showing = replace(standing.cloud, console_desk=desk(places, silent, good))
    app = create_app(showing, ApiSettings(), bus_ready=lambda: True)
    demo = Asking(app.test_client(), standing.tokens["demo"])
    for number in range(1, 9):
        assert ask(demo, active, "console", "vnc")["port"] == 25_000 + number
    with cloud.sessions.read() as db:
        assert {row.proxy for row in db.scalars(sa.select(ConsoleSession))} == {"good:1"}


def test_status_tells_how_the_server_is_and_how_many_see_it(
    anyone: Asking, token: str, active: str, become: Become, cloud: Cloud
) -> None:
    resume = trade(anyone, token)["resume"]
    assert anyone.post(STATUS, {"resume": resume}).json["viewers"] == 0
    with cloud.sessions.begin() as db:
        db.execute(sa.update(ConsoleSession).values(opened_at=cloud.clock()))
    become(active, State.STOPPED)
    for _ in range(2):  # it is not used up
        answer = anyone.post(STATUS, {"resume": resume})
        assert answer.json == {"server": {"id": active, "name": "web", "status": "SHUTOFF"}, "viewers": 1}
    with cloud.sessions.read() as db:  # a page asks every few seconds: that is not worth a row each
        assert db.scalars(sa.select(requests.Request.path).where(requests.Request.path == STATUS)).all() == []


def test_nobody_is_asked_within_a_transaction(
    anyone: Asking, demo: Asking, token: str, active: str, places: Places, cloud: Cloud
) -> None:
    def write() -> None:
        with cloud.sessions.begin():  # SQLite's one write lock
            pass

    places.meanwhile = write
    trade(anyone, token)
    ask(demo, active, "os-getSerialConsole", "serial")
    ask(demo, active, "console", "vnc")
    assert len(places.asked) == 3


def test_what_is_secret_is_neither_kept_nor_logged(
    anyone: Asking, demo: Asking, active: str, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = token_of(ask(demo, active, "os-getVNCConsole", "novnc")["url"])
    session = trade(anyone, token)
    link = anyone.post(LINKS, {"resume": session["resume"], "seconds": 60}).json["link"]
    password = ask(demo, active, "console", "vnc")["password"]
    serial = ask(demo, active, "os-getSerialConsole", "serial")["url"]
    anyone.get(f"/console/?token={token}").close()
    refusal(anyone, SESSIONS, {"token": token}, 403)
    secrets = [
        token,
        session["resume"],
        token_of(link["url"]),
        password,
        *(parse_qs(urlsplit(url).query)["ticket"][0] for url in (session["url"], serial)),
        "serial-token",
    ]
    kept = [str(vars(record)) for record in caplog.records]
    with cloud.sessions.read() as db:
        for table in (ConsoleToken, ConsoleLink, ConsoleSession, requests.Request):
            kept += [str(vars(row)) for row in db.scalars(sa.select(table))]
    assert len(kept) > 10
    for secret in secrets:
        assert secret not in "\n".join(kept)


def test_the_pages_looks_fill_no_log_of_requests(anyone: Asking, demo: Asking, active: str, cloud: Cloud) -> None:
    session = trade(anyone, token_of(ask(demo, active, "os-getVNCConsole", "novnc")["url"]))
    assert anyone.post(STATUS, {"resume": session["resume"]}).status_code == 200
    refusal(anyone, STATUS, {"resume": "stranger"}, 403)
    with cloud.sessions.read() as db:
        kept = db.scalars(sa.select(requests.Request).where(requests.Request.path == STATUS)).all()
    assert [row.status for row in kept] == [403]


def test_each_session_is_a_row_of_who_was_let_in(
    anyone: Asking, demo: Asking, token: str, active: str, cloud: Cloud, clock: Clock
) -> None:
    trade(anyone, token)
    ask(demo, active, "os-getSerialConsole", "serial")
    with cloud.sessions.read() as db:
        rows = {row.id: row for row in console_sessions.page(db, console_sessions.Filter(instance_id=active), limit=9)}
    assert {(row.protocol, row.proxy, row.view_only) for row in rows.values()} == {
        ("rfb", "one:1", False),
        ("serial", "one:1", False),
    }
    assert {row.user_id is not None and row.request_id.startswith("req-") for row in rows.values()} == {True}
    assert {row.granted_at for row in rows.values()} == {clock.now}


def test_old_tokens_and_links_are_forgotten(anyone: Asking, token: str, cloud: Cloud, clock: Clock) -> None:
    resume = trade(anyone, token)["resume"]
    anyone.post(LINKS, {"resume": resume, "seconds": 60})
    with cloud.sessions.begin() as db:
        assert console_tokens.purge(db, clock.now + timedelta(seconds=61)) == 1
        assert console_tokens.purge(db, clock.now + timedelta(seconds=601)) == 1
        assert console_tokens.purge(db, clock.now + timedelta(hours=9)) == 1


def test_the_number_of_statements_is_fixed(anyone: Asking, demo: Asking, active: str, cloud: Cloud) -> None:
    url = ""

    def give() -> None:
        nonlocal url
        url = ask(demo, active, "os-getVNCConsole", "novnc")["url"]

    # the bearer, the server twice, the token, the log of requests
    assert len(clouds.count_statements(cloud.sessions, give)) <= 6
    assert len(clouds.count_statements(cloud.sessions, lambda: trade(anyone, token_of(url)))) <= 12
