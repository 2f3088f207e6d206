"""Security groups as clients of the Compute API know them, which speak to no Network API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import flask

from apiserver import answers, docs, validation
from apiserver.compute import models
from apiserver.compute.resource import Resource
from apiserver.validation import Body
from cloud import interfaces, policy, security_groups
from cloud.policy import Operation
from cloud.security_groups import GroupChange, GroupSpec, GroupView
from common.errors import Conflict, Invalid
from db.security_groups import Direction, Filter, Rule

Document = dict[str, object]

_QUERY = {
    "limit": "How many, at most",
    "offset": "How many to leave out first",
    "all_tenants": "1: every project's groups; for admins",
}
_EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}
_ALL_PORTS = (1, 65535)
_ANY = -1


class SecurityGroups(Resource):
    """The project's security groups, and the ready-made ones."""

    @docs.operation(gives=models.SECURITY_GROUPS, query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List security groups, oldest first, with their rules for what comes in."""
        page, args, caller = self.page(), self.args, self.caller
        offset = validation.check_integer(args.get("offset") or 0, "offset")
        everybody = "all_tenants" in args and validation.check_boolean(args["all_tenants"] or "true", "all_tenants")
        everybody = everybody and policy.allows(caller.roles, Operation.SECURITY_GROUP_READ_ALL)
        wanted = Filter(project_id=None if everybody else caller.project_id)
        found = security_groups.page(self.cloud, caller, wanted, limit=page.limit + offset)
        return answers.json({"security_groups": views(self, found[offset:])})

    @docs.operation(body=models.NEW_SECURITY_GROUP, gives=models.SECURITY_GROUP, faults=models.COUNTED_FAULTS)
    def post(self) -> flask.Response:
        """Make a security group."""
        name, description = _words(self.body())
        with conflicts_are_invalid():
            made = security_groups.create(self.cloud, self.caller, [GroupSpec(name, description)])
        return answers.json({"security_group": views(self, made)[0]})


class OneSecurityGroup(Resource):
    """One security group."""

    @docs.operation(gives=models.SECURITY_GROUP, faults=models.LOOK_FAULTS)
    def get(self, group_id: str) -> flask.Response:
        """Show a security group."""
        found = security_groups.get(self.cloud, self.caller, group_id)
        return answers.json({"security_group": views(self, [found])[0]})

    @docs.operation(body=models.NEW_SECURITY_GROUP, gives=models.SECURITY_GROUP, faults=models.CHANGE_FAULTS)
    def put(self, group_id: str) -> flask.Response:
        """Change a security group's name and description."""
        change = GroupChange(*_words(self.body()))
        with conflicts_are_invalid():
            found = security_groups.update(self.cloud, self.caller, group_id, change)
        return answers.json({"security_group": views(self, [found])[0]})

    @docs.operation(status=202, faults=models.CHANGE_FAULTS)
    def delete(self, group_id: str) -> flask.Response:
        """Delete a security group that no port has."""
        with conflicts_are_invalid():
            security_groups.delete(self.cloud, self.caller, group_id)
        return answers.empty(202)


class ServerSecurityGroups(Resource):
    """A server's security groups."""

    @docs.operation(gives=models.SECURITY_GROUPS, faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """List the security groups of a server's ports, each once."""
        return answers.json({"security_groups": views(self, interfaces.groups(self.cloud, self.caller, server_id))})


def views(asked: Resource, found: Sequence[GroupView]) -> list[Document]:
    """Give groups as the Compute API shows them: it knows no rules for what goes out."""
    remotes = {rule.remote_group_id for view in found for rule in view.rules if rule.remote_group_id is not None}
    names = security_groups.names_of(asked.cloud, sorted(remotes))
    return [
        {
            "id": view.group.id,
            "name": view.group.name,
            "description": view.group.description,
            "tenant_id": view.group.project_id or "",
            "rules": [
                rule_view(rule, names.get(rule.remote_group_id or "", ""))
                for rule in view.rules
                if rule.direction is Direction.INGRESS
            ],
        }
        for view in found
    ]


def rule_view(rule: Rule, remote_name: str) -> Document:
    """Give a rule as the Compute API shows it; `remote_name` is its remote group's."""
    first, last = rule.port_min, rule.port_max
    if first is None and last is None and rule.protocol in ("tcp", "udp"):
        first, last = _ALL_PORTS
    remote: Document = {"ip_range": {"cidr": rule.remote_cidr or _EVERYTHING[rule.version]}, "group": {}}
    if rule.remote_group_id is not None:
        remote = {"ip_range": {}, "group": {"name": remote_name, "tenant_id": rule.project_id or ""}}
    return {
        "id": rule.id,
        "parent_group_id": rule.group_id,
        "ip_protocol": rule.protocol,
        "from_port": _ANY if first is None else first,
        "to_port": _ANY if last is None else last,
        **remote,
    }


@contextmanager
def conflicts_are_invalid() -> Iterator[None]:
    """Refuse with 400, as Nova does, what the Network API calls a conflict."""
    try:
        yield
    except Conflict as err:
        raise Invalid(str(err)) from err


def _words(body: Body) -> tuple[str, str]:
    given = body.nested("security_group")
    given.only("name", "description")
    return given.text("name", shortest=1), given.maybe_text("description") or ""
