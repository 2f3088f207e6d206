"""Consoles of servers, as clients ask for them: Nova's actions and remote-consoles, Cyclades' action, our links."""

from __future__ import annotations

from collections.abc import Callable

import flask
from flask_restx import Model, fields

from apiserver import answers, console_urls, docs, idempotency
from apiserver.compute import models
from apiserver.compute.resource import Resource
from apiserver.validation import Body, printable
from cloud import console_links, screens
from common.errors import Invalid
from db.console_tokens import ConsoleLink as Link

#: what opens a console is for who asked, once
_PRIVATE = {"Cache-Control": "no-store"}
_SCREENS = ("novnc", "xvpvnc")

_FAULTS = {
    **models.CHANGE_FAULTS,
    400: "The body can't be meant, or there are no consoles of this type",
    409: "The server does not run, is busy, or has no screen in reach",
    501: "No console proxy is set up",
    503: "Ganeti, the proxy or the console does not answer",
}

_WANTED = Model(
    "RemoteConsoleWanted",
    {
        "protocol": fields.String(required=True, enum=["vnc", "serial"]),
        "type": fields.String(required=True, enum=["novnc", "xvpvnc", "serial"]),
    },
)
_GIVEN = Model(
    "RemoteConsole",
    {
        "protocol": fields.String(enum=["vnc", "serial"]),
        "type": fields.String(enum=["novnc", "xvpvnc", "serial"]),
        "url": fields.String(description="Good for one opening"),
    },
)
_REQUEST = Model("RemoteConsoleRequest", {"remote_console": fields.Nested(_WANTED, required=True)})
_ANSWER = Model("RemoteConsoleAnswer", {"remote_console": fields.Nested(_GIVEN)})
_LINK = Model(
    "ConsoleLink",
    {
        "id": fields.String,
        "user_id": fields.String(description="Who has made it"),
        "created_at": fields.DateTime,
        "expires_at": fields.DateTime,
        "url": fields.String(description="When it is made, and never again"),
    },
)
_LINKS = Model(
    "ConsoleLinks",
    {
        "console_links": fields.List(fields.Nested(_LINK)),
        "console_links_links": fields.List(fields.Nested(models.LINK)),
    },
)
_LINK_ANSWER = Model("ConsoleLinkAnswer", {"console_link": fields.Nested(_LINK)})
_NEW_LINK = Model(
    "NewConsoleLink", {"seconds": fields.Integer(required=True, min=1, description="How long it is to last")}
)
_NEW_LINK_BODY = Model("NewConsoleLinkBody", {"console_link": fields.Nested(_NEW_LINK, required=True)})

MODELS = (_WANTED, _GIVEN, _REQUEST, _ANSWER, _LINK, _LINKS, _LINK_ANSWER, _NEW_LINK, _NEW_LINK_BODY)


class RemoteConsoles(Resource):
    """Consoles of a server. Nova's from 2.6 on, served here whatever the version."""

    @docs.operation(body=_REQUEST, gives=_ANSWER, faults=_FAULTS)
    def post(self, server_id: str) -> flask.Response:
        """Give the URL of a console."""
        _check_key()
        body = self.body()
        body.only("remote_console")
        wanted = body.nested("remote_console")
        wanted.only("protocol", "type")
        protocol, kind = wanted.text("protocol", longest=32), wanted.text("type", longest=32)
        if (protocol, kind) not in _REMOTE:
            raise Invalid(
                f"remote_console: there are no consoles of protocol {printable(protocol)} and type {printable(kind)}; "
                f"there are {', '.join(f'{one} and {other}' for one, other in _REMOTE)}"
            )
        console = {"protocol": protocol, "type": kind, "url": _REMOTE[protocol, kind](self, server_id, kind)}
        return answers.json({"remote_console": console}, headers=_PRIVATE)


