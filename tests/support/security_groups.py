"""Security groups to test with."""

from __future__ import annotations

import ipaddress

from cloud import security_group_rules, security_groups
from cloud.context import Caller
from cloud.security_group_rules import RuleSpec
from cloud.security_groups import GroupSpec
from db import security_groups as rows
from db.security_groups import Allowed, Direction, Filter, Rule, SecurityGroup
from tests.support.clouds import World


def add(world: World, name: str = "web", *, caller: Caller | None = None) -> SecurityGroup:
    (view,) = security_groups.create(world.cloud, caller or world.fresh(), [GroupSpec(name=name)])
    return view.group


def default(world: World, caller: Caller | None = None) -> SecurityGroup:
    (view,) = security_groups.page(world.cloud, caller or world.fresh(), Filter(names=["default"]), limit=10)
    return view.group


def allow(world: World, group: SecurityGroup, remote: str | None = None, **what: object) -> Rule:
    """Let something in: TCP port 80 of everybody, unless told otherwise."""
    cidr = ipaddress.ip_network(remote) if remote is not None else None
    wanted = {"direction": Direction.INGRESS, "protocol": "tcp", "port_min": 80, "port_max": 80, **what}
    spec = RuleSpec(group_id=group.id, remote_cidr=cidr, **wanted)  # type: ignore[arg-type]
    (rule,) = security_group_rules.create(world.cloud, world.fresh(), [spec])
    return rule


def allowed(world: World, port_id: str) -> list[Allowed] | None:
    """What a port lets through; None if it is not firewalled."""
    with world.cloud.sessions.read() as db:
        found = rows.rules_of(db, [port_id])
    return list(found[port_id]) if port_id in found else None
