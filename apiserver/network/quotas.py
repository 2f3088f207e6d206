"""Quotas of networks: what clients ask for beside the Compute API's, and that nothing here is limited so far."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.network import models
from apiserver.network.resource import Document, Resource
from cloud import policy
from cloud.policy import Operation

_KINDS = (
    "floatingip",
    "network",
    "port",
    "rbac_policy",
    "router",
    "security_group",
    "security_group_rule",
    "subnet",
    "subnetpool",
)
_NO_LIMIT = -1


class _Quotas(Resource):
    def _limits(self, project_id: str) -> Document:
        own = project_id == self.caller.project_id
        policy.require(self.caller, Operation.QUOTA_READ if own else Operation.QUOTA_READ_ALL)
        return dict.fromkeys(_KINDS, _NO_LIMIT)


class Quota(_Quotas):
    """A project's quotas of networks."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show a project's quotas: one's own, or, for an admin, any. -1: no limit."""
        return answers.json({"quota": self._limits(project_id)})


class DefaultQuota(_Quotas):
    """What a project has that nobody gave quotas of its own."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show the default quotas. -1: no limit."""
        return answers.json({"quota": self._limits(project_id)})
