"""Nodes: the machines of each backend, as Ganeti described them at the last refresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base
from db.instances import Instance


class Node(base.Base):
    __tablename__ = "nodes"
    __table_args__ = (sa.UniqueConstraint("backend_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    backend_id: Mapped[int] = mapped_column(sa.ForeignKey("backends.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(255), index=True)
    ip: Mapped[str | None] = mapped_column(sa.String(45))
    #: MiB; 0 while Ganeti does not reach the node
    memory_total: Mapped[int] = mapped_column(default=0)
    memory_free: Mapped[int] = mapped_column(default=0)
    #: MiB
    disk_total: Mapped[int] = mapped_column(default=0)
    disk_free: Mapped[int] = mapped_column(default=0)
    cpus: Mapped[int] = mapped_column(default=0)
    #: that it is the primary node of, strangers too
    instances: Mapped[int] = mapped_column(default=0)
    #: Ganeti leaves it alone
    offline: Mapped[bool] = mapped_column(default=False)
    #: takes no new instances
    drained: Mapped[bool] = mapped_column(default=False)


@dataclass(frozen=True)
class Guests:
    """What our own instances have on a node."""

    count: int = 0
    vcpus: int = 0


def get(session: orm.Session, node_id: int) -> Node | None:
    return session.get(Node, node_id)


def all_nodes(session: orm.Session) -> Sequence[Node]:
    return session.scalars(sa.select(Node).order_by(Node.id)).all()


def page(session: orm.Session, *, limit: int, after: int = 0) -> Sequence[Node]:
    """List nodes by id, up to `limit`, after a given id."""
    return session.scalars(sa.select(Node).where(Node.id > after).order_by(Node.id).limit(limit)).all()


def like(session: orm.Session, text: str) -> Sequence[Node]:
    """List the nodes whose names contain a text."""
    found = sa.select(Node).where(Node.name.contains(text, autoescape=True))
    return session.scalars(found.order_by(Node.id)).all()


def of_backend(session: orm.Session, backend_id: int) -> Mapping[str, Node]:
    """Give a backend's nodes by name."""
    rows = session.scalars(sa.select(Node).where(Node.backend_id == backend_id))
    return {row.name: row for row in rows}


def address(session: orm.Session, backend_id: int, name: str) -> str | None:
    """Tell the address of a backend's node, where Ganeti has told it."""
    return session.scalar(sa.select(Node.ip).where(Node.backend_id == backend_id, Node.name == name))


def guests(session: orm.Session) -> Mapping[tuple[int, str], Guests]:
    """Sum what our live instances have, by (backend, node)."""
    query = (
        sa.select(Instance.backend_id, Instance.node, sa.func.count(), sa.func.sum(Instance.vcpus))
        .where(Instance.deleted_at.is_(None), Instance.node.is_not(None))
        .group_by(Instance.backend_id, Instance.node)
    )
    return {(backend, node or ""): Guests(count, int(vcpus)) for backend, node, count, vcpus in session.execute(query)}


def servers(session: orm.Session, found: Sequence[Node]) -> Mapping[tuple[int, str], Sequence[tuple[str, str]]]:
    """List (id, Ganeti name) of our live instances on nodes, by (backend, node)."""
    query = sa.select(Instance.backend_id, Instance.node, Instance.id, Instance.ganeti_name).where(
        Instance.deleted_at.is_(None), Instance.node.in_([node.name for node in found])
    )
    listed: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for backend_id, node, instance_id, name in session.execute(query.order_by(Instance.id)):
        listed.setdefault((backend_id, node or ""), []).append((instance_id, name))
    return listed
