"""Groups of servers that are to share a node, or not to."""

from __future__ import annotations

import flask

from apiserver import answers, docs, validation
from apiserver.compute import models
from apiserver.compute.resource import Resource
from apiserver.validation import Body
from cloud import server_groups
from cloud.affinity import Hints
from cloud.server_groups import GroupView
from common.errors import Invalid
from db.server_groups import Policy

_QUERY = {
    "limit": "How many, at most",
    "offset": "How many to leave out first",
    "all_projects": "true: every project's groups; for admins",
}
_HINTS = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints")
#: hints that would be kept by what Syros does not know
_UNKNOWN = ("query", "target_cell", "different_cell", "build_near_host_ip", "cidr")


class ServerGroups(Resource):
    """The project's groups."""

    @docs.operation(gives=models.SERVER_GROUPS, query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List groups with their members, oldest first."""
        page, args = self.page(), self.args
        everybody = "all_projects" in args and validation.check_boolean(args["all_projects"] or "true", "all_projects")
        found = server_groups.page(
            self.cloud,
            self.caller,
            limit=page.limit,
            offset=validation.check_integer(args.get("offset") or 0, "offset"),
            everybody=everybody,
        )
        return answers.json({"server_groups": [_view(view) for view in found]})

    @docs.operation(body=models.NEW_SERVER_GROUP, gives=models.SERVER_GROUP, faults=models.CHANGE_FAULTS)
    def post(self) -> flask.Response:
        """Make a group; a server joins it at its creation, by the scheduler hint `group`."""
        given = self.body().nested("server_group")
        given.only("name", "policies")
        name = given.text("name", shortest=1)
        if name != name.strip():
            raise Invalid("server_group.name: begins or ends with a space")
        made = server_groups.create(self.cloud, self.caller, name=name, policy_of=_policy(given))
        return answers.json({"server_group": _view(made)})


class ServerGroup(Resource):
    """One group."""

    @docs.operation(gives=models.SERVER_GROUP, faults=models.LOOK_FAULTS)
    def get(self, group_id: str) -> flask.Response:
        """Show a group."""
        return answers.json({"server_group": _view(server_groups.get(self.cloud, self.caller, group_id))})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, group_id: str) -> flask.Response:
        """Delete a group; its servers stay."""
        server_groups.delete(self.cloud, self.caller, group_id)
        return answers.empty(204)


def hints(body: Body) -> Hints:
    """Read the scheduler hints of a create; hints that nobody knows count for nothing, as clients expect."""
    for key in _HINTS:
        if body.has(key):
            given = body.nested(key)
            for name in _UNKNOWN:
                if given.has(name):
                    raise Invalid(f"{key}.{name}: servers can't be placed by it")
            return Hints(
                group_id=given.maybe_text("group", longest=36, shortest=1),
                same_host=_servers(given, "same_host"),
                different_host=_servers(given, "different_host"),
            )
    return Hints()


def _servers(given: Body, key: str) -> tuple[str, ...]:
    if not given.has(key):
        return ()
    if isinstance(given.raw(key), str):
        return (given.text(key, longest=36, shortest=1),)
    return tuple(given.texts(key, longest=36, most=100))


def _policy(given: Body) -> Policy:
    policies = given.texts("policies", most=1)
    if len(policies) != 1 or policies[0] not in list(Policy):
        raise Invalid(f"server_group.policies: one of {', '.join(Policy)} is expected")
    return Policy(policies[0])


def _view(view: GroupView) -> dict[str, object]:
    group = view.group
    return {
        "id": group.id,
        "name": group.name,
        "policies": [group.policy],
        "members": list(view.members),
        "metadata": {},
    }
