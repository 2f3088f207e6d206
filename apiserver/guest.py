"""Where Ganeti's nodes fetch what guests are given, tell how far a deployment is, and bring the copies of disks.

It is not for tenants, and no OpenStack API.

The token is the only credential. It comes in a header, so that no log of paths has it.
"""

from __future__ import annotations

import flask
from flask_restx import Model, fields

from apiserver import answers, docs, streams
from apiserver.resource import Resource
from apiserver.routing import Route, Service
from cloud import guests, image_copies
from common.errors import Invalid, Unauthorized
from db.images import DiskFormat

_SCHEME = "bearer"

_REDEMPTION = Model("Redemption", {"instance": fields.String(required=True, description="Ganeti's name for it")})
_REPORT = Model(
    "DeploymentProgress",
    {
        "instance": fields.String(required=True, description="Ganeti's name for it"),
        "percent": fields.Integer(required=True, min=0, max=100),
    },
)


class Redemptions(Resource):
    """Tokens of deployments, each good for one answer."""

    public = True

    @docs.operation(
        body=_REDEMPTION,
        faults={400: "Bad request", 401: "Unknown token", 410: "Used, expired, or its deployment has ended"},
    )
    def post(self) -> flask.Response:
        """Give what an instance's guest is to have, once; the token is the Authorization header's Bearer."""
        body = self.body()
        body.only("instance")
        found = guests.redeem(self.cloud, _token(), ganeti_name=body.text("instance", shortest=1))
        return answers.json(found, headers={"Cache-Control": "no-store"})


class Copies(Resource):
    """Copies of servers' disks, each the file of one image."""

    public = True

    @docs.operation(
        status=204,
        query={"disk_format": "qcow2 or raw"},
        faults={
            400: "The file is not of that format, or ended early",
            401: "Unknown token, or another image's",
            404: "No id of an image",
            410: "Used, or its job has ended, or the image is gone",
            413: "The file is too large, or the quota is used up",
            415: "Not application/octet-stream",
            503: "The image store is full or away",
        },
    )
    def put(self, image_id: str) -> flask.Response:
        """Bring an image its file, once: application/octet-stream; the token is the Authorization header's Bearer."""
        with streams.upload() as (stream, length):
            form = _FORMATS.get(self.args.get("disk_format", ""))
            if form is None:
                raise Invalid(f"disk_format: {' or '.join(_FORMATS)} is expected")
            image_copies.receive(self.cloud, _token(), image_id, stream, form=form, length=length)
        return answers.empty(204)


_FORMATS = {"qcow2": DiskFormat.QCOW2, "raw": DiskFormat.RAW}


class Reports(Resource):
    """How far deployments have come."""

    public = True

    @docs.operation(
        body=_REPORT,
        status=204,
        faults={400: "Bad request", 401: "Unknown token", 410: "Not redeemed, or its deployment has ended"},
    )
    def post(self) -> flask.Response:
        """Take in how far a deployment has come; the token is the one that it has redeemed."""
        body = self.body()
        body.only("instance", "percent")
        name, percent = body.text("instance", shortest=1), body.integer("percent", most=100)
        guests.report(self.cloud, _token(), ganeti_name=name, percent=percent)
        return answers.empty(204)


def _token() -> str:
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != _SCHEME or not token.strip():
        raise Unauthorized("a token is missing: Authorization: Bearer <token>")
    return token.strip()


SERVICE = Service(
    name="guest",
    description="For what runs on Ganeti's nodes",
    prefixes=("/guest/v1",),
    routes=(
        Route("/redeem", Redemptions),
        Route("/progress", Reports),
        Route("/images/<image_id>", Copies),
    ),
    models=(_REDEMPTION, _REPORT),
)
