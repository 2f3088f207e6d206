"""What guests ask of 169.254.169.254, for the nodes' metadatad, which knows who asks and says so under a signature.

It is not for tenants. The scheme is Nova's (its configuration's `service_metadata_proxy`): the instance's id in a
header, and its HMAC-SHA256 under a shared secret, in hex, in another.
"""

from __future__ import annotations

import hashlib
import hmac

import flask

from apiserver import docs
from apiserver.resource import Resource
from apiserver.routing import Route, Service
from cloud import guest_metadata
from common import names
from common.errors import Forbidden, Invalid, NotFound

_ID, _SIGNATURE = "X-Instance-ID", "X-Instance-ID-Signature"
_FAULTS = {
    400: "A header is missing",
    403: "The signature is another",
    404: "No such instance, or nothing at this path, or no secret is set",
    503: "The key that user data is sealed with is not at hand",
}


class Documents(Resource):
    """An instance's metadata: `/openstack/<version>/…` and `/<version>/…`."""

    public = True

    @docs.operation(faults=_FAULTS)
    def get(self, path: str = "") -> flask.Response:
        """Give a document, or the list of those below a path, for the instance that X-Instance-ID names."""
        instance_id = _signed(self.front.settings.metadata_secret)
        found = guest_metadata.find(self.cloud, instance_id, path)
        return flask.Response(found.body, content_type=found.media_type, headers={"Cache-Control": "no-store"})


def _signed(secret: str) -> str:
    """Give the id that the headers name; raises Invalid, Forbidden, or NotFound."""
    if not secret:
        raise NotFound("there is no metadata service here")
    headers = flask.request.headers
    for name in (_ID, _SIGNATURE):
        if not headers.get(name):
            raise Invalid(f"{name}: a header is missing")
    wanted = hmac.new(secret.encode(), headers[_ID].encode(), hashlib.sha256).hexdigest()
    # bytes: of texts, only those in ASCII can be compared so
    if not hmac.compare_digest(wanted.encode(), headers[_SIGNATURE].encode()):
        raise Forbidden(f"{_SIGNATURE}: not that of this {_ID}")
    if not names.is_uuid(headers[_ID]):
        raise NotFound("there is no such instance")
    return headers[_ID]


SERVICE = Service(
    name="metadata",
    description="For metadatad on Ganeti's nodes",
    prefixes=("/metadata",),
    routes=(Route("/", Documents), Route("/<path:path>", Documents)),
)
