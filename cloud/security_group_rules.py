"""Rules of security groups: made and removed one by one, never changed but for their description.

Lock order: quota usage, group, then ports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from cloud import firewall_due, policy, quotas, security_groups
from cloud.addresses import Cidr
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import ip_protocols, names
from common.errors import Conflict, Invalid, NotFound
from db import security_groups as rows
from db.quotas import Resource
from db.security_groups import Direction, Rule, RuleFilter, SecurityGroup
from db.sorting import Order

_PORTS = (1, 65535)
_BIGGEST_TYPE = 255
_BIGGEST_PROTOCOL = 255


@dataclass(frozen=True)
class RuleSpec:
    """A new rule."""

    group_id: str
    direction: Direction
    version: int = 4
    #: a word or a number, as it was written; None: any
    protocol: str | None = None
    #: the first port, or ICMP's type
    port_min: int | None = None
    #: the last port, or ICMP's code
    port_max: int | None = None
    remote_cidr: Cidr | None = None
    remote_group_id: str | None = None
    description: str = ""


def create(cloud: Cloud, caller: Caller, specs: Sequence[RuleSpec]) -> Sequence[Rule]:
    """Make rules of one group or of several, all or none.

    Raises Invalid, NotFound, Forbidden, Conflict for one that is there already, QuotaExceeded.
    """
    policy.require(caller, Operation.SECURITY_GROUP_WRITE)
    meant = [checked(spec) for spec in specs]
    with cloud.sessions.begin() as db:
        wanted = {spec.group_id for spec in meant}
        known = {each: security_groups.writable(rows.get(db, each), caller, each) for each in wanted}
        for project_id in sorted({group.project_id or "" for group in known.values()}):
            number = sum(known[spec.group_id].project_id == project_id for spec in meant)
            amounts = {Resource.SECURITY_GROUP_RULES: number}
            quotas.reserve(db, cloud.settings, project_id=project_id, amounts=amounts)
        # those that are named as remote must stay, too
        remote = {spec.remote_group_id for spec in meant if spec.remote_group_id is not None}
        held = {group_id: rows.lock(db, group_id) for group_id in sorted({*known, *remote})}
        having = rows.rules_of_groups(db, sorted(known))
        meanings = {group_id: {_meaning(rule): rule.id for rule in rules} for group_id, rules in having.items()}
        made = [
            _insert(db, cloud, caller, spec, held=held, known=meanings.setdefault(spec.group_id, {})) for spec in meant
        ]
        firewall_due.touch(db, group_ids=sorted(known), now=cloud.clock())
        return made


def get(cloud: Cloud, caller: Caller, rule_id: str) -> Rule:
    """Give a rule that the caller may see; raises NotFound."""
    policy.require(caller, Operation.SECURITY_GROUP_READ)
    with cloud.sessions.read() as db:
        return visible(rows.rule(db, rule_id), caller, rule_id)


def page(
    cloud: Cloud,
    caller: Caller,
    wanted: RuleFilter,
    *,
    limit: int,
    marker: str | None = None,
    orders: Sequence[Order] = (),
) -> Sequence[Rule]:
    """List rules that the caller may see, after the one with the id `marker`; raises Invalid if there is none."""
    policy.require(caller, Operation.SECURITY_GROUP_READ)
    if not policy.allows(caller.roles, Operation.SECURITY_GROUP_READ_ALL):
        wanted = replace(wanted, project_id=caller.project_id)
    security_groups.ensure_default(cloud, caller)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            try:
                after = visible(rows.rule(db, marker), caller, marker)
            except NotFound as err:
                raise Invalid(f"marker: {err}") from err
        return rows.rule_page(db, wanted, limit=limit, orders=orders, after=after)


def delete(cloud: Cloud, caller: Caller, rule_id: str) -> None:
    """Remove a rule; raises NotFound, or Forbidden for a ready-made group's."""
    policy.require(caller, Operation.SECURITY_GROUP_WRITE)
    with cloud.sessions.begin() as db:
        known = visible(rows.rule(db, rule_id), caller, rule_id)
        group = security_groups.writable(rows.get(db, known.group_id), caller, known.group_id)
        quotas.count_down(db, project_id=group.project_id or "", resource=Resource.SECURITY_GROUP_RULES)
        group = security_groups.writable(rows.lock(db, known.group_id), caller, known.group_id)
        rule = next(
            (each for each in rows.rules_of_groups(db, [group.id]).get(group.id, ()) if each.id == rule_id), None
        )
        if rule is None:
            raise NotFound(f"there is no security group rule {rule_id}")
        db.delete(rule)
        security_groups.changed(group, cloud.clock())
        firewall_due.touch(db, group_ids=[group.id], now=cloud.clock())


