"""Ports that leave instances, and ports that go: with their addresses, and what they carry.

Lock order: quota usage, subnets by id, ports by id. Who had which address is recorded here as it is in cloud.ports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import addresses, firewall_due, quotas
from db import address_history, floating_ips, ports
from db import networks as network_rows
from db.networks import Subnet
from db.ports import Address, Port
from db.quotas import Resource


def release(db: Session, instance_id: str, now: datetime) -> None:
    """Let go of the ports of an instance that is gone: those made for it go with it, others wait for another."""
    having: dict[Port, list[Address]] = {}
    for place in ports.places(db, [instance_id]).get(instance_id, ()):
        having.setdefault(place.port, []).extend([place.address] if place.address is not None else [])
    if not having:
        return
    owned = {port: found for port, found in having.items() if port.owned}
    if owned:
        project_id = next(iter(owned)).project_id
        quotas.count_down(db, project_id=project_id, resource=Resource.PORTS, amount=len(owned))
    subnets = _by_id(network_rows.lock_subnets(db, sorted({port.network_id for port in owned})))
    firewall_due.touch_members(db, [port.id for port in having], now=now)
    _free(db, [port for port in having if not port.owned], now)
    _remove(db, owned, subnets, now)


def let_go(db: Session, port_id: str, *, instance_id: str, now: datetime, removed: bool = False) -> None:
    """Take a port from the instance that has it, whose row is held; doing it twice changes nothing.

    One that was made for the instance is gone then, and any that is to be `removed`; others wait for another instance.
    """
    known = ports.get_anew(db, port_id)
    if known is None or known.instance_id != instance_id:
        return
    if known.owned or removed:
        counted = Resource.FLOATING_IPS if known.floating else Resource.PORTS
        quotas.count_down(db, project_id=known.project_id, resource=counted)
    subnets = _by_id(network_rows.lock_subnets(db, [known.network_id]))
    firewall_due.touch_members(db, [port_id], now=now)
    if known.owned or removed:
        remove(db, known, subnets, now)
    else:
        _free(db, [known], now)


def remove(db: Session, port: Port, subnets: Mapping[str, Subnet], now: datetime) -> None:
    """Remove a held port, whose subnets are held, with the floating IP that it may carry; it is counted no more."""
    carried = floating_ips.carried_by(db, port.id) if port.floating else None
    if carried is not None:
        db.delete(carried)
        db.flush()
    _remove(db, {port: ports.addresses_of(db, [port.id]).get(port.id, ())}, subnets, now)


def _free(db: Session, held: Sequence[Port], now: datetime) -> None:
    """Have ports wait for another instance; what they carry is associated no more."""
    if not held:
        return
    for port in held:
        _loosen(port, now)
    db.flush()
    if any(port.floating for port in held):
        floating_ips.dissociate(db, [port.id for port in held])
    address_history.end(db, [port.id for port in held], now)
    address_history.begin(db, [port.id for port in held], now)


def _remove(db: Session, gone: Mapping[Port, Sequence[Address]], subnets: Mapping[str, Subnet], now: datetime) -> None:
    """Remove ports with their addresses, whose subnets are held."""
    for port, having in gone.items():
        # the addresses' rows go with it
        db.delete(port)
        db.flush()
        for address in having:
            db.expunge(address)
        addresses.free(db, subnets, having)
    address_history.end(db, [port.id for port in gone], now)


def _loosen(port: Port, now: datetime) -> None:
    port.instance_id, port.number, port.later, port.updated_at = None, 0, False, now
    port.firewall_due_at = port.told_due_at = None


def _by_id(subnets: Sequence[Subnet]) -> Mapping[str, Subnet]:
    return {subnet.id: subnet for subnet in subnets}
