"""Rules of security groups as clients of the Compute API know them: for what comes in, of TCP, UDP and ICMP."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.compute import models
from apiserver.compute.resource import Resource
from apiserver.compute.security_groups import conflicts_are_invalid, rule_view
from apiserver.validation import Body, check_integer
from cloud import addresses, security_group_rules, security_groups
from cloud.security_group_rules import RuleSpec
from common.errors import Invalid
from db.security_groups import Direction

_PROTOCOLS = ("tcp", "udp", "icmp")
_ALL_PORTS = (1, 65535)
#: ICMP's types and codes
_ALL_TYPES = (-1, 255)
_ANY = -1


class SecurityGroupRules(Resource):
    """Rules for what comes in."""

    @docs.operation(body=models.NEW_SECURITY_GROUP_RULE, gives=models.SECURITY_GROUP_RULE, faults=models.COUNTED_FAULTS)
    def post(self) -> flask.Response:
        """Make a rule; guests that run follow."""
        wanted = _rule(self.body().nested("security_group_rule"))
        with conflicts_are_invalid():
            (made,) = security_group_rules.create(self.cloud, self.caller, [wanted])
        remote = made.remote_group_id or ""
        names = security_groups.names_of(self.cloud, [remote] if remote else [])
        return answers.json({"security_group_rule": rule_view(made, names.get(remote, ""))})


class OneSecurityGroupRule(Resource):
    """One rule."""

    @docs.operation(status=202, faults=models.CHANGE_FAULTS)
    def delete(self, rule_id: str) -> flask.Response:
        """Delete a rule; guests that run follow."""
        security_group_rules.delete(self.cloud, self.caller, rule_id)
        return answers.empty(202)


def _rule(given: Body) -> RuleSpec:
    given.only("parent_group_id", "ip_protocol", "from_port", "to_port", "cidr", "group_id")
    remote_group = given.maybe_text("group_id", longest=36) or None
    prefix = given.maybe_text("cidr", longest=64) or None
    remote = addresses.read_cidr(prefix, "cidr") if prefix is not None and remote_group is None else None
    protocol = (given.maybe_text("ip_protocol", longest=16) or "").lower()
    if not protocol and remote_group is None:
        raise Invalid("ip_protocol: missing; tcp, udp or icmp is expected")
    if protocol and protocol not in _PROTOCOLS:
        raise Invalid("ip_protocol: tcp, udp or icmp is expected")
    first, last = _ports(given, protocol, open_by_default=remote_group is not None)
    return RuleSpec(
        group_id=given.text("parent_group_id", longest=36, shortest=1),
        direction=Direction.INGRESS,
        version=remote.version if remote is not None else 4,
        protocol=protocol or None,
        port_min=first,
        port_max=last,
        remote_cidr=remote,
        remote_group_id=remote_group,
    )


def _ports(given: Body, protocol: str, *, open_by_default: bool) -> tuple[int | None, int | None]:
    """Read a range of ports, or ICMP's type and code, of which -1 means any."""
    if not given.has("from_port") and not given.has("to_port") and open_by_default:
        return _ALL_PORTS if protocol in ("tcp", "udp") else (None, None)
    least, most = _ALL_TYPES if protocol == "icmp" else _ALL_PORTS
    first, last = (_port(given, key, least, most) for key in ("from_port", "to_port"))
    return (None if first == _ANY else first, None if last == _ANY else last)


def _port(given: Body, key: str, least: int, most: int) -> int:
    value = given.raw(key)
    if value is None:
        raise Invalid(f"security_group_rule.{key}: missing")
    return check_integer(value, key, least=least, most=most)
