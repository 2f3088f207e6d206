"""What the console proxies tell of their sessions, kept as rows; and the end of sessions that nobody may have any more.

Proxies are asked outside of transactions. What they tell may come twice, and by several dispatchers at once: a session
that has ended stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cloud import policy
from cloud.console_doors import LINK_USER
from cloud.console_proxies import Proxies
from cloud.context import Cloud
from cloud.policy import Operation
from common import consoles, names
from common.console_proxy import ConsoleProxy, ConsoleProxyRefused, ConsoleProxyUnreachable
from common.errors import Conflict, Invalid, NotFound, Unavailable
from db import console_sessions as rows
from db import console_tokens
from db.console_sessions import ConsoleProxyCursor, ConsoleSession, Filter

log = logging.getLogger(__name__)

#: how long a session may have been granted, and recorded, without its proxy telling of it
_GRACE = timedelta(seconds=10)

#: reasons of ours, for sessions that their proxy does not tell of any more: it may yet
_RESTARTED, _FORGOTTEN = "proxy_restarted", "forgotten"


@dataclass(frozen=True)
class _Told:
    """What a proxy has told at once."""

    at: datetime
    boot: str
    next: int
    listed: Sequence[consoles.Session]
    ended: Sequence[consoles.EndedSession]


def follow(cloud: Cloud, proxies: Proxies) -> None:
    """Take in what every proxy tells, then end what nobody may have any more; one that is silent hides no other."""
    answering = {}
    for name, proxy in proxies.by_name.items():
        try:
            pull(cloud, name, proxy)
            answering[name] = proxy
        except (ConsoleProxyUnreachable, ConsoleProxyRefused) as err:
            log.warning("console_proxy.skipped", extra={"proxy": name, "reason": str(err)})
    end_unjustified(cloud, answering)


def pull(cloud: Cloud, name: str, proxy: ConsoleProxy) -> None:
    """Take in what a proxy tells of its sessions. Raises ConsoleProxyUnreachable, ConsoleProxyRefused."""
    with cloud.sessions.read() as db:
        known = rows.cursor(db, name)
        boot, after = (known.boot, known.after) if known is not None else ("", 0)
    told = _ask(cloud, proxy, boot, after)
    with cloud.sessions.begin() as db:
        cursor = rows.lock_cursor(db, name)
        if cursor is None:
            cursor = ConsoleProxyCursor(name=name, boot="", after=0, seen_at=told.at)
            db.add(cursor)
        restarted = bool(cursor.boot) and cursor.boot != told.boot
        _record(db, name, told, restarted=restarted)
        cursor.after = told.next if cursor.boot != told.boot else max(told.next, cursor.after)
        cursor.boot, cursor.seen_at = told.boot, told.at


def end_unjustified(cloud: Cloud, proxies: Mapping[str, ConsoleProxy]) -> int:
    """End the sessions at these proxies that nobody would be granted now; give their number."""
    with cloud.sessions.read() as db:
        found = rows.unjustified(db, cloud.clock(), enough=policy.roles_for(Operation.CONSOLE_OPEN))
    ended, left = 0, dict(proxies)
    for name, session_id in found:
        if name not in left:
            continue
        try:
            ended += left[name].kill(session=session_id)
        except ConsoleProxyRefused as err:
            if err.code != "not_found":  # it has just ended by itself
                log.warning("console_session.not_ended", extra={"session": session_id, "reason": str(err)})
        except ConsoleProxyUnreachable as err:
            log.warning("console_session.not_ended", extra={"session": session_id, "reason": str(err)})
            del left[name]  # it is asked again with the next round, and not for each of its sessions
    if ended:
        log.info("console_sessions.ended", extra={"ended": ended})
    return ended


def page(cloud: Cloud, wanted: Filter, *, limit: int, marker: str | None = None) -> Sequence[ConsoleSession]:
    """List sessions, newest first, after the one with the id `marker`; raises Invalid. For operators."""
    with cloud.sessions.read() as db:
        after = rows.get(db, marker) if marker is not None else None
        if marker is not None and after is None:
            raise Invalid(f"marker: there is no console session {marker}")
        return rows.page(db, wanted, limit=limit, after=after)


def get(cloud: Cloud, session_id: str) -> ConsoleSession:
    """Give a session; raises NotFound. For operators."""
    with cloud.sessions.read() as db:
        found = rows.get(db, session_id)
    if found is None:
        raise NotFound(f"there is no console session {session_id}")
    return found


def kill(cloud: Cloud, proxies: Proxies, session_id: str) -> ConsoleSession:
    """End a session at its proxy; raises NotFound, Conflict for one that has ended, or Unavailable. For operators."""
    found = get(cloud, session_id)
    if found.ended_at is not None:
        raise Conflict(f"console session {session_id} has ended already: {found.reason}")
    proxy = proxies.by_name.get(found.proxy)
    if proxy is None:
        raise Unavailable(f"console session {session_id} is at {found.proxy}, which [console] proxies does not name")
    try:
        proxy.kill(session=session_id)
    except ConsoleProxyRefused as err:
        if err.code != "not_found":
            raise Unavailable(f"{found.proxy} refuses: {err}") from err
        raise Conflict(f"console session {session_id} has ended already") from err
    except ConsoleProxyUnreachable as err:
        raise Unavailable(f"{found.proxy} does not answer: {err}") from err
    return found


def _ask(cloud: Cloud, proxy: ConsoleProxy, boot: str, after: int) -> _Told:
    at = cloud.clock()
    # the list first: what ends after it is in the history
    listed = proxy.sessions()
    ended: list[consoles.EndedSession] = []
    while True:
        part = proxy.history(after, boot=boot)
        if boot and part.boot != boot:
            ended = []
        boot, after = part.boot, part.next
        if part.lost:
            log.warning("console_proxy.forgot", extra={"lost": part.lost})
        if not part.sessions:
            return _Told(at, boot, after, listed, ended)
        ended += part.sessions


def _record(db: Session, proxy: str, told: _Told, *, restarted: bool) -> None:
    listed = {each.session: each for each in told.listed}
    ended = {each.session: each for each in told.ended}
    known = dict(rows.several(db, {*listed, *ended}))
    for session_id, each in {**listed, **ended}.items():
        row = known.get(session_id) or _new(db, proxy, each)
        if row is None or (row.ended_at is not None and row.reason not in (_RESTARTED, _FORGOTTEN)):
            continue
        row.viewer, row.shown, row.typed = (each.viewer or "")[:64] or None, each.shown, each.typed
        row.opened_at, row.ended_at, row.reason = _moment(each.opened_at), None, None
        if isinstance(each, consoles.EndedSession):
            row.ended_at, row.reason = _moment(each.ended_at), each.reason[:32]
    for row in rows.open_at(db, proxy, granted_before=told.at - _GRACE):
        if row.id not in listed and row.id not in ended:
            row.ended_at = told.at
            row.reason = _RESTARTED if restarted else _FORGOTTEN


def _new(db: Session, proxy: str, told: consoles.Session) -> ConsoleSession | None:
    """Make the row of a session whose grant nobody has lived to record; None for one that is none of ours."""
    if not names.is_uuid(told.server):
        return None
    link_id = told.user.removeprefix(LINK_USER) if told.user.startswith(LINK_USER) else None
    link = console_tokens.link(db, link_id) if link_id is not None else None
    user_id = told.user if link_id is None else link.user_id if link is not None else None
    row = ConsoleSession(
        id=told.session[:64],
        proxy=proxy,
        kind=told.kind.value,
        protocol=told.protocol.value,
        instance_id=told.server,
        user_id=user_id[:32] if user_id is not None else None,
        project_id=told.project[:32],
        # whether they are is not known: such a session is ended for other reasons only
        roles_elsewhere=True,
        link_id=link_id[:36] if link_id is not None else None,
        view_only=told.view_only,
        request_id=told.request_id[:255],
        granted_at=_moment(told.granted_at),
    )
    db.add(row)
    return row


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
