"""Rules of security groups: list, show, make and delete."""

from __future__ import annotations

import flask

from apiserver import answers, docs, validation
from apiserver.network import bodies, models, security_group_bodies, views
from apiserver.network.resource import Resource
from cloud import addresses, security_group_rules
from db.security_groups import Rule, RuleFilter

_SORT_KEYS = {
    "id": Rule.id,
    "security_group_id": Rule.group_id,
    "direction": Rule.direction,
    "ethertype": Rule.version,
    "protocol": Rule.protocol,
    "port_range_min": Rule.port_min,
    "port_range_max": Rule.port_max,
    "remote_ip_prefix": Rule.remote_cidr,
    "remote_group_id": Rule.remote_group_id,
    "project_id": Rule.project_id,
    "tenant_id": Rule.project_id,
    "created_at": Rule.created_at,
}


class SecurityGroupRules(Resource):
    """The rules of the project's security groups, and of the ready-made ones."""

    @docs.operation(
        gives=models.SECURITY_GROUP_RULES,
        query=models.query(
            "security_group_id", "direction", "ethertype", "protocol", "remote_group_id", "remote_ip_prefix"
        ),
        faults=models.LIST_FAULTS,
    )
    def get(self) -> flask.Response:
        """List rules, oldest first."""
        page = self.page()
        found = security_group_rules.page(
            self.cloud,
            self.caller,
            self._wanted(),
            limit=page.limit,
            marker=page.marker,
            orders=self.orders(_SORT_KEYS),
        )
        items = [views.security_group_rule(each) for each in found]
        return answers.json(self.listed("security_group_rules", items, page))

    @docs.operation(
        body=models.NEW_SECURITY_GROUP_RULE, gives=models.SECURITY_GROUP_RULE, status=201, faults=models.CHANGE_FAULTS
    )
    def post(self) -> flask.Response:
        """Make a rule, or several by `security_group_rules`; guests that run follow."""
        specs, at_once = bodies.several(
            self.body(), "security_group_rule", "security_group_rules", security_group_bodies.rule
        )
        made = [views.security_group_rule(each) for each in security_group_rules.create(self.cloud, self.caller, specs)]
        return answers.json({"security_group_rules": made} if at_once else {"security_group_rule": made[0]}, 201)

    def _wanted(self) -> RuleFilter:
        versions = self.texts("ethertype")
        prefixes = self.texts("remote_ip_prefix")
        return RuleFilter(
            owner=self.owner(),
            ids=self.texts("id"),
            group_ids=self.texts("security_group_id"),
            remote_group_ids=self.texts("remote_group_id"),
            directions=self.texts("direction"),
            # a word that is no IP version is no rule's
            versions=[security_group_bodies.VERSIONS.get(each.lower(), 0) for each in versions] if versions else None,
            protocols=self.texts("protocol"),
            remote_cidrs=[str(addresses.read_cidr(each, "remote_ip_prefix")) for each in prefixes]
            if prefixes
            else None,
            descriptions=self.texts("description"),
            port_min=self._number("port_range_min"),
            port_max=self._number("port_range_max"),
        )

    def _number(self, name: str) -> int | None:
        value = flask.request.args.get(name)
        return validation.check_integer(value, name) if value is not None else None


class OneSecurityGroupRule(Resource):
    """One rule."""

    @docs.operation(gives=models.SECURITY_GROUP_RULE, faults=models.LOOK_FAULTS)
    def get(self, rule_id: str) -> flask.Response:
        """Show a rule."""
        found = security_group_rules.get(self.cloud, self.caller, rule_id)
        return answers.json({"security_group_rule": self.chosen(views.security_group_rule(found))})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, rule_id: str) -> flask.Response:
        """Delete a rule; guests that run follow."""
        security_group_rules.delete(self.cloud, self.caller, rule_id)
        return answers.empty(204)
