"""Version documents, by which clients find their way; no token is needed."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.identity import views
from apiserver.resource import Resource

_UPDATED = "2020-04-07T00:00:00Z"


class Versions(Resource):
    """All versions."""

    public = True

    @docs.operation(status=300)
    def get(self) -> flask.Response:
        """List the versions of the Identity API."""
        url = views.home(self.front)
        return answers.json({"versions": {"values": [_v3(url), _v2(url)]}}, 300, {"Location": f"{url}/v3/"})


class V3(Resource):
    """Version 3."""

    public = True

    def get(self) -> flask.Response:
        """Describe version 3."""
        return answers.json({"version": _v3(views.home(self.front))})


class V2(Resource):
    """Version 2.0."""

    public = True

    def get(self) -> flask.Response:
        """Describe version 2.0."""
        return answers.json({"version": _v2(views.home(self.front))})


def _v3(url: str) -> dict[str, object]:
    return _version(f"{url}/v3/", "v3.14", status="stable", media_type="application/vnd.openstack.identity-v3+json")


def _v2(url: str) -> dict[str, object]:
    return _version(
        f"{url}/v2.0/", "v2.0", status="deprecated", media_type="application/vnd.openstack.identity-v2.0+json"
    )


def _version(url: str, name: str, *, status: str, media_type: str) -> dict[str, object]:
    return {
        "id": name,
        "status": status,
        "updated": _UPDATED,
        "links": [{"rel": "self", "href": url}],
        "media-types": [{"base": answers.JSON, "type": media_type}],
    }
