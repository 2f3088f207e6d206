"""Security groups: list, show, make, change and delete."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.network import bodies, models, security_group_bodies, views
from apiserver.network.resource import Resource
from cloud import security_groups
from db.security_groups import Filter, SecurityGroup

_SORT_KEYS = {
    "id": SecurityGroup.id,
    "name": SecurityGroup.name,
    "description": SecurityGroup.description,
    "project_id": SecurityGroup.project_id,
    "tenant_id": SecurityGroup.project_id,
    "shared": SecurityGroup.shared,
    "created_at": SecurityGroup.created_at,
    "updated_at": SecurityGroup.updated_at,
}


class SecurityGroups(Resource):
    """The project's security groups, and the ready-made ones."""

    @docs.operation(
        gives=models.SECURITY_GROUPS, query=models.query("description", "shared"), faults=models.LIST_FAULTS
    )
    def get(self) -> flask.Response:
        """List security groups, oldest first."""
        page = self.page()
        wanted = Filter(
            owner=self.owner(),
            ids=self.ids(),
            names=self.texts("name"),
            descriptions=self.texts("description"),
            shared=self.flag("shared"),
        )
        found = security_groups.page(
            self.cloud, self.caller, wanted, limit=page.limit, marker=page.marker, orders=self.orders(_SORT_KEYS)
        )
        return answers.json(self.listed("security_groups", [views.security_group(each) for each in found], page))

    @docs.operation(
        body=models.NEW_SECURITY_GROUP, gives=models.SECURITY_GROUP, status=201, faults=models.CHANGE_FAULTS
    )
    def post(self) -> flask.Response:
        """Make a security group, or several by `security_groups`: everything is let out, and nothing in."""
        given = self.body()
        specs, at_once = bodies.several(given, "security_group", "security_groups", security_group_bodies.group)
        caller = self.acting(given, "security_group", "security_groups")
        made = [views.security_group(each) for each in security_groups.create(self.cloud, caller, specs)]
        return answers.json({"security_groups": made} if at_once else {"security_group": made[0]}, 201)


class OneSecurityGroup(Resource):
    """One security group."""

    @docs.operation(gives=models.SECURITY_GROUP, faults=models.LOOK_FAULTS)
    def get(self, group_id: str) -> flask.Response:
        """Show a security group."""
        found = security_groups.get(self.cloud, self.caller, group_id)
        return answers.json({"security_group": self.chosen(views.security_group(found))})

    @docs.operation(body=models.NEW_SECURITY_GROUP, gives=models.SECURITY_GROUP, faults=models.CHANGE_FAULTS)
    def put(self, group_id: str) -> flask.Response:
        """Change a security group's name or description."""
        change = security_group_bodies.group_change(self.body())
        found = security_groups.update(self.cloud, self.caller, group_id, change)
        return answers.json({"security_group": views.security_group(found)})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, group_id: str) -> flask.Response:
        """Delete a security group that no port has, with the rules that name it."""
        security_groups.delete(self.cloud, self.caller, group_id)
        return answers.empty(204)
