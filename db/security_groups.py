"""Security groups: what a port may send and receive, as rules that several ports share."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from common import ip_protocols
from db import base, sorting
from db.networks import Network, Subnet
from db.ports import Address, Membership, Port
from db.sorting import Order

#: the group of each project that its ports have without a word
DEFAULT = "default"


class Direction(StrEnum):
    """Which way packets go, seen from the guest."""

    INGRESS = "ingress"
    EGRESS = "egress"


class SecurityGroup(base.Base):
    __tablename__ = "security_groups"
    __table_args__ = (
        sa.Index("ix_security_groups_project_id", "project_id", "created_at", "id"),
        sa.Index(
            "ix_security_groups_default",
            "project_id",
            unique=True,
            postgresql_where=sa.text("is_default"),
            sqlite_where=sa.text("is_default"),
        ),
        base.partial_index("ix_security_groups_shared", "created_at", "id", where="shared"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    #: None for the ready-made ones, which nobody changes
    project_id: Mapped[str | None] = mapped_column(sa.ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(sa.String(255))
    description: Mapped[str] = mapped_column(sa.String(255), default="")
    #: usable by every project
    shared: Mapped[bool] = mapped_column(default=False)
    is_default: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    #: counts the changes of the group and of its rules
    revision: Mapped[int] = mapped_column(default=0)


class Rule(base.Base):
    """What is let through; whatever no rule names is not."""

    __tablename__ = "security_group_rules"
    __table_args__ = (
        sa.Index("ix_security_group_rules_group_id", "group_id", "created_at", "id"),
        sa.Index("ix_security_group_rules_project_id", "project_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    group_id: Mapped[str] = mapped_column(sa.ForeignKey("security_groups.id", ondelete="CASCADE"))
    #: the group's
    project_id: Mapped[str | None] = mapped_column(sa.ForeignKey("projects.id"))
    direction: Mapped[Direction] = mapped_column(base.Word(Direction))
    #: 4 or 6
    version: Mapped[int]
    #: a word of `ip_protocols`, or a number as text, as it was given; None: any
    protocol: Mapped[str | None] = mapped_column(sa.String(16))
    #: the first port, or ICMP's type; None: any
    port_min: Mapped[int | None]
    #: the last port, or ICMP's code; None: any
    port_max: Mapped[int | None]
    #: the other end, with the bits beyond the prefix that it was given with; None: anybody, or the remote group
    remote_cidr: Mapped[str | None] = mapped_column(sa.String(49))
    #: the ports of this group of the same project are the other end
    remote_group_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("security_groups.id", ondelete="CASCADE"), index=True
    )
    description: Mapped[str] = mapped_column(sa.String(255), default="")
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Filter:
    """Which groups a list shows; None means any."""

    #: those of this project, and the ready-made ones
    project_id: str | None = None
    owner: str | None = None
    ids: Sequence[str] | None = None
    names: Sequence[str] | None = None
    descriptions: Sequence[str] | None = None
    shared: bool | None = None


@dataclass(frozen=True)
class RuleFilter:
    """Which rules a list shows; None means any."""

    #: those of this project, and of the ready-made groups
    project_id: str | None = None
    owner: str | None = None
    ids: Sequence[str] | None = None
    group_ids: Sequence[str] | None = None
    remote_group_ids: Sequence[str] | None = None
    directions: Sequence[str] | None = None
    versions: Sequence[int] | None = None
    protocols: Sequence[str] | None = None
    remote_cidrs: Sequence[str] | None = None
    descriptions: Sequence[str] | None = None
    port_min: int | None = None
    port_max: int | None = None


@dataclass(frozen=True)
class Allowed:
    """What a port lets through, of all its groups."""

    direction: Direction
    #: 4 or 6
    version: int
    #: as `ip_protocols.canonical` gives it; None: any
    protocol: str | None
    port_min: int | None
    port_max: int | None
    #: the other end's prefixes, at least one; None: anybody
    remotes: Sequence[str] | None


def get(session: orm.Session, group_id: str) -> SecurityGroup | None:
    return session.get(SecurityGroup, group_id)


def lock(session: orm.Session, group_id: str) -> SecurityGroup | None:
    """Get a group and hold it until the transaction ends: nobody else changes it or its rules."""
    query = sa.select(SecurityGroup).where(SecurityGroup.id == group_id).with_for_update(key_share=True)
    return session.scalar(query.execution_options(populate_existing=True))


def lock_whole(session: orm.Session, group_id: str) -> SecurityGroup | None:
    """Get a group and hold it so that, until the transaction ends, no port gets it either."""
    query = sa.select(SecurityGroup).where(SecurityGroup.id == group_id).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def default_of(session: orm.Session, project_id: str) -> SecurityGroup | None:
    """Find a project's default group."""
    query = sa.select(SecurityGroup).where(SecurityGroup.project_id == project_id, SecurityGroup.is_default)
    return session.scalar(query.execution_options(populate_existing=True))


