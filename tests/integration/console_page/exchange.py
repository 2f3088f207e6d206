"""The console page on an app of its own, with an exchange that a test scripts: who sees what, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import flask

from apiserver import server
from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common import config
from db import schema
from db.sessions import Sessions

_numbers = itertools.count(1)
_FAULTS = {403: "forbidden", 409: "conflictingRequest", 503: "serviceUnavailable"}


@dataclass
class Console:
    """A server's console, as the exchange knows it."""

    #: gives the URL of a new session, for a viewer who may type or may not
    grant: Callable[[bool], str]
    name: str = "web1"
    status: str = "ACTIVE"
    viewers: int = 1
    #: what the next requests for a session are answered with instead: a status and a message
    refusals: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class Token:
    console: Console
    view_only: bool
    resumable: bool
    used: bool = False


class Exchange:
    """`offer` gives the page's URL; what the page asked for is in `asked`."""

    def __init__(self, folder: Path) -> None:
        self.origins: list[str] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.links: dict[str, Token] = {}
        self._tokens: dict[str, Token] = {}
        self._sessions = Sessions(config.Database(url=f"sqlite:///{folder}/syros.db"))
        schema.upgrade(self._sessions.engine)
        app = create_app(
            Cloud(self._sessions, CloudSettings()),
            ApiSettings(docs=False),
            bus_ready=lambda: True,
            console_origins=lambda: self.origins,
        )
        self._answers = {
            "sessions": self._session,
            "status": self._status,
            "links": self._link,
            "links/revoke": self._revoke,
        }
        app.before_request(self._answer)
        self._server = server.serve(app, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.port}"

    def offer(self, console: Console, *, view_only: bool = False, resumable: bool = True) -> str:
        return f"{self.url}/console/?token={self._token(console, view_only, resumable)}"

    def count(self, path: str) -> int:
        return sum(1 for asked, _ in self.asked if asked == path)

    def end_tokens(self) -> None:
        """Have none of the tokens be good any more."""
        for token in self._tokens.values():
            token.used = True

    def forget(self) -> None:
        """Begin anew."""
        for each in (self.origins, self.asked, self.links, self._tokens):
            each.clear()

    def stop(self) -> None:
        self._server.stop()
        self._sessions.close()

    def _token(self, console: Console, view_only: bool, resumable: bool) -> str:
        token = f"token-{next(_numbers)}"
        self._tokens[token] = Token(console, view_only, resumable)
        return token

    def _answer(self) -> flask.Response | None:
        """Answer in place of the app's own exchange."""
        _, found, path = flask.request.path.partition("/console/v1/")
        if not found:
            return None
        body = flask.request.get_json()
        self.asked.append((path, body))
        return self._answers[path](body)

    def _session(self, body: dict[str, Any]) -> flask.Response:
        found = self._tokens.get(body["token"])
        if found is None or found.used:
            return _refuse(403, "this token is unknown" if found is None else "this token has been used")
        console = found.console
        if console.refusals:
            return _refuse(*console.refusals.pop(0))
        found.used = True
        resume = self._token(console, found.view_only, True) if found.resumable else None
        session = {
            "url": console.grant(found.view_only),
            "type": "novnc",
            "view_only": found.view_only,
            "resume": resume,
            "expires_at": (datetime.now(UTC) + timedelta(hours=8)).isoformat(),
            "server": _server(console),
        }
        return flask.jsonify({"session": session})

    def _status(self, body: dict[str, Any]) -> flask.Response:
        token = self._tokens[body["resume"]]
        if token.used:
            return _refuse(403, "this token has been used")
        console = token.console
        return flask.jsonify({"server": _server(console), "viewers": console.viewers})

    def _link(self, body: dict[str, Any]) -> flask.Response:
        token = self._tokens[body["resume"]]
        name = f"link-{next(_numbers)}"
        self.links[name] = token
        until = datetime.now(UTC) + timedelta(seconds=body["seconds"])
        link = {"id": name, "url": self.offer(token.console, view_only=True), "expires_at": until.isoformat()}
        return flask.make_response({"link": link}, 201)

    def _revoke(self, body: dict[str, Any]) -> flask.Response:
        del self.links[body["id"]]
        return flask.make_response("", 204)


def _server(console: Console) -> dict[str, str]:
    return {"id": "5ae3a4cd-4f34-4bb5-ae3f-3a6a1b6a1d26", "name": console.name, "status": console.status}


def _refuse(status: int, message: str) -> flask.Response:
    return flask.make_response({_FAULTS[status]: {"code": status, "message": message}}, status)
