"""Limits and quotas: what a project may have, and has."""

from __future__ import annotations

from collections.abc import Mapping

import flask

from apiserver import answers, docs
from apiserver.compute import models
from apiserver.compute.resource import Resource
from cloud import guests, keypairs, policy, quotas, server_groups
from cloud.context import Caller
from cloud.policy import Operation
from cloud.quotas import Standing
from common.errors import Invalid
from db.quotas import Resource as Counted

_COUNTED = {
    "instances": Counted.INSTANCES,
    "cores": Counted.CORES,
    "ram": Counted.RAM,
    "floating_ips": Counted.FLOATING_IPS,
    "security_groups": Counted.SECURITY_GROUPS,
    "security_group_rules": Counted.SECURITY_GROUP_RULES,
}
#: what clients expect to find in a quota set although nothing here counts it
_UNCOUNTED = {
    "fixed_ips": -1,
    "injected_file_content_bytes": guests.FILE_SIZE,
    "injected_file_path_bytes": 255,
    "injected_files": guests.MOST_FILES,
    "server_group_members": -1,
}


class Limits(Resource):
    """The limits of the caller's project."""

    @docs.operation(gives=models.LIMITS, query={"tenant_id": "Another project, for admins"}, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """Show the project's limits and how much of them is used."""
        caller = self.caller
        project_id = self.args.get("tenant_id") or caller.project_id
        policy.require(caller, _look_at(caller, project_id))
        found = quotas.standing(self.cloud, project_id)
        instances, cores, ram = (found[resource] for resource in (Counted.INSTANCES, Counted.CORES, Counted.RAM))
        absolute = {
            "maxTotalInstances": instances.limit,
            "totalInstancesUsed": instances.used,
            "maxTotalCores": cores.limit,
            "totalCoresUsed": cores.used,
            "maxTotalRAMSize": ram.limit,
            "totalRAMUsed": ram.used,
            "maxServerMeta": self.cloud.settings.metadata_items,
            "maxImageMeta": self.cloud.settings.metadata_items,
            "maxTotalKeypairs": keypairs.MOST,
            "maxPersonality": guests.MOST_FILES,
            "maxPersonalitySize": guests.FILE_SIZE,
            "maxSecurityGroups": found[Counted.SECURITY_GROUPS].limit,
            "maxSecurityGroupRules": found[Counted.SECURITY_GROUP_RULES].limit,
            "totalSecurityGroupsUsed": found[Counted.SECURITY_GROUPS].used,
            "maxTotalFloatingIps": found[Counted.FLOATING_IPS].limit,
            "totalFloatingIpsUsed": found[Counted.FLOATING_IPS].used,
            "maxServerGroups": server_groups.MOST,
            "maxServerGroupMembers": -1,
            "totalServerGroupsUsed": server_groups.used(self.cloud, project_id),
        }
        return answers.json({"limits": {"rate": [], "absolute": absolute}})


class _Standings(Resource):
    """What a project's quotas are read from."""

    def _standing(self, project_id: str) -> Mapping[str, Standing]:
        caller = self.caller
        policy.require(caller, _look_at(caller, project_id))
        found = quotas.standing(self.cloud, project_id)
        return {
            **{name: found[resource] for name, resource in _COUNTED.items()},
            "key_pairs": Standing(limit=keypairs.MOST, used=0),
            "metadata_items": Standing(limit=self.cloud.settings.metadata_items, used=0),
            "server_groups": Standing(limit=server_groups.MOST, used=server_groups.used(self.cloud, project_id)),
            **{name: Standing(limit=limit, used=0) for name, limit in _UNCOUNTED.items()},
        }


class QuotaSet(_Standings):
    """A project's quotas."""

    @docs.operation(gives=models.QUOTAS, faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show a project's quotas: one's own, or, for an admin, any."""
        limits = {name: standing.limit for name, standing in self._standing(project_id).items()}
        return answers.json({"quota_set": {"id": project_id, **limits}})

    @docs.operation(body=models.QUOTAS, gives=models.QUOTAS, faults=models.CHANGE_FAULTS)
    def put(self, project_id: str) -> flask.Response:
        """Change a project's quotas; for admins."""
        policy.require(self.caller, Operation.QUOTA_WRITE)
        body = self.body().nested("quota_set")
        wanted = {}
        for key in body.keys():  # noqa: SIM118  # a body is no dict
            if key in _COUNTED:
                wanted[_COUNTED[key]] = body.integer(key, least=-1)
            elif key not in ("force", "id", "tenant_id"):
                raise Invalid(f"quota_set: {', '.join(sorted(_COUNTED))} are what can be changed")
        quotas.set_limits(self.cloud, project_id, wanted)
        limits = {name: standing.limit for name, standing in self._standing(project_id).items()}
        return answers.json({"quota_set": limits})

    @docs.operation(status=202, faults=models.CHANGE_FAULTS)
    def delete(self, project_id: str) -> flask.Response:
        """Give a project the default quotas again; for admins."""
        policy.require(self.caller, Operation.QUOTA_WRITE)
        quotas.clear_limits(self.cloud, project_id)
        return answers.empty(202)


class QuotaDetail(_Standings):
    """A project's quotas, with what is used of them."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show a project's quotas with what is used of them."""
        found = {
            name: {"limit": standing.limit, "in_use": standing.used, "reserved": 0}
            for name, standing in self._standing(project_id).items()
        }
        return answers.json({"quota_set": {"id": project_id, **found}})


class DefaultQuotas(Resource):
    """What a project has that nobody gave quotas of its own."""

    @docs.operation(gives=models.QUOTAS, faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show the default quotas."""
        settings, limits = self.cloud.settings, quotas.defaults(self.cloud.settings)
        defaults = {
            **{name: limits[resource] for name, resource in _COUNTED.items()},
            "key_pairs": keypairs.MOST,
            "metadata_items": settings.metadata_items,
            "server_groups": server_groups.MOST,
            **_UNCOUNTED,
        }
        return answers.json({"quota_set": {"id": project_id, **defaults}})


def _look_at(caller: Caller, project_id: str) -> Operation:
    return Operation.QUOTA_READ if project_id == caller.project_id else Operation.QUOTA_READ_ALL