def visible(rule: Rule | None, caller: Caller, rule_id: str) -> Rule:
    """Give the rule back if the caller may know of it; raises NotFound."""
    if rule is None or not (
        rule.project_id in (None, caller.project_id) or policy.allows(caller.roles, Operation.SECURITY_GROUP_READ_ALL)
    ):
        raise NotFound(f"there is no security group rule {rule_id}")
    return rule


def checked(spec: RuleSpec) -> RuleSpec:
    """Give a rule back as it is kept, with ICMP's name for its IP version; raises Invalid for one that can't be."""
    if spec.remote_cidr is not None and spec.remote_group_id is not None:
        raise Invalid("remote_ip_prefix: it can't be given together with remote_group_id")
    if spec.remote_cidr is not None and spec.remote_cidr.version != spec.version:
        raise Invalid(f"remote_ip_prefix: {spec.remote_cidr} is not of IPv{spec.version}, as ethertype says")
    spec = replace(spec, protocol=_protocol(spec))
    _check_ports(spec)
    return spec


def _protocol(spec: RuleSpec) -> str | None:
    if spec.protocol is None or spec.protocol.lower() == "any":
        return None
    word = spec.protocol.lower()
    if word.isascii() and word.isdecimal() and int(word) <= _BIGGEST_PROTOCOL:
        return str(int(word))
    if word not in ip_protocols.NUMBERS:
        raise Invalid(f"protocol: any, 0 to 255, or one of {', '.join(ip_protocols.NUMBERS)} is expected")
    if spec.version == 4 and word in ip_protocols.OF_IPV6:
        raise Invalid(f"protocol: {word} is of IPv6, and ethertype says IPv4")
    if spec.version == 6 and word in ("icmp", "icmpv6"):
        return ip_protocols.ICMP[6]
    return word


def _check_ports(spec: RuleSpec) -> None:
    first, last = spec.port_min, spec.port_max
    if first is None and last is None:
        return
    protocol = None if spec.protocol is None else ip_protocols.canonical(spec.protocol)
    if protocol == ip_protocols.ICMP[spec.version]:
        _check_icmp(first, last)
        return
    if protocol not in ip_protocols.WITH_PORTS:
        raise Invalid(f"protocol: only {', '.join(ip_protocols.WITH_PORTS)} have ports, and ICMP has types")
    for key, number in (("port_range_min", first), ("port_range_max", last)):
        if number is None:
            raise Invalid(f"{key}: missing; the other end of the range is given")
        if not _PORTS[0] <= number <= _PORTS[1]:
            raise Invalid(f"{key}: {_PORTS[0]} to {_PORTS[1]} is expected")
    if first is not None and last is not None and first > last:
        raise Invalid(f"port_range_min: {first} is more than port_range_max {last}")


def _check_icmp(kind: int | None, code: int | None) -> None:
    if kind is None:
        raise Invalid("port_range_min: missing; ICMP's code (port_range_max) needs the type")
    for key, number in (("port_range_min", kind), ("port_range_max", code)):
        if number is not None and not 0 <= number <= _BIGGEST_TYPE:
            raise Invalid(f"{key}: 0 to {_BIGGEST_TYPE} is expected of ICMP's type and code")


def _insert(
    db: Session,
    cloud: Cloud,
    caller: Caller,
    spec: RuleSpec,
    *,
    held: Mapping[str, SecurityGroup | None],
    known: dict[tuple[object, ...], str],
) -> Rule:
    """Insert a rule into a held group whose rules' meanings, with their ids, are known."""
    group = security_groups.writable(held[spec.group_id], caller, spec.group_id)
    if spec.remote_group_id is not None:
        remote = security_groups.visible(held[spec.remote_group_id], caller, spec.remote_group_id)
        if remote.project_id != group.project_id:
            raise Invalid("remote_group_id: a group of the same project is expected")
    rule = Rule(
        id=names.new_id(),
        group_id=group.id,
        project_id=group.project_id,
        direction=spec.direction,
        version=spec.version,
        protocol=spec.protocol,
        port_min=spec.port_min,
        port_max=spec.port_max,
        remote_cidr=str(spec.remote_cidr) if spec.remote_cidr is not None else None,
        remote_group_id=spec.remote_group_id,
        description=spec.description,
        created_at=cloud.clock(),
    )
    meaning = _meaning(rule)
    if meaning in known:
        raise Conflict(f"security group {group.id} has this rule already: {known[meaning]}")
    known[meaning] = rule.id
    db.add(rule)
    security_groups.changed(group, cloud.clock())
    db.flush()
    return rule


def _meaning(rule: Rule) -> tuple[object, ...]:
    protocol = None if rule.protocol is None else ip_protocols.canonical(rule.protocol)
    far = (rule.remote_cidr, rule.remote_group_id)
    return (rule.direction, rule.version, protocol, rule.port_min, rule.port_max, far)
