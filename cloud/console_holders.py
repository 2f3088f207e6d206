"""Who may be at a server's console: when it is asked for, and each time that what was given for it is shown again."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import policy
from cloud.console_places import Guest
from cloud.policy import Operation
from common.errors import Busy, Conflict, Forbidden
from db import console_tokens, instances, projects, users
from db.console_tokens import ConsoleLink, ConsoleToken
from db.instances import Instance, State, Task
from db.users import Role

#: bytes of a token: 256 random bits, so that nobody guesses one however often they try
_TOKEN_BYTES = 32

USED = "this console token has been used, and each opens one console, once: ask for a new console"

#: what goes on while a console makes sense: the guest runs through it, or comes back soon
_WATCHABLE = (
    None,
    Task.RESIZED,
    Task.RESCUED,
    Task.ATTACHING,
    Task.DETACHING,
    Task.MIGRATING,
    Task.REBOOTING,
    Task.REBOOTING_HARD,
)


def check_running(instance: Instance) -> None:
    """Raise Conflict for a server that has no console now, Busy for one whose console is about to end.

    Both say its name, as all of a console's refusals do: who is told may see it, and knows it by that.
    """
    if instance.state is not State.ACTIVE:
        raise Conflict(f"server {instance.name} is {instance.state}: only one that runs has a console")
    if instance.task not in _WATCHABLE:
        raise Busy(f"server {instance.name} is {instance.task}; its console has to wait until that is done")


def shown(db: Session, text: str, now: datetime) -> ConsoleToken | ConsoleLink:
    """Give what a text is the token of; raises Forbidden for one that is unknown, used, expired or revoked.

    Who knows one of these had it once: only then is it said what has become of it.
    """
    key = digest(text)
    found = console_tokens.token(db, key) or console_tokens.link_by_digest(db, key)
    if found is None:
        raise Forbidden("this console token is unknown")
    if isinstance(found, ConsoleToken) and found.used_at is not None:
        raise Forbidden(USED)
    if isinstance(found, ConsoleLink) and found.revoked_at is not None:
        raise Forbidden("this console link has been revoked")
    if found.expires_at <= now:
        raise Forbidden("this console token has expired: ask for a new console")
    return found


def check(db: Session, held: ConsoleToken | ConsoleLink) -> Instance:
    """Give the server that something was given for; raises Forbidden once that would not be given any more."""
    instance = instances.get(db, held.instance_id)
    if instance is None or instance.deleted_at is not None or instance.soft_deleted_at is not None:
        raise Forbidden("the server of this console is deleted")
    user, project = users.get(db, held.user_id), projects.get(db, held.project_id)
    if user is None or not user.enabled or project is None or not project.enabled:
        raise Forbidden("the user or the project that this console was opened for is disabled")
    if not held.roles_elsewhere:
        roles = users.roles_in(db, held.user_id, held.project_id)
        own = held.project_id == instance.project_id
        if not policy.allows(roles, Operation.CONSOLE_OPEN) or not (own or Role.ADMIN in roles):
            raise Forbidden("the user that this console was opened for may not see it any more")
    return instance


def guest(instance: Instance) -> Guest:
    """Give what is to be known of a server to find its console."""
    return Guest(
        instance_id=instance.id, name=instance.name, ganeti_name=instance.ganeti_name, backend_id=instance.backend_id
    )


def new_text() -> str:
    """Make a token's text."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest(text: str) -> str:
    """Give what is kept of it."""
    return hashlib.sha256(text.encode()).hexdigest()
