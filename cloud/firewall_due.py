"""Saying that what ports may send and receive has changed, so that the firewalls of running guests follow.

Each is called in the transaction that changes it, after whatever else that holds but single ports: it holds the ports
by id. The ones that are due are those marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from db import firewall_due


def touch(db: Session, *, group_ids: Sequence[str], now: datetime) -> None:
    """Say that the rules of these groups have changed: for their ports, and for those that name them as remote."""
    if group_ids:
        firewall_due.mark_groups(db, group_ids, now)


def touch_ports(db: Session, port_ids: Sequence[str], now: datetime) -> None:
    """Say that the groups of these ports, their addresses, or whether they are firewalled at all, have changed."""
    if port_ids:
        firewall_due.mark_ports(db, port_ids, now)


def touch_members(db: Session, port_ids: Sequence[str], *, now: datetime, group_ids: Sequence[str] = ()) -> None:
    """Say that these ports come to an instance, leave it, or change their groups: for those that name their groups.

    `group_ids` are groups that they, or ports yet to be made, are going to be in. The ports are held, and not touched
    themselves.
    """
    if port_ids or group_ids:
        firewall_due.mark_naming(db, port_ids, group_ids, now)
