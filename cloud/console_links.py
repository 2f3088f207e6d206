"""Links by which others may watch a server's screen, as often as they like, until they expire or are revoked.

Sessions that came by one are ended by the dispatcher once it is over (cloud/console_sessions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.orm import Session

from cloud import console_doors, console_holders, instances, policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import Conflict, Forbidden, Invalid, NotFound
from db import console_tokens as rows
from db import instances as instance_rows
from db.console_tokens import ConsoleLink, ConsoleToken, Purpose
from db.instances import Instance


@dataclass(frozen=True)
class Made:
    """A new link, and its token, which is told once."""

    link: ConsoleLink
    token: str = field(repr=False)


def create(cloud: Cloud, caller: Caller, instance_id: str, *, seconds: int) -> Made:
    """Make a link to a server's screen; raises NotFound, Invalid, Conflict for too many, or Unsupported."""
    policy.require(caller, Operation.CONSOLE_LINK_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.held(db, caller, instance_id)
        return _insert(db, cloud, instance, user_id=caller.user_id, project_id=caller.project_id, seconds=seconds)


def page(
    cloud: Cloud, caller: Caller, instance_id: str, *, limit: int, marker: str | None = None
) -> Sequence[ConsoleLink]:
    """List the links to a server's screen that may still be opened, newest first; raises NotFound, or Invalid."""
    policy.require(caller, Operation.CONSOLE_LINK_READ)
    with cloud.sessions.read() as db:
        instances.visible(instance_rows.get(db, instance_id), caller, instance_id)
        after = None
        if marker is not None:
            after = rows.link(db, marker)
            if after is None or after.instance_id != instance_id:
                raise Invalid(f"marker: server {instance_id} has no console link {marker}")
        return rows.living_links(db, instance_id, cloud.clock(), limit=limit, after=after)


def revoke(cloud: Cloud, caller: Caller, instance_id: str, link_id: str) -> None:
    """End a link to a server's screen; one that has ended stays as it is. Raises NotFound."""
    policy.require(caller, Operation.CONSOLE_LINK_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.visible(instance_rows.get(db, instance_id), caller, instance_id)
        _revoke(db, cloud, instance, link_id)


def create_by_token(cloud: Cloud, text: str, *, seconds: int) -> Made:
    """Make a link to the screen that a token brings back to; raises Forbidden, Invalid, or Conflict."""
    with cloud.sessions.begin() as db:
        holder = _resuming(db, cloud, text)
        instance = instance_rows.lock(db, console_holders.check(db, holder).id)
        if instance is None:
            raise Forbidden("the server of this console is deleted")
        return _insert(db, cloud, instance, user_id=holder.user_id, project_id=holder.project_id, seconds=seconds)


def revoke_by_token(cloud: Cloud, text: str, link_id: str) -> None:
    """End a link to the screen that a token brings back to; raises Forbidden, or NotFound."""
    with cloud.sessions.begin() as db:
        holder = _resuming(db, cloud, text)
        _revoke(db, cloud, console_holders.check(db, holder), link_id)


def _resuming(db: Session, cloud: Cloud, text: str) -> ConsoleToken:
    found = console_holders.shown(db, text, cloud.clock())
    if not isinstance(found, ConsoleToken) or found.purpose is not Purpose.RESUME:
        raise Forbidden("links are made and revoked by who is at the console, and not by who only watches")
    return found


def _insert(db: Session, cloud: Cloud, instance: Instance, *, user_id: str, project_id: str, seconds: int) -> Made:
    at = console_doors.desk(cloud)
    if seconds > at.settings.link_seconds:
        raise Invalid(f"seconds: at most {at.settings.link_seconds:.0f} are allowed")
    now = cloud.clock()
    if rows.count_living_links(db, instance.id, now) >= at.settings.links:
        raise Conflict(f"server {instance.name} has {at.settings.links} console links already; revoke one first")
    text = console_holders.new_text()
    link = ConsoleLink(
        id=names.new_id(),
        digest=console_holders.digest(text),
        instance_id=instance.id,
        user_id=user_id,
        project_id=project_id,
        roles_elsewhere=at.roles_elsewhere,
        created_at=now,
        expires_at=now + timedelta(seconds=seconds),
    )
    db.add(link)
    db.flush()
    return Made(link, text)


def _revoke(db: Session, cloud: Cloud, instance: Instance, link_id: str) -> None:
    link = rows.link(db, link_id)
    if link is None or link.instance_id != instance.id:
        raise NotFound(f"server {instance.name} has no console link {link_id}")
    link.revoked_at = link.revoked_at or cloud.clock()