def for_use(
    session: orm.Session, project_id: str, wanted: Sequence[str], *, by_name: bool
) -> tuple[SecurityGroup | None, Sequence[SecurityGroup]]:
    """Find a project's default group, and those with these ids, or names, that it may use; no one deletes them before
    the transaction ends.
    """
    named: sa.ColumnElement[bool] = SecurityGroup.id.in_(wanted)
    if by_name:
        named |= SecurityGroup.name.in_(wanted)
    own = SecurityGroup.project_id == project_id
    query = (
        sa.select(SecurityGroup)
        .where((own & (SecurityGroup.is_default | named)) | (SecurityGroup.project_id.is_(None) & named))
        .order_by(SecurityGroup.id)
        .with_for_update(read=True, key_share=True)
    )
    found = session.scalars(query.execution_options(populate_existing=True)).all()
    return next((group for group in found if group.is_default), None), found


def page(
    session: orm.Session,
    wanted: Filter,
    *,
    limit: int,
    orders: Sequence[Order] = (),
    after: SecurityGroup | None = None,
) -> Sequence[SecurityGroup]:
    """List groups, oldest first unless told otherwise."""
    query = sa.select(SecurityGroup).where(*_conditions(wanted))
    total = sorting.complete(orders or (Order(SecurityGroup.created_at),), SecurityGroup.id)
    return session.scalars(sorting.arranged(query, total, after=after).limit(limit)).all()


def rule(session: orm.Session, rule_id: str) -> Rule | None:
    return session.get(Rule, rule_id)


def rules_of_groups(session: orm.Session, group_ids: Sequence[str]) -> Mapping[str, Sequence[Rule]]:
    """List the rules of groups, by group, oldest first."""
    query = sa.select(Rule).where(Rule.group_id.in_(group_ids)).order_by(Rule.created_at, Rule.id)
    found: dict[str, list[Rule]] = {}
    for row in session.scalars(query):
        found.setdefault(row.group_id, []).append(row)
    return found


def rules_naming(session: orm.Session, group_id: str) -> Sequence[Rule]:
    """List the rules that go with a group: its own, and those of others that have it as the other end."""
    query = sa.select(Rule).where((Rule.group_id == group_id) | (Rule.remote_group_id == group_id))
    return session.scalars(query.order_by(Rule.id)).all()


def rule_page(
    session: orm.Session, wanted: RuleFilter, *, limit: int, orders: Sequence[Order] = (), after: Rule | None = None
) -> Sequence[Rule]:
    """List rules, oldest first unless told otherwise."""
    query = sa.select(Rule).where(*_rule_conditions(wanted))
    total = sorting.complete(orders or (Order(Rule.created_at),), Rule.id)
    return session.scalars(sorting.arranged(query, total, after=after).limit(limit)).all()


def group_names(session: orm.Session, group_ids: Sequence[str]) -> Mapping[str, str]:
    """Tell the names of groups."""
    query = sa.select(SecurityGroup.id, SecurityGroup.name).where(SecurityGroup.id.in_(group_ids))
    return dict(session.execute(query).all())


def in_use(session: orm.Session, group_id: str) -> bool:
    """Tell whether a port is in a group."""
    return session.scalar(sa.select(Membership.port_id).where(Membership.group_id == group_id).limit(1)) is not None


def join(session: orm.Session, port_ids: Sequence[str], group_ids: Sequence[str]) -> None:
    """Put ports into groups that they are not in."""
    rows = [{"port_id": port_id, "group_id": group_id} for port_id in port_ids for group_id in group_ids]
    if rows:
        session.execute(sa.insert(Membership), rows)


def leave(session: orm.Session, port_ids: Sequence[str], group_id: str) -> None:
    """Take ports out of a group."""
    session.execute(sa.delete(Membership).where(Membership.port_id.in_(port_ids), Membership.group_id == group_id))


def leave_all(session: orm.Session, port_id: str) -> None:
    """Take a port out of all its groups."""
    session.execute(sa.delete(Membership).where(Membership.port_id == port_id))


def groups_in(session: orm.Session, network_id: str) -> Sequence[str]:
    """List the groups that a network's ports are in, by id."""
    query = sa.select(Membership.group_id).join(Port, Port.id == Membership.port_id).distinct()
    return session.scalars(query.where(Port.network_id == network_id).order_by(Membership.group_id)).all()


