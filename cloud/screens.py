"""The consoles of servers, as somebody comes to them: a token of one use, traded for a place at a console proxy.

The token is used up in a transaction of its own, before Ganeti and the proxy are asked; it is given back if they do not
let the viewer in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud import console_doors, console_holders, instances, policy
from cloud.console_doors import Viewer
from cloud.console_holders import digest
from cloud.console_places import Guest
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common.consoles import Granted, Kind
from common.errors import Forbidden
from db import console_sessions, console_tokens
from db import instances as instance_rows
from db.console_tokens import ConsoleLink, ConsoleToken, Purpose
from db.instances import Instance


@dataclass(frozen=True)
class Opened:
    """Where a browser goes, once."""

    #: with the ticket
    url: str = field(repr=False)
    #: the Compute API's: novnc or xvpvnc
    type: str
    view_only: bool
    #: what brings its holder back: a token of one use, or the link's own
    resume: str = field(repr=False)
    #: of `resume`
    expires_at: datetime
    instance: Instance


@dataclass(frozen=True)
class Sight:
    """How a server is, and how many are at its screen."""

    instance: Instance
    viewers: int


def token(cloud: Cloud, caller: Caller, instance_id: str, *, kind: str) -> str:
    """Make a token for a server's screen, good for one exchange; `kind` is novnc or xvpvnc. Asks nobody.

    Raises NotFound, Conflict, Busy, or Unsupported.
    """
    at = console_doors.desk(cloud)
    policy.require(caller, Operation.CONSOLE_OPEN)
    now, text = cloud.clock(), console_holders.new_text()
    with cloud.sessions.begin() as db:
        instance = instances.visible(instance_rows.get(db, instance_id), caller, instance_id)
        console_holders.check_running(instance)
        db.add(
            ConsoleToken(
                digest=digest(text),
                purpose=Purpose.OPEN,
                type=kind,
                instance_id=instance.id,
                user_id=caller.user_id,
                project_id=caller.project_id,
                roles_elsewhere=at.roles_elsewhere,
                created_at=now,
                expires_at=now + timedelta(seconds=at.settings.token_seconds),
            )
        )
    return text


def native(cloud: Cloud, caller: Caller, instance_id: str) -> Granted:
    """Let a native viewer of VNC to a server's screen, once: it has a host, a port, and a password of one use.

    Raises NotFound, Conflict, Busy, Unsupported, QuotaExceeded, or Unavailable.
    """
    console_doors.desk(cloud)
    guest = _open_to(cloud, caller, instance_id)
    return console_doors.screen(cloud, guest, _viewer(caller), Kind.VNC)


def serial(cloud: Cloud, caller: Caller, instance_id: str) -> str:
    """Let somebody to a server's serial port; give the URL of its WebSocket, which is good for one connection.

    Raises as `native` does.
    """
    console_doors.desk(cloud)
    guest = _open_to(cloud, caller, instance_id)
    return console_doors.with_ticket(console_doors.serial(cloud, guest, _viewer(caller)))


def exchange(cloud: Cloud, text: str, request_id: str) -> Opened:
    """Trade a token for a place at a console proxy, and for the token that brings its holder back.

    Raises Forbidden for a token that is good for nothing (any more), Unsupported; Conflict, Busy, QuotaExceeded or
    Unavailable, and then the token may be shown again.
    """
    at = console_doors.desk(cloud)
    held, instance = _taken(cloud, text)
    link_id = held.id if isinstance(held, ConsoleLink) else None
    viewer = Viewer(held.user_id, held.project_id, request_id, link_id)
    try:
        granted = console_doors.screen(cloud, console_holders.guest(instance), viewer, Kind.WEBSOCKET)
    except Exception:
        if isinstance(held, ConsoleToken):
            with cloud.sessions.begin() as db:
                console_tokens.give_back(db, held.digest)
        raise
    if isinstance(held, ConsoleToken):
        latest = cloud.clock() + timedelta(seconds=at.settings.resume_seconds)
        expires_at = held.expires_at if held.purpose is Purpose.RESUME else latest
        kind, resume = held.type, _resume(cloud, held, expires_at)
    else:
        kind, resume, expires_at = "novnc", text, held.expires_at
    return Opened(
        url=console_doors.with_ticket(granted),
        type=kind,
        view_only=link_id is not None,
        resume=resume,
        expires_at=expires_at,
        instance=instance,
    )


def status(cloud: Cloud, text: str) -> Sight:
    """Tell of the server that a token is for, and do not use it up; raises Forbidden as `exchange` does."""
    with cloud.sessions.read() as db:
        held = console_holders.shown(db, text, cloud.clock())
        instance = console_holders.check(db, held)
        return Sight(instance, console_sessions.viewers(db, instance.id))


def _open_to(cloud: Cloud, caller: Caller, instance_id: str) -> Guest:
    policy.require(caller, Operation.CONSOLE_OPEN)
    with cloud.sessions.read() as db:
        instance = instances.visible(instance_rows.get(db, instance_id), caller, instance_id)
    console_holders.check_running(instance)
    return console_holders.guest(instance)


def _viewer(caller: Caller) -> Viewer:
    return Viewer(caller.user_id, caller.project_id, caller.request_id)


def _taken(cloud: Cloud, text: str) -> tuple[ConsoleToken | ConsoleLink, Instance]:
    """Use a token up; a link stays as it is."""
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        held = console_holders.shown(db, text, now)
        instance = console_holders.check(db, held)
        console_holders.check_running(instance)
        if isinstance(held, ConsoleToken) and not console_tokens.use(db, held.digest, now):
            raise Forbidden(console_holders.USED)
    return held, instance


def _resume(cloud: Cloud, held: ConsoleToken, expires_at: datetime) -> str:
    text = console_holders.new_text()
    with cloud.sessions.begin() as db:
        db.add(
            ConsoleToken(
                digest=digest(text),
                purpose=Purpose.RESUME,
                type=held.type,
                instance_id=held.instance_id,
                user_id=held.user_id,
                project_id=held.project_id,
                roles_elsewhere=held.roles_elsewhere,
                created_at=cloud.clock(),
                expires_at=expires_at,
            )
        )
    return text
