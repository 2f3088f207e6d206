"""The base of the Compute API's handlers: microversions, links, pages."""

from __future__ import annotations

from collections.abc import Sequence

import flask

from apiserver import idempotency, paging, resource
from apiserver.compute import microversions
from apiserver.compute.links import Links
from cloud import ports, security_groups
from cloud.context import Cloud
from db.ports import Shown


class Resource(resource.Resource):
    """A path's methods, below a version of the Compute API."""

    def dispatch_request(self, **variables: str) -> flask.Response:
        """Settle the microversion, then who asks, then call the method; once, for a POST that has a key."""
        if variables.get("version") == microversions.PATH:
            flask.after_this_request(microversions.mark)
            microversions.check(flask.request.headers)
        key = flask.request.headers.get(idempotency.HEADER)
        if key is None or flask.request.method != "POST":
            return super().dispatch_request(**variables)

        def run(cloud: Cloud) -> flask.Response:
            self.cloud = cloud
            return resource.Resource.dispatch_request(self, **variables)

        return idempotency.answer(self.cloud, self.caller, key, run)

    @property
    def links(self) -> Links:
        """Links to what answers name, in the version that the request's path has."""
        return Links(self.urls, self.version)

    def addresses_of(self, server_id: str) -> Sequence[Shown]:
        """Tell a server's addresses."""
        return ports.shown(self.cloud, [server_id]).get(server_id, ())

    def groups_of(self, server_id: str) -> Sequence[str]:
        """Tell the names of a server's security groups."""
        return security_groups.of_servers(self.cloud, [server_id]).get(server_id, ())

    def listed(self, key: str, items: Sequence[object], page: paging.Page, ids: list[str]) -> dict[str, object]:
        """Make a list's document, with the link to its next page."""
        document: dict[str, object] = {key: items}
        following = paging.next_link(self.urls, page, ids)
        if following is not None:
            document[f"{key}_links"] = [{"rel": "next", "href": following}]
        return document
