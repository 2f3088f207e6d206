"""Letting a viewer to a console: Ganeti tells where it is, a proxy awaits the viewer, and a row says who it is for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from cloud.console_desk import Desk
from cloud.console_places import Guest
from cloud.console_proxies import Let
from cloud.context import Cloud
from common.consoles import Forward, Granted, Kind, Protocol
from common.errors import Unsupported
from db.console_sessions import ConsoleSession

#: what a proxy is told instead of a user, of those who come by a link
LINK_USER = "link:"


@dataclass(frozen=True)
class Viewer:
    """Who is to be let in."""

    user_id: str
    #: that the user was in
    project_id: str
    request_id: str
    #: by whose link it is, if by any: such viewers only watch
    link_id: str | None = None


def desk(cloud: Cloud) -> Desk:
    """Give what consoles are shown with; raises Unsupported where nobody lets viewers to them."""
    if cloud.console_desk is None:
        raise Unsupported("no console proxy is set up here ([console] proxies)")
    return cloud.console_desk


def screen(cloud: Cloud, guest: Guest, viewer: Viewer, kind: Kind) -> Granted:
    """Let a viewer to a server's screen; who may type there has it for themselves.

    Raises Conflict, Unsupported, QuotaExceeded, or Unavailable. Never to be called within a transaction.
    """
    at = desk(cloud)
    place = at.places.screen(guest)
    watches = viewer.link_id is not None
    return _let(
        cloud,
        viewer,
        Forward(
            host=place.host,
            port=place.port,
            kind=kind,
            seconds=at.settings.ticket_seconds,
            server=guest.instance_id,
            user=f"{LINK_USER}{viewer.link_id}" if watches else viewer.user_id,
            project=viewer.project_id,
            request_id=viewer.request_id,
            view_only=watches,
            take_over=not watches,
            console_password=at.settings.vnc_password or None,
            tls=place.tls,
            tls_name=place.node,
        ),
    )


def serial(cloud: Cloud, guest: Guest, viewer: Viewer) -> Granted:
    """Let a viewer to a server's serial port, beside others who are there.

    Raises as `screen` does; Unsupported also where nobody keeps serial ports.
    """
    at = desk(cloud)
    if not at.settings.token:
        raise Unsupported("nobody keeps the serial ports of guests here ([console] token)")
    node = at.places.node(guest)
    return _let(
        cloud,
        viewer,
        Forward(
            host=node.host,
            port=at.settings.port,
            kind=Kind.WEBSOCKET,
            seconds=at.settings.ticket_seconds,
            server=guest.instance_id,
            user=viewer.user_id,
            project=viewer.project_id,
            request_id=viewer.request_id,
            protocol=Protocol.SERIAL,
            guest=guest.ganeti_name,
            console_password=at.settings.token,
            tls=True,
            tls_name=node.name,
        ),
    )


def with_ticket(granted: Granted) -> str:
    """Give the URL that a browser connects to."""
    return f"{granted.url}{'&' if '?' in granted.url else '?'}ticket={granted.secret}"


def _let(cloud: Cloud, viewer: Viewer, request: Forward) -> Granted:
    at = desk(cloud)
    let = at.proxies.forward(request)
    row = _row(cloud, let, viewer, request, roles_elsewhere=at.roles_elsewhere)
    try:
        _keep(cloud, row)
    except IntegrityError:  # the dispatcher heard of it from the proxy at the same moment
        _keep(cloud, row)
    return let.granted


def _keep(cloud: Cloud, row: ConsoleSession) -> None:
    with cloud.sessions.begin() as db:
        db.merge(row)


def _row(cloud: Cloud, let: Let, viewer: Viewer, request: Forward, *, roles_elsewhere: bool) -> ConsoleSession:
    return ConsoleSession(
        id=let.granted.session,
        proxy=let.proxy,
        kind=request.kind.value,
        protocol=request.protocol.value,
        instance_id=request.server,
        user_id=viewer.user_id,
        project_id=viewer.project_id,
        roles_elsewhere=roles_elsewhere,
        link_id=viewer.link_id,
        view_only=request.view_only,
        request_id=request.request_id,
        shown=0,
        typed=0,
        granted_at=cloud.clock(),
    )