def groups_of(session: orm.Session, port_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """List the groups of ports, by port, in the order of their ids."""
    query = sa.select(Membership.port_id, Membership.group_id).where(Membership.port_id.in_(port_ids))
    found: dict[str, list[str]] = {}
    for port_id, group_id in session.execute(query.order_by(Membership.group_id)):
        found.setdefault(port_id, []).append(group_id)
    return found


def of_instances(session: orm.Session, instance_ids: Sequence[str]) -> Mapping[str, Sequence[SecurityGroup]]:
    """List the groups of instances' ports, by instance, each once, by name. One statement."""
    query = (
        sa.select(Port.instance_id, SecurityGroup)
        .distinct()
        .join(Membership, Membership.port_id == Port.id)
        .join(SecurityGroup, SecurityGroup.id == Membership.group_id)
        .where(Port.instance_id.in_(instance_ids))
        .order_by(SecurityGroup.name, SecurityGroup.id)
    )
    found: dict[str, list[SecurityGroup]] = {}
    for instance_id, group in session.execute(query):
        found.setdefault(instance_id or "", []).append(group)
    return found


def counts(session: orm.Session) -> Mapping[str, tuple[int, int]]:
    """Count the groups and the rules of projects, by project: what the quota usages must equal."""
    found: dict[str, tuple[int, int]] = {}
    groups = sa.select(SecurityGroup.project_id, sa.func.count()).where(SecurityGroup.project_id.is_not(None))
    for project_id, count in session.execute(groups.group_by(SecurityGroup.project_id)):
        found[project_id or ""] = (count, 0)
    rules = sa.select(Rule.project_id, sa.func.count()).where(Rule.project_id.is_not(None))
    for project_id, count in session.execute(rules.group_by(Rule.project_id)):
        found[project_id or ""] = (found.get(project_id or "", (0, 0))[0], count)
    return found


def remove_all(session: orm.Session, project_id: str) -> None:
    """Remove a project's groups with their rules; no port has one of them."""
    session.execute(sa.delete(Rule).where(Rule.project_id == project_id))
    session.execute(sa.delete(SecurityGroup).where(SecurityGroup.project_id == project_id))


def rules_of(session: orm.Session, port_ids: Sequence[str]) -> Mapping[str, Sequence[Allowed]]:
    """Tell what ports let through, by port: four statements.

    A port that is not firewalled is not in the answer; one that nothing may pass is, with nothing. A rule whose remote
    group has no member lets nobody through, and is left out. The order is always the same.
    """
    query = (
        sa.select(Port.id, Rule)
        .outerjoin(Membership, Membership.port_id == Port.id)
        .outerjoin(Rule, Rule.group_id == Membership.group_id)
        .where(Port.id.in_(port_ids), Port.firewalled)
    )
    own: dict[str, list[Rule]] = {}
    for port_id, row in session.execute(query):
        known = own.setdefault(port_id, [])
        if row is not None:
            known.append(row)
    remote = {row.remote_group_id for rows in own.values() for row in rows if row.remote_group_id is not None}
    members = _addresses_of_members(session, sorted(remote))
    return {port_id: _merged(rows, members) for port_id, rows in own.items()}


def _addresses_of_members(session: orm.Session, group_ids: Sequence[str]) -> Mapping[tuple[str, int], Sequence[str]]:
    """Give the addresses of the ports of groups that some instance has, and those that they are allowed besides, by
    group and IP version.

    Where a project's own network has no other port on a subnet than a group's, and no port that is allowed others'
    addresses, it is the whole subnet: nobody else can send from there, and those who come and go among them change
    nothing.
    """
    other = orm.aliased(Port)
    loose = sa.select(other.id).where(other.network_id == Network.id, other.allowed_pairs != sa.literal([], base.Json))
    private = Network.project_id.is_not(None) & ~Network.shared & ~Network.external & ~loose.exists()
    query = (
        sa.select(Membership.group_id, Subnet, Address.ip, private)
        .join(Port, Port.id == Membership.port_id)
        .join(Address, Address.port_id == Port.id)
        .join(Subnet, Subnet.id == Address.subnet_id)
        .join(Network, Network.id == Subnet.network_id)
        .where(Membership.group_id.in_(group_ids), Port.instance_id.is_not(None))
    )
    having: dict[tuple[str, str], list[str]] = {}
    subnets: dict[str, tuple[Subnet, bool]] = {}
    for group_id, subnet, ip, alone in session.execute(query):
        having.setdefault((group_id, subnet.id), []).append(ip)
        subnets[subnet.id] = (subnet, alone)
    everybody = _attached(session, [subnet_id for subnet_id, (_, alone) in subnets.items() if alone])
    found: dict[tuple[str, int], list[str]] = {}
    for (group_id, subnet_id), ips in having.items():
        subnet, _ = subnets[subnet_id]
        whole = len(ips) == everybody.get(subnet_id)
        found.setdefault((group_id, subnet.version), []).extend([subnet.cidr] if whole else ips)
    for group_id, version, allowed in _allowed_to_members(session, group_ids):
        found.setdefault((group_id, version), []).append(allowed)
    return found


def _allowed_to_members(session: orm.Session, group_ids: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    query = (
        sa.select(Membership.group_id, Port.allowed_pairs)
        .join(Port, Port.id == Membership.port_id)
        .where(Membership.group_id.in_(group_ids), Port.instance_id.is_not(None))
        .where(Port.allowed_pairs != sa.literal([], base.Json))
    )
    for group_id, pairs in session.execute(query):
        for pair in pairs:
            yield group_id, ipaddress.ip_network(pair["ip"]).version, pair["ip"]


def _attached(session: orm.Session, subnet_ids: Sequence[str]) -> Mapping[str, int]:
    query = (
        sa.select(Address.subnet_id, sa.func.count())
        .join(Port, Port.id == Address.port_id)
        .where(Address.subnet_id.in_(subnet_ids), Port.instance_id.is_not(None))
    )
    return dict(session.execute(query.group_by(Address.subnet_id)).all())


_Key = tuple[Direction, int, str | None, int | None, int | None]


def _merged(rows: Sequence[Rule], members: Mapping[tuple[str, int], Sequence[str]]) -> Sequence[Allowed]:
    everybody: set[_Key] = set()
    some: dict[_Key, set[str]] = {}
    for row in rows:
        protocol = None if row.protocol is None else ip_protocols.canonical(row.protocol)
        key = (row.direction, row.version, protocol, row.port_min, row.port_max)
        far = some.setdefault(key, set())
        if row.remote_group_id is not None:
            named = members.get((row.remote_group_id, row.version), ())
            if any(each.endswith("/0") for each in named):
                everybody.add(key)
            far.update(named)
        elif row.remote_cidr is None or row.remote_cidr.endswith("/0"):
            everybody.add(key)
        else:
            far.add(prefix(row.remote_cidr))
    found = [
        Allowed(*key, remotes=None if key in everybody else _collapsed(far, version=key[1]))
        for key, far in some.items()
        if key in everybody or far
    ]
    return sorted(found, key=_place)


def _place(allowed: Allowed) -> tuple[str, int, str, int, int]:
    first, last = (-1 if number is None else number for number in (allowed.port_min, allowed.port_max))
    return (allowed.direction, allowed.version, allowed.protocol or "", first, last)


def _collapsed(prefixes: set[str], *, version: int) -> Sequence[str]:
    if version == 4:
        return tuple(map(str, ipaddress.collapse_addresses(map(ipaddress.IPv4Network, prefixes))))
    return tuple(map(str, ipaddress.collapse_addresses(map(ipaddress.IPv6Network, prefixes))))


def prefix(remote_cidr: str) -> str:
    """Give what a rule's `remote_cidr` means: without the bits beyond the prefix."""
    return str(ipaddress.ip_interface(remote_cidr).network)


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.project_id is not None:
        found.append((SecurityGroup.project_id == wanted.project_id) | SecurityGroup.shared)
    exact = {SecurityGroup.project_id: wanted.owner, SecurityGroup.shared: wanted.shared}
    found += [column == value for column, value in exact.items() if value is not None]
    some = {
        SecurityGroup.id: wanted.ids,
        SecurityGroup.name: wanted.names,
        SecurityGroup.description: wanted.descriptions,
    }
    return found + [column.in_(values) for column, values in some.items() if values is not None]


def _rule_conditions(wanted: RuleFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.project_id is not None:
        found.append((Rule.project_id == wanted.project_id) | Rule.project_id.is_(None))
    exact = {Rule.project_id: wanted.owner, Rule.port_min: wanted.port_min, Rule.port_max: wanted.port_max}
    found += [column == value for column, value in exact.items() if value is not None]
    some = {
        Rule.id: wanted.ids,
        Rule.group_id: wanted.group_ids,
        Rule.remote_group_id: wanted.remote_group_ids,
        Rule.version: wanted.versions,
        Rule.protocol: wanted.protocols,
        Rule.remote_cidr: wanted.remote_cidrs,
        Rule.description: wanted.descriptions,
    }
    found += [column.in_(values) for column, values in some.items() if values is not None]
    if wanted.directions is not None:
        # a word that is no direction is nobody's
        known = [Direction(word) for word in wanted.directions if word in list(Direction)]
        found.append(Rule.direction.in_(known))
    return found
