"""Ports: a guest's place in a network, with its MAC and its addresses. Ganeti calls them NICs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple  # JSON

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from common import names
from db import base, free_ranges, sorting
from db.free_ranges import DIGITS
from db.networks import Network, Subnet
from db.sorting import Order


class Port(base.Base):
    __tablename__ = "ports"
    __table_args__ = (
        sa.Index("ix_ports_project_id", "project_id", "created_at", "id"),
        sa.Index("ix_ports_network_id", "network_id", "created_at", "id"),
        sa.Index("ix_ports_instance_id", "instance_id", "number"),
        base.partial_index("ix_ports_firewall_due_at", "firewall_due_at", where="firewall_due_at IS NOT NULL"),
        base.partial_index("ix_ports_told_due_at", "told_due_at", where="told_due_at IS NOT NULL"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255), default="")
    description: Mapped[str] = mapped_column(sa.String(255), default="")
    network_id: Mapped[str] = mapped_column(sa.ForeignKey("networks.id"))
    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id"))
    #: lower case, with colons; Ganeti refuses one that it has already
    mac: Mapped[str] = mapped_column(sa.String(17), unique=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    #: whose interface it is; None: nobody's yet
    instance_id: Mapped[str | None] = mapped_column(sa.ForeignKey("instances.id"))
    #: the order of an instance's interfaces
    number: Mapped[int] = mapped_column(default=0)
    #: came to an instance that was there already
    later: Mapped[bool] = mapped_column(default=False)
    #: made for the instance, and gone with it; others outlive it
    owned: Mapped[bool] = mapped_column(default=False)
    #: carries a floating IP, and is gone with it: see db.floating_ips
    floating: Mapped[bool] = mapped_column(default=False)
    #: its security groups say what it lets through; otherwise everything is, but what is not its own
    firewalled: Mapped[bool] = mapped_column(default=True)
    #: {ip, mac} each: what it may send from besides its own; an address or a prefix, and its own MAC without another
    allowed_pairs: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    #: since when its instance's node has to be told of a change; None: it knows all
    firewall_due_at: Mapped[datetime | None]
    #: counts what its instance's node was told
    firewall_generation: Mapped[int] = mapped_column(default=0)
    #: what the last of these was, as a digest; None: nobody knows
    firewall_digest: Mapped[str | None] = mapped_column(sa.String(64))
    #: since when its instance's node has to be told something else for its guest; None: it knows all
    told_due_at: Mapped[datetime | None]
    #: counts what its instance's node was told; 0: what it was told when it came
    told_generation: Mapped[int] = mapped_column(default=0)
    #: what the last of these was, as a digest; None: nobody knows
    told_digest: Mapped[str | None] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Address(base.Base):
    """An address that a port has."""

    __tablename__ = "addresses"
    __table_args__ = (sa.Index("ix_addresses_port_id", "port_id"),)

    subnet_id: Mapped[str] = mapped_column(sa.ForeignKey("subnets.id"), primary_key=True)
    #: as free ranges have it
    number: Mapped[str] = mapped_column(sa.String(DIGITS), primary_key=True)
    #: in its canonical form
    ip: Mapped[str] = mapped_column(sa.String(45), index=True)
    port_id: Mapped[str] = mapped_column(sa.ForeignKey("ports.id", ondelete="CASCADE"))


class Membership(base.Base):
    """A port's being in a security group."""

    __tablename__ = "port_security_groups"

    port_id: Mapped[str] = mapped_column(sa.ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[str] = mapped_column(sa.ForeignKey("security_groups.id"), primary_key=True, index=True)


@dataclass(frozen=True)
class Filter:
    """Which ports a list shows; None means any."""

    #: those of this project alone
    project_id: str | None = None
    ids: Sequence[str] | None = None
    names: Sequence[str] | None = None
    network_ids: Sequence[str] | None = None
    instance_ids: Sequence[str] | None = None
    mac: str | None = None
    enabled: bool | None = None
    ips: Sequence[str] | None = None
    subnet_ids: Sequence[str] | None = None
    #: in one of these security groups
    group_ids: Sequence[str] | None = None
    firewalled: bool | None = None
    #: with an instance, or without
    attached: bool | None = None
    #: that carry a floating IP, or others
    floating: bool | None = None


@dataclass(frozen=True)
class Place:
    """An address of an instance, with what is to be said of it."""

    port: Port
    network: Network
    #: None for a port without an address
    address: Address | None
    subnet: Subnet | None


class Shown(NamedTuple):
    """What is shown of an address beside its server: a list has thousands of these."""

    instance_id: str
    network: str
    ip: str
    mac: str
    floating: bool


@dataclass(frozen=True)
class AddressFilter:
    """Addresses of one IP version that a regular expression matches."""

    version: int
    pattern: str


def get(session: orm.Session, port_id: str) -> Port | None:
    return session.get(Port, port_id)


def get_anew(session: orm.Session, port_id: str) -> Port | None:
    """Get a port as it is now, whatever was known of it."""
    return session.get(Port, port_id, populate_existing=True)


def lock(session: orm.Session, port_id: str) -> Port | None:
    """Get a port and hold it until the transaction ends."""
    query = sa.select(Port).where(Port.id == port_id).with_for_update(key_share=True)
    return session.scalar(query.execution_options(populate_existing=True))


def lock_several(session: orm.Session, port_ids: Collection[str]) -> Sequence[Port]:
    """Get ports by id and hold them until the transaction ends; those that are gone are left out."""
    query = sa.select(Port).where(Port.id.in_(port_ids)).order_by(Port.id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def lock_of_instances(session: orm.Session, instance_ids: Collection[str]) -> Sequence[Port]:
    """Get the ports of instances by id, and hold them until the transaction ends."""
    query = sa.select(Port).where(Port.instance_id.in_(instance_ids)).order_by(Port.id)
    return session.scalars(query.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def page(
    session: orm.Session, wanted: Filter, *, limit: int, orders: Sequence[Order] = (), after: Port | None = None
) -> Sequence[Port]:
    """List ports, oldest first unless told otherwise."""
    query = sa.select(Port).where(*_conditions(wanted))
    total = sorting.complete(orders or (Order(Port.created_at),), Port.id)
    return session.scalars(sorting.arranged(query, total, after=after).limit(limit)).all()


def of_instance(session: orm.Session, instance_id: str) -> Sequence[Port]:
    """List an instance's ports in the order of its interfaces."""
    query = sa.select(Port).where(Port.instance_id == instance_id)
    return session.scalars(query.order_by(Port.number, Port.id)).all()


def addresses_of(session: orm.Session, port_ids: Sequence[str]) -> Mapping[str, Sequence[Address]]:
    """List the addresses of ports, by port, IPv4 first."""
    query = sa.select(Address).join(Subnet).where(Address.port_id.in_(port_ids))
    found: dict[str, list[Address]] = {}
    for row in session.scalars(query.order_by(Subnet.version, Address.number)):
        found.setdefault(row.port_id, []).append(row)
    return found


def places(session: orm.Session, instance_ids: Sequence[str]) -> Mapping[str, Sequence[Place]]:
    """List where instances are in networks, by instance, in the order of their interfaces. One statement."""
    query = (
        sa.select(Port, Network, Address, Subnet)
        .join(Network, Network.id == Port.network_id)
        .outerjoin(Address, Address.port_id == Port.id)
        .outerjoin(Subnet, Subnet.id == Address.subnet_id)
        .where(Port.instance_id.in_(instance_ids))
        .order_by(Port.instance_id, Port.number, Port.id, Subnet.version, Address.number)
    )
    found: dict[str, list[Place]] = {}
    for port, network, address, subnet in session.execute(query):
        found.setdefault(port.instance_id or "", []).append(Place(port, network, address, subnet))
    return found


def shown(session: orm.Session, instance_ids: Sequence[str]) -> Mapping[str, Sequence[Shown]]:
    """List the addresses of instances, by instance, in the order of their interfaces, IPv4 first. One statement."""
    query = (
        sa.select(Port.instance_id, Network.name, Address.ip, Port.mac, Port.floating)
        .join(Network, Network.id == Port.network_id)
        .join(Address, Address.port_id == Port.id)
        .join(Subnet, Subnet.id == Address.subnet_id)
        .where(Port.instance_id.in_(instance_ids))
        .order_by(Port.instance_id, Port.number, Port.id, Subnet.version, Address.number)
    )
    found: dict[str, list[Shown]] = {}
    for row in session.execute(query):
        found.setdefault(row[0] or "", []).append(Shown._make(row))
    return found


def with_address(wanted: AddressFilter, project_id: str | None) -> sa.Select[str | None]:
    """Select the instances with such an address; of a project alone, if one is named."""
    query = (
        sa.select(Port.instance_id)
        .join(Address, Address.port_id == Port.id)
        .join(Subnet, Subnet.id == Address.subnet_id)
        .where(Subnet.version == wanted.version, Address.ip.regexp_match(wanted.pattern))
    )
    if project_id is not None:
        query = query.where(Port.project_id == project_id)
    return query.where(Port.instance_id.is_not(None))


def known_among(session: orm.Session, port_ids: Sequence[str]) -> frozenset[str]:
    """Tell which of these ports there are."""
    return frozenset(session.scalars(sa.select(Port.id).where(Port.id.in_(port_ids))))


def any_in(session: orm.Session, network_id: str) -> bool:
    """Tell whether a network has ports."""
    return session.scalar(sa.select(Port.id).where(Port.network_id == network_id).limit(1)) is not None


def any_address_in(session: orm.Session, subnet_id: str) -> bool:
    """Tell whether anybody has an address of a subnet."""
    return session.scalar(sa.select(Address.port_id).where(Address.subnet_id == subnet_id).limit(1)) is not None


def numbers_in(session: orm.Session, subnet_id: str) -> list[int]:
    """List the addresses of a subnet that ports have, as numbers in order."""
    query = sa.select(Address.number).where(Address.subnet_id == subnet_id).order_by(Address.number)
    return [int(number, 16) for number in session.scalars(query)]


def has_address(session: orm.Session, subnet_id: str, number: int) -> bool:
    """Tell whether some port has an address, which is named by its number."""
    return session.get(Address, (subnet_id, free_ranges.key(number))) is not None


def counts(session: orm.Session) -> Mapping[str, int]:
    """Count the ports of projects, by project, but those that floating IPs count for: what the usages must equal."""
    query = sa.select(Port.project_id, sa.func.count()).where(~Port.floating).group_by(Port.project_id)
    return dict(session.execute(query).all())


def used_prefixes(session: orm.Session, prefixes: Sequence[str]) -> Sequence[str]:
    """Tell which of these MAC prefixes of three octets some port's MAC begins with."""
    begins = sa.func.substr(Port.mac, 1, 8)
    return session.scalars(sa.select(begins).where(begins.in_(prefixes)).distinct().order_by(begins)).all()


def has_mac(session: orm.Session, mac: str) -> bool:
    """Tell whether a MAC is not to be had: a port has it, or the metadata service on each node."""
    if mac.endswith(names.METADATA_MAC_END):
        return True
    return session.scalar(sa.select(Port.id).where(Port.mac == mac)) is not None


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    exact = {
        Port.project_id: wanted.project_id,
        Port.mac: wanted.mac,
        Port.enabled: wanted.enabled,
        Port.firewalled: wanted.firewalled,
        Port.floating: wanted.floating,
    }
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in exact.items() if value is not None]
    some = {
        Port.id: wanted.ids,
        Port.name: wanted.names,
        Port.network_id: wanted.network_ids,
        Port.instance_id: wanted.instance_ids,
    }
    found += [column.in_(values) for column, values in some.items() if values is not None]
    if wanted.attached is not None:
        found.append(Port.instance_id.is_not(None) if wanted.attached else Port.instance_id.is_(None))
    if wanted.ips is not None or wanted.subnet_ids is not None:
        having = sa.select(Address.port_id)
        if wanted.ips is not None:
            having = having.where(Address.ip.in_(wanted.ips))
        if wanted.subnet_ids is not None:
            having = having.where(Address.subnet_id.in_(wanted.subnet_ids))
        found.append(Port.id.in_(having))
    if wanted.group_ids is not None:
        found.append(Port.id.in_(sa.select(Membership.port_id).where(Membership.group_id.in_(wanted.group_ids))))
    return found
