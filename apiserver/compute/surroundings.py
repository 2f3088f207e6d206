"""What clients look for around servers: the one zone, and lists that are empty so far."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.compute import models
from apiserver.compute.resource import Resource
from apiserver.compute.server_views import ZONE
from cloud import instances

_ZONE = {"zoneName": ZONE, "zoneState": {"available": True}}


class Zones(Resource):
    """Availability zones."""

    @docs.operation(faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List the availability zones: there is one."""
        return answers.json({"availabilityZoneInfo": [{**_ZONE, "hosts": None}]})


class ServerPassword(Resource):
    """The password that a guest has made for itself, and sealed for its owner's key."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """Show it: there is none, since no guest can leave one."""
        instances.get(self.cloud, self.caller, server_id)
        return answers.json({"password": ""})

    @docs.operation(status=204, faults=models.LOOK_FAULTS)
    def delete(self, server_id: str) -> flask.Response:
        """Forget it."""
        instances.get(self.cloud, self.caller, server_id)
        return answers.empty(204)


class VolumeAttachments(Resource):
    """A server's volumes."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """List a server's volumes: there are none so far."""
        instances.get(self.cloud, self.caller, server_id)
        return answers.json({"volumeAttachments": []})
