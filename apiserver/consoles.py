"""What the console page asks: a token for a way to a console proxy, how the server is, and links for others.

It is no OpenStack API. The tokens are the only credentials; they come in bodies, so that no log of paths has them.
"""

from __future__ import annotations

import flask
from flask_restx import Model, fields

from apiserver import answers, console_urls, docs
from apiserver.compute import statuses
from apiserver.compute.statuses import Status
from apiserver.resource import Resource
from apiserver.routing import Route, Service
from cloud import console_links, screens
from db.instances import Instance

#: a console's answers are for who asked, once
_PRIVATE = {"Cache-Control": "no-store"}

#: characters of a token: more than any of ours has
_LONGEST = 255

_TOKEN_FAULTS = {
    400: "The body can't be meant",
    403: "The token is unknown, used, expired or revoked, or its holder may not see the console any more",
}
_SERVER = Model(
    "ConsoleServer",
    {"id": fields.String, "name": fields.String, "status": fields.String(enum=list(Status))},
)
_EXCHANGE = Model(
    "ConsoleExchange", {"token": fields.String(required=True, description="A console's, a resume token, or a link's")}
)
_SESSION = Model(
    "ConsoleSession",
    {
        "url": fields.String(description="Of the WebSocket, with its ticket: good for one connection, soon"),
        "type": fields.String(enum=["novnc", "xvpvnc"]),
        "view_only": fields.Boolean,
        "resume": fields.String(description="What to show next time; of one use, but for a link's"),
        "expires_at": fields.DateTime(description="When `resume` does"),
        "server": fields.Nested(_SERVER),
    },
)
_SESSION_ANSWER = Model("ConsoleSessionAnswer", {"session": fields.Nested(_SESSION)})
_RESUME = Model("ConsoleResume", {"resume": fields.String(required=True)})
_STATUS = Model(
    "ConsoleStatus",
    {"server": fields.Nested(_SERVER), "viewers": fields.Integer(description="Sessions that see its screen")},
)
_NEW_LINK = Model(
    "NewConsoleLinkByToken",
    {
        "resume": fields.String(required=True),
        "seconds": fields.Integer(required=True, min=1, description="How long the link is to last"),
    },
)
_LINK = Model("ConsoleLinkByToken", {"id": fields.String, "url": fields.String, "expires_at": fields.DateTime})
_LINK_ANSWER = Model("ConsoleLinkByTokenAnswer", {"link": fields.Nested(_LINK)})
_REVOCATION = Model(
    "ConsoleLinkRevocation", {"resume": fields.String(required=True), "id": fields.String(required=True)}
)


class Sessions(Resource):
    """Ways to consoles."""

    public = True

    @docs.operation(
        body=_EXCHANGE,
        gives=_SESSION_ANSWER,
        faults={
            **_TOKEN_FAULTS,
            409: "The server does not run, is busy, or has no screen in reach; the token stays good",
            501: "No console proxy is set up",
            503: "Ganeti, the proxy or the console does not answer; the token stays good",
        },
    )
    def post(self) -> flask.Response:
        """Trade a token for a way to a server's screen; the token is used up, but for a link's."""
        body = self.body()
        body.only("token")
        opened = screens.exchange(self.cloud, body.text("token", shortest=1, longest=_LONGEST), self.request_id)
        session = {
            "url": opened.url,
            "type": opened.type,
            "view_only": opened.view_only,
            "resume": opened.resume,
            "expires_at": opened.expires_at,
            "server": _server(opened.instance),
        }
        return answers.json({"session": session}, headers=_PRIVATE)


class Statuses(Resource):
    """How servers are whose screens are open."""

    public = True

    @docs.operation(body=_RESUME, gives=_STATUS, faults=_TOKEN_FAULTS)
    def post(self) -> flask.Response:
        """Tell how the server is, and how many see its screen; the token is not used up."""
        body = self.body()
        body.only("resume")
        sight = screens.status(self.cloud, body.text("resume", shortest=1, longest=_LONGEST))
        return answers.json({"server": _server(sight.instance), "viewers": sight.viewers}, headers=_PRIVATE)


class Links(Resource):
    """Links by which others may watch."""

    public = True

    @docs.operation(
        body=_NEW_LINK,
        gives=_LINK_ANSWER,
        status=201,
        faults={**_TOKEN_FAULTS, 409: "The server has as many links as it may have", 501: "No console proxy is set up"},
    )
    def post(self) -> flask.Response:
        """Make a view-only link, which may be opened until it expires or is revoked; the token is not used up."""
        body = self.body()
        body.only("resume", "seconds")
        seconds = body.integer("seconds", least=1)
        made = console_links.create_by_token(
            self.cloud, body.text("resume", shortest=1, longest=_LONGEST), seconds=seconds
        )
        link = {
            "id": made.link.id,
            "url": console_urls.of_token(self.front, made.token),
            "expires_at": made.link.expires_at,
        }
        return answers.json({"link": link}, 201, _PRIVATE)


class Revocations(Resource):
    """Ends of links."""

    public = True

    @docs.operation(body=_REVOCATION, status=204, faults={**_TOKEN_FAULTS, 404: "The server has no such link"})
    def post(self) -> flask.Response:
        """End a link, and soon the sessions that came by it; the token is not used up."""
        body = self.body()
        body.only("resume", "id")
        text, link_id = body.text("resume", shortest=1, longest=_LONGEST), body.text("id", shortest=1)
        console_links.revoke_by_token(self.cloud, text, link_id)
        return answers.empty(204)


def _server(instance: Instance) -> dict[str, object]:
    return {"id": instance.id, "name": instance.name, "status": statuses.STATUSES[instance.state, instance.task]}


SERVICE = Service(
    name="console sessions",
    description="For the console page",
    prefixes=("/console/v1",),
    routes=(
        Route("/sessions", Sessions),
        Route("/status", Statuses),
        Route("/links", Links),
        Route("/links/revoke", Revocations),
    ),
    models=(
        _SERVER, _EXCHANGE, _SESSION, _SESSION_ANSWER, _RESUME, _STATUS, _NEW_LINK, _LINK, _LINK_ANSWER, _REVOCATION,
    ),
)  # fmt: skip
