"""Version documents, by which clients find their way; no token is needed."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.resource import Resource

_VERSIONS = (("v2.9", "CURRENT"), ("v2.0", "SUPPORTED"))


class Versions(Resource):
    """All versions."""

    public = True

    @docs.operation(status=300, faults={200: "At /image/versions"})
    def get(self) -> flask.Response:
        """List the versions of the Image API."""
        links = [{"rel": "self", "href": self.urls.absolute("/image/v2/")}]
        found = [{"id": name, "status": status, "links": links} for name, status in _VERSIONS]
        return answers.json({"versions": found}, 200 if flask.request.path.endswith("/versions") else 300)
