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


class ServerSecurityGroups(Resource):
    """A server's security groups."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """List a server's security groups: none can be looked at so far."""
        instances.get(self.cloud, self.caller, server_id)
        return answers.json({"security_groups": []})


class VolumeAttachments(Resource):
    """A server's volumes."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """List a server's volumes: there are none so far."""
        instances.get(self.cloud, self.caller, server_id)
        return answers.json({"volumeAttachments": []})
