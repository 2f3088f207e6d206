"""The version document, by which clients find their way; no token is needed."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.network.resource import Resource

#: what lists of a version's resources name
_RESOURCES = ("networks", "subnets", "ports", "security-groups", "security-group-rules")


class Versions(Resource):
    """All versions: there is one."""

    public = True

    @docs.operation()
    def get(self) -> flask.Response:
        """List the versions of the Network API."""
        links = [{"rel": "self", "href": self.urls.absolute("/network/v2.0/")}]
        return answers.json({"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})


class Resources(Resource):
    """What version 2.0 has."""

    @docs.operation(faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List the resources of version 2.0."""
        found = [
            {
                "name": name.removesuffix("s"),
                "collection": name,
                "links": [{"rel": "self", "href": self.urls.absolute(f"/network/v2.0/{name}")}],
            }
            for name in _RESOURCES
        ]
        return answers.json({"resources": found})
