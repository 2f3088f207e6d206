"""Marks on ports whose firewall is to be brought to what their groups say now.

Each function is one statement, and takes its ports' rows by id, so that two changes at once never wait for each other
in a circle. A mark counts while some instance has the port.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from db.instances import Instance, State
from db.jobs import Job
from db.ports import Membership, Port
from db.security_groups import Rule

#: of instances whose nodes can be told
STATES = (State.ACTIVE, State.STOPPED)


def instances(session: orm.Session, *, before: datetime, limit: int) -> Sequence[str]:
    """List instances with ports that are due and nothing under way; those that have waited longest come first."""
    under_way = sa.select(Job.id).where(Job.instance_id == Port.instance_id, Job.finished_at.is_(None))
    query = (
        sa.select(Instance.id)
        .join(Port, Port.instance_id == Instance.id)
        .where(Port.firewall_due_at <= before, Instance.state.in_(STATES), ~under_way.exists())
        .group_by(Instance.id)
        .order_by(sa.func.min(Port.firewall_due_at))
    )
    return session.scalars(query.limit(limit)).all()


def mark_groups(session: orm.Session, group_ids: Sequence[str], now: datetime) -> None:
    """Mark the ports that are in one of the groups, or whose groups' rules have one as the other end."""
    members = sa.select(Membership.port_id).where(Membership.group_id.in_(group_ids))
    which = _filtered() & (Port.id.in_(members) | Port.id.in_(_naming(Rule.remote_group_id.in_(group_ids))))
    _mark(session, which, now)


def mark_ports(session: orm.Session, port_ids: Sequence[str], now: datetime) -> None:
    """Mark these ports, firewalled or not: one may have been until now."""
    _mark(session, Port.id.in_(port_ids) & Port.instance_id.is_not(None), now)


def mark_naming(session: orm.Session, port_ids: Sequence[str], group_ids: Sequence[str], now: datetime) -> None:
    """Mark the ports whose groups' rules have, as the other end, one of these groups or one that these ports are in.

    The ports themselves are held, not marked.
    """
    own = sa.select(Membership.group_id).where(Membership.port_id.in_(port_ids))
    naming = _naming(Rule.remote_group_id.in_(group_ids) | Rule.remote_group_id.in_(own))
    themselves = Port.id.in_(port_ids)
    _mark(session, themselves | (_filtered() & Port.id.in_(naming)), now, but=themselves)


def _filtered() -> sa.ColumnElement[bool]:
    return Port.instance_id.is_not(None) & Port.firewalled


def _naming(rules: sa.ColumnElement[bool]) -> sa.Select[str]:
    return sa.select(Membership.port_id).join(Rule, Rule.group_id == Membership.group_id).where(rules)


def _mark(
    session: orm.Session, which: sa.ColumnElement[bool], now: datetime, *, but: sa.ColumnElement[bool] | None = None
) -> None:
    held = sa.select(Port.id).where(which).correlate(None).order_by(Port.id).with_for_update(key_share=True)
    due = sa.literal(now, Port.firewall_due_at.type)
    value = due if but is None else sa.case((but, Port.firewall_due_at), else_=due)
    statement = sa.update(Port).where(Port.id.in_(held)).values(firewall_due_at=value)
    session.execute(statement.execution_options(synchronize_session=False))