class ConsoleLinks(Resource):
    """Links by which a server's screen may be watched: Syros' own."""

    @docs.operation(
        gives=_LINKS,
        query={"limit": "how many", "marker": "the id of the last one seen"},
        faults={**models.LOOK_FAULTS, 400: "A parameter can't be meant"},
    )
    def get(self, server_id: str) -> flask.Response:
        """List the links that may still be opened, newest first."""
        page = self.page()
        found = console_links.page(self.cloud, self.caller, server_id, limit=page.limit, marker=page.marker)
        ids = [link.id for link in found]
        return answers.json(self.listed("console_links", [_view(link) for link in found], page, ids))

    @docs.operation(
        body=_NEW_LINK_BODY,
        gives=_LINK_ANSWER,
        status=201,
        faults={**models.CHANGE_FAULTS, 409: "There are as many as there may be", 501: "No console proxy is set up"},
    )
    def post(self, server_id: str) -> flask.Response:
        """Make a link: who has it may watch, and not type, as often as they like, until it expires or is revoked."""
        body = self.body()
        body.only("console_link")
        wanted = body.nested("console_link")
        wanted.only("seconds")
        made = console_links.create(self.cloud, self.caller, server_id, seconds=wanted.integer("seconds", least=1))
        document = {**_view(made.link), "url": console_urls.of_token(self.front, made.token)}
        return answers.json({"console_link": document}, 201, _PRIVATE)


class ConsoleLink(Resource):
    """One of these links."""

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, server_id: str, link_id: str) -> flask.Response:
        """Revoke a link; the sessions that came by it end soon after."""
        console_links.revoke(self.cloud, self.caller, server_id, link_id)
        return answers.empty(204)


def vnc_console(asked: Resource, server_id: str, body: Body) -> flask.Response:
    """Nova's os-getVNCConsole: the URL of a page that shows the screen."""
    _check_key()
    kind = body.nested("os-getVNCConsole").text("type", longest=32)
    if kind not in _SCREENS:
        raise Invalid(f"os-getVNCConsole.type: {' or '.join(_SCREENS)} is expected, not {printable(kind)}")
    return answers.json({"console": {"type": kind, "url": _screen(asked, server_id, kind)}}, headers=_PRIVATE)


def serial_console(asked: Resource, server_id: str, body: Body) -> flask.Response:
    """Nova's os-getSerialConsole: the URL of a WebSocket that is the serial port."""
    _check_key()
    kind = body.nested("os-getSerialConsole").text("type", longest=32)
    if kind != "serial":
        raise Invalid(f"os-getSerialConsole.type: serial is expected, not {printable(kind)}")
    return answers.json({"console": {"type": kind, "url": _serial(asked, server_id, kind)}}, headers=_PRIVATE)


def native_console(asked: Resource, server_id: str, body: Body) -> flask.Response:
    """Cyclades' console: where a native viewer of VNC goes, and the password that it shows."""
    _check_key()
    kind = body.nested("console").text("type", longest=32)
    if kind != "vnc":
        raise Invalid(f"console.type: vnc is expected, not {printable(kind)}")
    given = screens.native(asked.cloud, asked.caller, server_id)
    console = {"type": kind, "host": given.host, "port": given.port, "password": given.secret}
    return answers.json({"console": console}, headers=_PRIVATE)


def unavailable(name: str, kind: str) -> Callable[[Resource, str, Body], flask.Response]:
    """Make the refusal of consoles that there are none of, which is Nova's (ConsoleTypeUnavailable)."""

    def refuse(_asked: Resource, _server_id: str, _body: Body) -> flask.Response:
        raise Invalid(f"Unavailable console type {kind}: {name} is not served; screens are VNC's")

    return refuse


def _screen(asked: Resource, server_id: str, kind: str) -> str:
    return console_urls.of_token(asked.front, screens.token(asked.cloud, asked.caller, server_id, kind=kind))


def _serial(asked: Resource, server_id: str, _kind: str) -> str:
    return screens.serial(asked.cloud, asked.caller, server_id)


def _check_key() -> None:
    if flask.request.headers.get(idempotency.HEADER) is not None:
        raise Invalid(f"{idempotency.HEADER}: what opens a console is good for one opening, and takes no key")


def _view(link: Link) -> dict[str, object]:
    return {"id": link.id, "user_id": link.user_id, "created_at": link.created_at, "expires_at": link.expires_at}


#: by protocol and type
_REMOTE: dict[tuple[str, str], Callable[[Resource, str, str], str]] = {
    ("vnc", "novnc"): _screen,
    ("vnc", "xvpvnc"): _screen,
    ("serial", "serial"): _serial,
}
