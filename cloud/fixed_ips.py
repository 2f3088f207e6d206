"""A port's fixed IPs: asked for one by one, or one of each IP version that its network has.

Whoever gives and takes them holds the network's subnets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud import addresses
from cloud.addresses import Ip
from common.errors import Invalid
from db import ports
from db.networks import Subnet
from db.ports import Address, Port

#: that a port may have
MOST = 10


@dataclass(frozen=True)
class FixedIp:
    """An address that is asked for: any of a subnet, or this one of whichever subnet has it."""

    subnet_id: str | None = None
    ip: Ip | None = None


def assign(db: Session, port: Port, subnets: Sequence[Subnet], wanted: Sequence[FixedIp] | None) -> Sequence[Address]:
    """Give a port its addresses of its network's held subnets; raises Invalid or Conflict."""
    if wanted is None:
        return _automatic(db, port, subnets)
    if len(wanted) > MOST:
        raise Invalid(f"fixed_ips: {MOST} at most")
    found = []
    for each in wanted:
        subnet = _subnet(subnets, each)
        if each.ip is None:
            found.append(addresses.choose(db, subnet, port))
        else:
            found.append(addresses.claim(db, subnet, port, each.ip))
    return found


def replace(db: Session, port: Port, subnets: Sequence[Subnet], wanted: Sequence[FixedIp]) -> None:
    """Give a held port these addresses and no others, of its network's held subnets; those that it has it keeps.

    Raises Invalid or Conflict.
    """
    left = list(ports.addresses_of(db, [port.id]).get(port.id, ()))
    new = []
    for each in wanted:
        kept = next((address for address in left if _is_meant(address, each)), None)
        if kept is None:
            new.append(each)
        else:
            left.remove(kept)
    if len(wanted) > MOST:
        raise Invalid(f"fixed_ips: {MOST} at most")
    for address in left:
        db.delete(address)
    db.flush()
    addresses.free(db, {subnet.id: subnet for subnet in subnets}, left)
    assign(db, port, subnets, new)


def _is_meant(address: Address, wanted: FixedIp) -> bool:
    if wanted.ip is not None and address.ip != str(wanted.ip):
        return False
    return wanted.subnet_id is None or address.subnet_id == wanted.subnet_id


def _automatic(db: Session, port: Port, subnets: Sequence[Subnet]) -> Sequence[Address]:
    """Take an address of each IP version, of the first subnet that has one left."""
    found = []
    for version in sorted({subnet.version for subnet in subnets}):
        candidates = sorted(
            (subnet for subnet in subnets if subnet.version == version), key=lambda row: (row.created_at, row.id)
        )
        for subnet in candidates:
            try:
                found.append(addresses.choose(db, subnet, port))
            except addresses.Exhausted:
                if subnet is candidates[-1]:
                    raise
            else:
                break
    return found


def _subnet(subnets: Sequence[Subnet], wanted: FixedIp) -> Subnet:
    for subnet in subnets:
        if wanted.subnet_id is not None:
            if subnet.id == wanted.subnet_id:
                return subnet
        elif wanted.ip is not None and wanted.ip in addresses.cidr(subnet):
            return subnet
    if wanted.subnet_id is not None:
        raise Invalid(f"fixed_ips: the network has no subnet {wanted.subnet_id}")
    raise Invalid(f"fixed_ips: {wanted.ip} is in no subnet of the network")
