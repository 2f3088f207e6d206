"""A server's metadata: the whole, and item by item."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.compute import models, server_bodies
from apiserver.compute.resource import Resource
from cloud import instances
from common.errors import NotFound


class Metadata(Resource):
    """All of a server's metadata."""

    @docs.operation(gives=models.METADATA, faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """Show a server's metadata."""
        found = instances.get(self.cloud, self.caller, server_id)
        return answers.json({"metadata": found.meta})

    @docs.operation(body=models.METADATA, gives=models.METADATA, faults=models.CHANGE_FAULTS)
    def post(self, server_id: str) -> flask.Response:
        """Add and change items; the others stay."""
        return self._set(server_id, replace=False)

    @docs.operation(body=models.METADATA, gives=models.METADATA, faults=models.CHANGE_FAULTS)
    def put(self, server_id: str) -> flask.Response:
        """Replace all items by these."""
        return self._set(server_id, replace=True)

    def _set(self, server_id: str, *, replace: bool) -> flask.Response:
        items = server_bodies.metadata(self.body())
        found = instances.set_metadata(self.cloud, self.caller, server_id, items, replace=replace)
        return answers.json({"metadata": found})


class MetadataItem(Resource):
    """One of a server's metadata items."""

    @docs.operation(gives=models.METADATA_ITEM, faults=models.LOOK_FAULTS)
    def get(self, server_id: str, key: str) -> flask.Response:
        """Show one item."""
        found = instances.get(self.cloud, self.caller, server_id)
        if key not in found.meta:
            raise NotFound(f"server {server_id} has no metadata item {key}")
        return answers.json({"meta": {key: found.meta[key]}})

    @docs.operation(body=models.METADATA_ITEM, gives=models.METADATA_ITEM, faults=models.CHANGE_FAULTS)
    def put(self, server_id: str, key: str) -> flask.Response:
        """Add or change one item."""
        item = server_bodies.metadata_item(self.body(), key)
        found = instances.set_metadata(self.cloud, self.caller, server_id, item, replace=False)
        return answers.json({"meta": {key: found[key]}})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, server_id: str, key: str) -> flask.Response:
        """Remove one item."""
        instances.delete_metadata(self.cloud, self.caller, server_id, key)
        return answers.empty(204)
