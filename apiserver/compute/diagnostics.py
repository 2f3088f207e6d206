"""What is known of a running server, for admins."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.compute import models
from apiserver.compute.resource import Resource
from cloud import instances, policy
from cloud.policy import Operation
from common.errors import Conflict
from db.instances import State


class Diagnostics(Resource):
    """A server's diagnostics."""

    @docs.operation(faults={**models.LOOK_FAULTS, 409: "The server does not run"})
    def get(self, server_id: str) -> flask.Response:
        """Show where a server runs and with what, as Ganeti said it last; inside the guest nobody looks."""
        row = instances.get(self.cloud, self.caller, server_id)
        policy.require(self.caller, Operation.SERVER_READ_PLACEMENT)
        if row.state is not State.ACTIVE:
            raise Conflict(f"server {server_id} is {row.state}; only one that runs has diagnostics")
        nics = {f"nic{number}_mac": nic.get("mac") for number, nic in enumerate(row.nics)}
        return answers.json(
            {
                "state": "running",
                "instance_name": row.ganeti_name,
                "node": row.node,
                "vcpus": row.vcpus,
                # KiB, as libvirt counts it
                "memory": row.ram * 1024,
                **nics,
            }
        )
