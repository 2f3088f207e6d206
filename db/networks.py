"""Networks and their subnets, as tenants and operators name them. What Ganeti knows of them is a link on its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any  # JSON columns

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base, sorting
from db.sorting import Order


class NicMode(StrEnum):
    """How a guest's interface meets the node, in Ganeti's words."""

    BRIDGED = "bridged"
    ROUTED = "routed"


class Kind(StrEnum):
    """What keeps a network apart from others on the nodes; in the API `provider:network_type`."""

    #: a bridge that the operator names
    FLAT = "flat"
    #: a bridge of the pool, the network's own
    BRIDGE = "bridge"
    #: a bridge of many networks, each with a MAC prefix of its own out of the pool
    MAC_FILTERED = "mac-filtered"
    #: no bridge: the node is each guest's router
    ROUTED = "routed"


#: those that are taken out of the pool
POOLED = (Kind.BRIDGE, Kind.MAC_FILTERED)


class Network(base.Base):
    __tablename__ = "networks"
    __table_args__ = (
        sa.Index("ix_networks_project_id", "project_id", "created_at", "id"),
        base.partial_index("ix_networks_shared", "created_at", "id", where="shared"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255))
    description: Mapped[str] = mapped_column(sa.String(255), default="")
    #: who may use it; None for the operator's own
    project_id: Mapped[str | None] = mapped_column(sa.ForeignKey("projects.id"))
    #: usable by every project
    shared: Mapped[bool] = mapped_column(default=False)
    #: reaches the outside world
    external: Mapped[bool] = mapped_column(default=False)
    #: servers that name no network get this one
    is_default: Mapped[bool] = mapped_column(default=False)
    enabled: Mapped[bool] = mapped_column(default=True)
    kind: Mapped[Kind] = mapped_column(base.Word(Kind))
    #: the bridge, or for a routed one the routing table, on every node of every backend
    link: Mapped[str] = mapped_column(sa.String(64))
    #: three octets that the MACs of all its ports begin with, and nobody else's; None: none in particular
    mac_prefix: Mapped[str | None] = mapped_column(sa.String(8))
    #: bytes
    mtu: Mapped[int]
    #: its new ports are, unless it is said otherwise of one
    firewalled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def mode(self) -> NicMode:
        """How its NICs meet the nodes."""
        return NicMode.ROUTED if self.kind is Kind.ROUTED else NicMode.BRIDGED


class Ipv6Mode(StrEnum):
    """How guests come by an IPv6 address."""

    #: they make it of the prefix and their MAC (RFC 4862, RFC 4291 appendix A)
    SLAAC = "slaac"
    STATEFUL = "dhcpv6-stateful"
    STATELESS = "dhcpv6-stateless"


class Subnet(base.Base):
    __tablename__ = "subnets"
    __table_args__ = (sa.Index("ix_subnets_network_id", "network_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    network_id: Mapped[str] = mapped_column(sa.ForeignKey("networks.id"))
    name: Mapped[str] = mapped_column(sa.String(255))
    description: Mapped[str] = mapped_column(sa.String(255), default="")
    project_id: Mapped[str | None] = mapped_column(sa.ForeignKey("projects.id"))
    #: in its canonical form
    cidr: Mapped[str] = mapped_column(sa.String(49))
    #: 4 or 6
    version: Mapped[int]
    gateway: Mapped[str | None] = mapped_column(sa.String(45))
    dhcp: Mapped[bool] = mapped_column(default=True)
    ipv6_mode: Mapped[Ipv6Mode | None] = mapped_column(base.Word(Ipv6Mode))
    nameservers: Mapped[list[str]] = mapped_column(default=list)
    #: {destination, nexthop} each
    routes: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    #: {start, end} each: what addresses are chosen from when none is named
    pools: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    #: where the search for a free address goes on: see db.free_ranges
    cursor: Mapped[str] = mapped_column(sa.String(32), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


@dataclass(frozen=True)
class Filter:
    """Which networks a list shows; None means any."""

    #: those of this project, and the shared ones
    project_id: str | None = None
    owner: str | None = None
    ids: Sequence[str] | None = None
    names: Sequence[str] | None = None
    shared: bool | None = None
    external: bool | None = None
    enabled: bool | None = None


@dataclass(frozen=True)
class SubnetFilter:
    """Which subnets a list shows; None means any."""

    #: those of this project, and those of shared networks
    project_id: str | None = None
    owner: str | None = None
    ids: Sequence[str] | None = None
    names: Sequence[str] | None = None
    network_ids: Sequence[str] | None = None
    version: int | None = None
    cidr: str | None = None
    gateway: str | None = None
    dhcp: bool | None = None


def get(session: orm.Session, network_id: str) -> Network | None:
    return session.get(Network, network_id)


def lock(session: orm.Session, network_id: str) -> Network | None:
    """Get a network and hold it until the transaction ends. Lock order: network, subnet, port."""
    query = sa.select(Network).where(Network.id == network_id).with_for_update(key_share=True)
    return session.scalar(query.execution_options(populate_existing=True))


def page(
    session: orm.Session, wanted: Filter, *, limit: int, orders: Sequence[Order] = (), after: Network | None = None
) -> Sequence[Network]:
    """List networks, oldest first unless told otherwise."""
    query = sa.select(Network).where(*_conditions(wanted))
    total = sorting.complete(orders or (Order(Network.created_at),), Network.id)
    return session.scalars(sorting.arranged(query, total, after=after).limit(limit)).all()


def usable(session: orm.Session, project_id: str) -> Sequence[Network]:
    """List the networks that a server which names none may be meant for: two at most, the default ones first."""
    query = sa.select(Network).where(
        Network.enabled, (Network.project_id == project_id) | Network.shared, Network.id.in_(_with_subnets())
    )
    order = (Network.is_default.desc(), Network.created_at, Network.id)
    return session.scalars(query.order_by(*order).limit(2)).all()


def with_link(session: orm.Session, link: str, *, kind: Kind) -> Network | None:
    """Give a network of a kind that has a link on the nodes, the oldest if there are several."""
    query = sa.select(Network).where(Network.link == link, Network.kind == kind)
    return session.scalar(query.order_by(Network.created_at, Network.id).limit(1))


def counts(session: orm.Session) -> Mapping[str, int]:
    """Count the networks that projects own, by project: what the quota usages must equal."""
    query = sa.select(Network.project_id, sa.func.count()).where(Network.project_id.is_not(None))
    return {str(project_id): count for project_id, count in session.execute(query.group_by(Network.project_id))}


def subnet(session: orm.Session, subnet_id: str) -> Subnet | None:
    return session.get(Subnet, subnet_id)


def lock_subnets(session: orm.Session, network_ids: Sequence[str]) -> Sequence[Subnet]:
    """Get the subnets of networks and hold them, by id: who takes addresses takes them one after the other."""
    query = sa.select(Subnet).where(Subnet.network_id.in_(network_ids)).order_by(Subnet.id)
    return session.scalars(query.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def lock_subnet(session: orm.Session, subnet_id: str) -> Subnet | None:
    """Get a subnet and hold it until the transaction ends."""
    query = sa.select(Subnet).where(Subnet.id == subnet_id).with_for_update(key_share=True)
    return session.scalar(query.execution_options(populate_existing=True))


def subnets_of(session: orm.Session, network_ids: Sequence[str]) -> Mapping[str, Sequence[Subnet]]:
    """List the subnets of networks, by network, oldest first."""
    query = sa.select(Subnet).where(Subnet.network_id.in_(network_ids))
    found: dict[str, list[Subnet]] = {}
    for row in session.scalars(query.order_by(Subnet.created_at, Subnet.id)):
        found.setdefault(row.network_id, []).append(row)
    return found


def subnet_page(
    session: orm.Session, wanted: SubnetFilter, *, limit: int, orders: Sequence[Order] = (), after: Subnet | None = None
) -> Sequence[Subnet]:
    """List subnets, oldest first unless told otherwise."""
    query = sa.select(Subnet).where(*_subnet_conditions(wanted))
    total = sorting.complete(orders or (Order(Subnet.created_at),), Subnet.id)
    return session.scalars(sorting.arranged(query, total, after=after).limit(limit)).all()


def _with_subnets() -> sa.Select[str]:
    return sa.select(Subnet.network_id)


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.project_id is not None:
        found.append((Network.project_id == wanted.project_id) | Network.shared)
    exact = {
        Network.project_id: wanted.owner,
        Network.shared: wanted.shared,
        Network.external: wanted.external,
        Network.enabled: wanted.enabled,
    }
    found += [column == value for column, value in exact.items() if value is not None]
    some = {Network.id: wanted.ids, Network.name: wanted.names}
    return found + [column.in_(values) for column, values in some.items() if values is not None]


def _subnet_conditions(wanted: SubnetFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.project_id is not None:
        of_shared = sa.select(Network.id).where(Network.shared)
        found.append((Subnet.project_id == wanted.project_id) | Subnet.network_id.in_(of_shared))
    exact = {
        Subnet.project_id: wanted.owner,
        Subnet.version: wanted.version,
        Subnet.cidr: wanted.cidr,
        Subnet.gateway: wanted.gateway,
        Subnet.dhcp: wanted.dhcp,
    }
    found += [column == value for column, value in exact.items() if value is not None]
    some = {Subnet.id: wanted.ids, Subnet.name: wanted.names, Subnet.network_id: wanted.network_ids}
    return found + [column.in_(values) for column, values in some.items() if values is not None]
