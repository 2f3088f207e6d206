"""The console page's files: which are served, by which rules, and that noVNC's are as they were released."""

from __future__ import annotations

import hashlib

import flask
import pytest

from apiserver import console_files
from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud.context import Cloud
from cloud.settings import CloudSettings
from db.sessions import Sessions

NOVNC = console_files.FOLDER / "novnc"


def test_the_page_is_kept_by_nobody_and_loads_nothing_but_its_own_files(sessions: Sessions) -> None:
    app = create_app(
        Cloud(sessions, CloudSettings()),
        ApiSettings(),
        bus_ready=lambda: True,
        console_origins=lambda: ("wss://console.example:6080",),
    )
    with app.test_client().get("/console/?token=t") as page:
        assert b"load.js" in page.data
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    policy = dict(rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self' wss://console.example:6080"
    assert {policy[rule] for rule in ("script-src", "style-src")} == {"'self'"}
    assert {policy[rule] for rule in ("frame-ancestors", "base-uri", "form-action")} == {"'none'"}


def test_files_are_asked_about_again(app: flask.Flask) -> None:
    with app.test_client().get("/console/main.js") as first:
        assert first.data.startswith(b"//")
    assert (first.status_code, first.mimetype, first.headers["Cache-Control"]) == (200, "text/javascript", "no-cache")
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    with app.test_client().get("/console/main.js", headers={"If-None-Match": first.headers["ETag"]}) as again:
        assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "index.html", "novnc/README.md", "novnc/SHA256SUMS", "../app.py", "..%2fapp.py", "novnc/core"],
)
def test_nothing_else_is_served(app: flask.Flask, path: str) -> None:
    assert app.test_client().get(f"/console/{path}").status_code == 404


def test_without_its_slash_the_page_is_where_it_is(app: flask.Flask) -> None:
    found = app.test_client().get("/console?token=t")
    assert found.status_code == 308
    assert found.headers["Location"].endswith("/console/?token=t")


def test_novnc_is_as_it_was_released() -> None:
    sums = dict(line.split()[::-1] for line in (NOVNC / "SHA256SUMS").read_text().splitlines())
    kept = {str(path.relative_to(NOVNC)) for path in NOVNC.rglob("*") if path.is_file()}
    assert kept == {*sums, "README.md", "SHA256SUMS"}
    for name, wanted in sums.items():
        assert hashlib.sha256((NOVNC / name).read_bytes()).hexdigest() == wanted, name
