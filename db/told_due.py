"""Marks on ports of which nodes are to be told something else than they were: what guests hear by DHCP and the like.

Each marking is one statement, and takes its ports' rows by id. A mark counts while some instance has the port.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from db.instances import Instance, State
from db.jobs import Job
from db.ports import Address, Port

#: of instances whose nodes can be told
STATES = (State.ACTIVE, State.STOPPED)


def backends(session: orm.Session, *, before: datetime) -> Sequence[int]:
    """List the backends of instances with ports that are due."""
    query = sa.select(Instance.backend_id).join(Port, Port.instance_id == Instance.id)
    return session.scalars(query.where(Port.told_due_at <= before).distinct().order_by(Instance.backend_id)).all()


def instances(session: orm.Session, *, backend_id: int, before: datetime, limit: int) -> Sequence[str]:
    """List a backend's instances with ports that are due and nothing under way, those first that waited longest."""
    under_way = sa.select(Job.id).where(Job.instance_id == Port.instance_id, Job.finished_at.is_(None))
    query = (
        sa.select(Instance.id)
        .join(Port, Port.instance_id == Instance.id)
        .where(
            Instance.backend_id == backend_id,
            Port.told_due_at <= before,
            Instance.state.in_(STATES),
            ~under_way.exists(),
        )
        .group_by(Instance.id)
        .order_by(sa.func.min(Port.told_due_at), Instance.id)
    )
    return session.scalars(query.limit(limit)).all()


def under_way(session: orm.Session, *, backend_id: int, action: str) -> int:
    """Count a backend's instances that have unfinished jobs of an action."""
    query = sa.select(sa.func.count(Job.instance_id.distinct()))
    conditions = (Job.backend_id == backend_id, Job.finished_at.is_(None), Job.action == action)
    return session.scalar(query.where(*conditions)) or 0


def mark_subnet(session: orm.Session, subnet_id: str, now: datetime) -> None:
    """Mark the ports that have an address of a subnet."""
    _mark(session, Port.id.in_(sa.select(Address.port_id).where(Address.subnet_id == subnet_id)), now)


def mark_network(session: orm.Session, network_id: str, now: datetime) -> None:
    """Mark the ports of a network."""
    _mark(session, Port.network_id == network_id, now)


def _mark(session: orm.Session, which: sa.ColumnElement[bool], now: datetime) -> None:
    # whether an instance has it is for later: one may be getting it now
    held = sa.select(Port.id).where(which).correlate(None).order_by(Port.id).with_for_update(key_share=True)
    statement = sa.update(Port).where(Port.id.in_(held)).values(told_due_at=sa.literal(now, Port.told_due_at.type))
    session.execute(statement.execution_options(synchronize_session=False))
