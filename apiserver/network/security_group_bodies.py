"""Bodies that make or change a security group or a rule: JSON in, what cloud/ takes out."""

from __future__ import annotations

from apiserver.validation import Body, check_text
from cloud import addresses
from cloud.security_group_rules import RuleSpec
from cloud.security_groups import GroupChange, GroupSpec
from common.errors import Invalid
from db.security_groups import Direction

VERSIONS = {"ipv4": 4, "ipv6": 6}


def group(given: Body) -> GroupSpec:
    """Read a new security group; raises Invalid."""
    given.only("name", "description", "stateful", "project_id", "tenant_id")
    _check_stateful(given)
    return GroupSpec(name=given.maybe_text("name") or "", description=given.maybe_text("description") or "")


def group_change(body: Body) -> GroupChange:
    """Read a change of a security group; raises Invalid."""
    given = body.nested("security_group")
    given.only("name", "description", "stateful")
    _check_stateful(given)
    return GroupChange(name=given.maybe_text("name"), description=given.maybe_text("description"))


def rule(given: Body) -> RuleSpec:
    """Read a new rule; raises Invalid."""
    given.only(
        "security_group_id",
        "direction",
        "ethertype",
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
        "remote_group_id",
        "remote_address_group_id",
        "description",
        "project_id",
        "tenant_id",
    )
    if given.has("remote_address_group_id"):
        raise Invalid("remote_address_group_id: there are no address groups; give a remote_ip_prefix")
    direction = given.text("direction", longest=16)
    if direction not in list(Direction):
        raise Invalid("security_group_rule.direction: ingress or egress is expected")
    ethertype = (given.maybe_text("ethertype", longest=16) or "IPv4").lower()
    if ethertype not in VERSIONS:
        raise Invalid("security_group_rule.ethertype: IPv4 or IPv6 is expected")
    prefix = given.maybe_text("remote_ip_prefix", longest=64)
    return RuleSpec(
        group_id=given.text("security_group_id", longest=36, shortest=1),
        direction=Direction(direction),
        version=VERSIONS[ethertype],
        protocol=_protocol(given),
        port_min=given.maybe_integer("port_range_min"),
        port_max=given.maybe_integer("port_range_max"),
        remote_cidr=addresses.read_cidr(prefix, "remote_ip_prefix") if prefix else None,
        remote_group_id=given.maybe_text("remote_group_id", longest=36, shortest=1),
        description=given.maybe_text("description") or "",
    )


def _protocol(given: Body) -> str | None:
    value = given.raw("protocol")
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return check_text(value, "protocol", longest=16) or None


def _check_stateful(given: Body) -> None:
    if not given.boolean("stateful", default=True):
        raise Invalid("security_group.stateful: answers are always let through; there are no stateless groups")
