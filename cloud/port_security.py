"""What a port may send and receive: whether it is firewalled, its security groups, and addresses beside its own.

Whoever owns the network says whether its ports are firewalled, and in whose names besides their own they may send.
Lock order: security groups, ports by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import firewall_due, policy
from cloud.addresses import Cidr
from cloud.context import Caller
from cloud.policy import Operation
from common.errors import Conflict, Invalid
from db import networks as network_rows
from db import security_groups as group_rows
from db.networks import Kind, Network
from db.ports import Port
from db.security_groups import SecurityGroup

#: pairs that a port may have, as in Neutron's max_allowed_address_pair
MOST_PAIRS = 10


@dataclass(frozen=True)
class AllowedPair:
    """Addresses that a port may send from besides its own, with a MAC; without one, its own."""

    prefix: Cidr
    mac: str | None = None

    def row(self) -> dict[str, str]:
        """Give it as the port's row keeps it: a single address has no length."""
        single = self.prefix.num_addresses == 1
        found = {"ip": str(self.prefix.network_address if single else self.prefix)}
        return found if self.mac is None else {**found, "mac": self.mac}


def may_decide(caller: Caller, network: Network | None) -> None:
    """Raise Forbidden for a caller who may not say how safe the ports of a network are."""
    if network is None or network.project_id is None or network.project_id != caller.project_id:
        policy.require(caller, Operation.NETWORK_WRITE_ALL)


def touch(db: Session, network_id: str, port_id: str | None, *, groups: Sequence[SecurityGroup], now: datetime) -> None:
    """Say that a port, one that is there or a new one, is going to send from other addresses, or to change its groups.

    Ports are held by id. In a project's own network rules may name a whole subnet in the place of those who are in it;
    when somebody else may send from there, they have to be told apart.
    """
    concerned = {group.id for group in groups}
    network = network_rows.get(db, network_id)
    if network is not None and network.project_id is not None:
        concerned.update(group_rows.groups_in(db, network_id))
    held = [] if port_id is None else [port_id]
    firewall_due.touch_members(db, held, group_ids=sorted(concerned), now=now)


def allow(db: Session, caller: Caller, port: Port, pairs: Sequence[AllowedPair], now: datetime) -> None:
    """Let a held port send from these addresses besides its own, and no others; raises Forbidden, Invalid or Conflict.

    Whoever goes by its groups has been told before: see `touch`.
    """
    # its own MAC goes without saying
    pairs = [replace(pair, mac=None) if pair.mac == port.mac else pair for pair in pairs]
    rows = [pair.row() for pair in pairs]
    if rows == port.allowed_pairs:
        return
    if rows:
        network = network_rows.get(db, port.network_id)
        may_decide(caller, network)
        _check(network, pairs)
    port.allowed_pairs = rows
    # its own rules may name a group that it is in
    port.told_due_at = port.firewall_due_at = now


def change(  # noqa: PLR0917  # whose it is, and what of it
    db: Session,
    caller: Caller,
    port: Port,
    firewalled: bool | None,
    groups: Sequence[SecurityGroup] | None,
    now: datetime,
) -> None:
    """Change what a held port lets through; None leaves a thing as it is. Raises Forbidden, Conflict or Invalid."""
    if firewalled is not None and firewalled is not port.firewalled:
        may_decide(caller, network_rows.get(db, port.network_id))
        if not firewalled and groups is None and group_rows.groups_of(db, [port.id]):
            raise Conflict(f"port {port.id} has security groups; take it out of them in the same request")
        port.firewalled = firewalled
    elif groups is None:
        return
    if groups and not port.firewalled:
        raise Invalid("security_groups: a port without port_security_enabled has none")
    if groups is not None:
        group_rows.leave_all(db, port.id)
        group_rows.join(db, [port.id], [group.id for group in groups])
    firewall_due.touch_ports(db, [port.id], now)


def _check(network: Network | None, pairs: Sequence[AllowedPair]) -> None:
    if len(pairs) > MOST_PAIRS:
        raise Invalid(f"allowed_address_pairs: {MOST_PAIRS} at most")
    if len(set(pairs)) < len(pairs):
        raise Invalid("allowed_address_pairs: one of them is there twice")
    if network is not None and network.kind is Kind.ROUTED:
        raise Conflict(f"allowed_address_pairs: network {network.id} is routed: nodes bring a port its own alone")
    for pair in pairs:
        if pair.prefix.is_multicast or (pair.mac is not None and int(pair.mac[:2], 16) & 1):
            raise Invalid(f"allowed_address_pairs: {pair.row()} is nobody's to send from")
        if pair.mac and network is not None and network.mac_prefix and not pair.mac.startswith(network.mac_prefix):
            raise Invalid(f"allowed_address_pairs: MACs of network {network.id} begin with {network.mac_prefix}")
