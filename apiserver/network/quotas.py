"""Quotas of networks: beside the Compute API's, what a project may have of its own."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.network import models
from apiserver.network.resource import Document, Resource
from cloud import policy, quotas
from cloud.policy import Operation
from common.errors import Invalid
from db.quotas import Resource as Counted

_COUNTED = {
    "floatingip": Counted.FLOATING_IPS,
    "network": Counted.NETWORKS,
    "port": Counted.PORTS,
    "security_group": Counted.SECURITY_GROUPS,
    "security_group_rule": Counted.SECURITY_GROUP_RULES,
}
#: what clients expect to find in a quota although nothing here counts it
_UNCOUNTED = (
    "rbac_policy",
    "router",
    "subnet",
    "subnetpool",
)
_NO_LIMIT = -1
#: how a limit below what is used is to be taken: here it always may be set, and nothing more is made until less is used
_MANNERS = ("force", "check_limit")


class _Quotas(Resource):
    def _may_look(self, project_id: str) -> None:
        own = project_id == self.caller.project_id
        policy.require(self.caller, Operation.QUOTA_READ if own else Operation.QUOTA_READ_ALL)

    def _limits(self, project_id: str) -> Document:
        standing = quotas.standing(self.cloud, project_id)
        limits = {name: standing[resource].limit for name, resource in _COUNTED.items()}
        return {**dict.fromkeys(_UNCOUNTED, _NO_LIMIT), **limits}


class Quota(_Quotas):
    """A project's quotas of networks."""

    @docs.operation(gives=models.QUOTA, faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show a project's quotas: one's own, or, for an admin, any. -1: no limit."""
        self._may_look(project_id)
        return answers.json({"quota": self._limits(project_id)})

    @docs.operation(body=models.QUOTA, gives=models.QUOTA, faults=models.CHANGE_FAULTS)
    def put(self, project_id: str) -> flask.Response:
        """Change a project's quotas; for admins."""
        policy.require(self.caller, Operation.QUOTA_WRITE)
        given = self.body().nested("quota")
        wanted = {}
        for key in given.keys():  # noqa: SIM118  # a body is no dict
            if key in _COUNTED:
                wanted[_COUNTED[key]] = given.integer(key, least=-1)
            elif key in _MANNERS:
                given.boolean(key, default=False)
            elif key not in _UNCOUNTED or given.integer(key, least=-1) != _NO_LIMIT:
                raise Invalid(f"quota: {', '.join(sorted(_COUNTED))} is what can be changed; all else is -1, no limit")
        quotas.set_limits(self.cloud, project_id, wanted)
        return answers.json({"quota": self._limits(project_id)})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, project_id: str) -> flask.Response:
        """Give a project the default quotas again; for admins."""
        policy.require(self.caller, Operation.QUOTA_WRITE)
        quotas.clear_limits(self.cloud, project_id, list(_COUNTED.values()))
        return answers.empty(204)


class QuotaDetails(_Quotas):
    """A project's quotas of networks, with what is used of them."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show a project's quotas with what is used of those that are counted."""
        self._may_look(project_id)
        standing = quotas.standing(self.cloud, project_id)
        found = {name: {"limit": _NO_LIMIT, "used": 0, "reserved": 0} for name in _UNCOUNTED}
        for name, resource in _COUNTED.items():
            found[name] = {"limit": standing[resource].limit, "used": standing[resource].used, "reserved": 0}
        return answers.json({"quota": found})


class DefaultQuota(_Quotas):
    """What a project has that nobody gave quotas of its own."""

    @docs.operation(gives=models.QUOTA, faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show the default quotas. -1: no limit."""
        self._may_look(project_id)
        defaults = quotas.defaults(self.cloud.settings)
        limits = {name: defaults[resource] for name, resource in _COUNTED.items()}
        return answers.json({"quota": {**dict.fromkeys(_UNCOUNTED, _NO_LIMIT), **limits}})
