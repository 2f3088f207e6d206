"""vncauthproxy itself: sessions are granted within limits, met by their viewers, listed and ended."""

from __future__ import annotations

import asyncio
import logging
import secrets
import string
import time
from dataclasses import dataclass

from common import consoles
from common.consoles import BadField, Forward, Granted, Kind, Protocol
from vncauthproxy.connector import Connector, Unreachable
from vncauthproxy.control import Control, Denied
from vncauthproxy.front import Front, Taken, ticket
from vncauthproxy.history import Past
from vncauthproxy.metrics import Metrics
from vncauthproxy.ports import Exhausted, Ports
from vncauthproxy.session import Limits, Session
from vncauthproxy.settings import VncauthproxySettings
from vncauthproxy.stream import Stream

log = logging.getLogger(__name__)

#: 62 to the eighth: more than a few wrong ones end a session
_PASSWORD_CHARACTERS = string.ascii_letters + string.digits


@dataclass
class _Listener:
    server: asyncio.Server
    port: int


class Vncauthproxy:
    """Call `start` and `stop` within one running loop. Raises OSError for certificates that can't be used."""

    def __init__(self, settings: VncauthproxySettings) -> None:
        self.metrics = Metrics()
        #: where the control channel is, and browsers come; 0 for nowhere
        self.control_port = 0
        self.web_port = 0
        self._settings = settings
        self._connector = Connector(settings)
        self._ports = Ports(settings.host, settings.viewer_ports)
        self._control = Control(settings, self, self.metrics)
        self._front = Front(settings, self._meet, self.metrics) if settings.public_url else None
        self._limits = Limits(settings.viewer_seconds, settings.idle_seconds, settings.session_seconds)
        self._sessions: dict[str, Session] = {}
        self._past = Past(settings.history)
        #: those that are being connected, by user
        self._coming: dict[str, int] = {}
        self._listeners: dict[str, _Listener] = {}
        self._meeting: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Serve. Raises OSError for a certificate or a port that can't be used."""
        if self._front is not None:
            self.web_port = await self._front.start()
        self.control_port = await self._control.start()
        log.info("vncauthproxy.started", extra={"port": self.control_port, "web_port": self.web_port})

    def reload(self) -> None:
        """Read our certificates anew: who comes from now on is shown those; one that can't be used changes nothing."""
        served = {"control_cert": self._control, "web_cert": self._front}
        for key, listener in served.items():
            if listener is not None and listener.certificate is not None:
                listener.certificate.reload(key)

    async def stop(self) -> None:
        """End all sessions, and let what was written to them be sent."""
        self._stopping = True
        if self._front is not None:
            await self._front.stop()
        await self._control.stop()
        for session in list(self._sessions.values()):
            session.end("shutdown")
        while self._ending:
            await asyncio.wait(self._ending)
        log.info("vncauthproxy.stopped")

    async def forward(self, request: Forward) -> Granted:
        """Reach a console, and await its viewer. Raises BadField, Denied."""
        self._check(request)
        user = request.user
        self._coming[user] = self._coming.get(user, 0) + 1
        try:
            return await self._grant(request)
        finally:
            self._coming[user] -= 1
            if not self._coming[user]:
                del self._coming[user]

    def sessions(self) -> list[consoles.Session]:
        """List the sessions, oldest first."""
        return [session.listed for session in self._sessions.values()]

    def history(self, after: int, boot: str) -> consoles.History:
        """Tell of the sessions that ended after those that were told before."""
        return self._past.after(after, boot)

    def kill(self, *, session: str | None, server: str | None, user: str | None, project: str | None) -> int:
        """End the sessions that are as it is said; tell how many. Raises Denied if the one session is not there."""
        if session is not None and session not in self._sessions:
            raise Denied("not_found", f"there is no session {session}", field="session")
        named = {"server": server, "user": user, "project": project}
        found = [
            each
            for each in self._sessions.values()
            if session in (None, each.id)
            and all(value in (None, getattr(each.request, name)) for name, value in named.items())
        ]
        for each in found:
            each.end("killed")
        return len(found)

    @property
    def _browsers(self) -> Front:
        if self._front is None:
            raise RuntimeError("browsers are not served here")
        return self._front

    def _check(self, request: Forward) -> None:
        if self._stopping:
            raise Denied("unavailable", "this proxy is being stopped")
        if request.seconds > self._settings.ticket_seconds:
            raise BadField("seconds", f"at most {self._settings.ticket_seconds:g} are allowed")
        if request.kind is Kind.VNC and not self._settings.public_host:
            raise BadField("kind", "native viewers are not served here")
        if request.kind is Kind.WEBSOCKET and self._front is None:
            raise BadField("kind", "browsers are not served here")
        if len(self._sessions) + sum(self._coming.values()) >= self._settings.sessions:
            raise Denied("busy", "there are as many sessions as this proxy may have")
        own = sum(1 for each in self._sessions.values() if each.request.user == request.user)
        if own + self._coming.get(request.user, 0) >= self._settings.sessions_per_user:
            raise Denied("busy", "the user has as many sessions as one may have", field="user")

    async def _grant(self, request: Forward) -> Granted:
        started = time.monotonic()
        console: Stream | None
        try:
            console = await self._connector.connect(request)
        except Unreachable as err:
            log.warning(
                "console.unreachable",
                extra={
                    "server": request.server,
                    "console": request.console,
                    "request_id": request.request_id,
                    "reason": str(err),
                },
            )
            raise Denied("unreachable", f"the console can't be reached: {err}") from err
        self.metrics.console_seconds.labels(request.protocol.value).observe(time.monotonic() - started)
        if request.protocol is Protocol.SERIAL:
            # it can be reached; the place that it has for a viewer is not kept for one who may never come
            console.abort()
            console = None
        secret = request.secret or (_password() if request.kind is Kind.VNC else ticket())
        session = Session(
            request,
            console,
            reach=lambda: self._connector.connect(request),
            secret=secret,
            limits=self._limits,
            metrics=self.metrics,
            on_open=self._opened,
            on_end=self._ended,
        )
        try:
            if request.kind is Kind.VNC:
                self._listeners[session.id] = await self._listen(session)
            else:
                self._browsers.expect(session, secret)
        except BaseException as err:
            if console is not None:
                console.abort()
            if isinstance(err, Taken):
                raise BadField("secret", str(err)) from err
            raise
        self._sessions[session.id] = session
        listener = self._listeners.get(session.id)
        session.begin()
        if self._stopping:
            session.end("shutdown")
        return Granted(
            session.id,
            secret,
            host=self._settings.public_host if listener is not None else "",
            port=listener.port if listener is not None else 0,
            url=self._settings.public_url if listener is None else "",
        )

    async def _listen(self, session: Session) -> _Listener:
        try:
            server, port = await self._ports.listen(lambda viewer: self._meet(session, viewer))
        except Exhausted as err:
            raise Denied("busy", str(err)) from err
        except OSError as err:
            log.error("viewers.unheard", extra={"reason": str(err)})  # noqa: TRY400  # the reason is the kernel's
            raise Denied("unavailable", "viewers can't be listened for") from err
        return _Listener(server, port)

    def _meet(self, session: Session, viewer: Stream) -> None:
        if len(self._meeting) >= self._settings.connections:
            self.metrics.viewers_refused.labels("crowded").inc()
            viewer.abort()
        elif (task := session.meet(viewer)) is not None:
            self._meeting.add(task)
            task.add_done_callback(self._meeting.discard)

    def _opened(self, session: Session) -> None:
        self._unlisten(session)
        if not session.request.take_over:
            return
        for other in [each for each in self._sessions.values() if each is not session and each.open]:
            if not other.request.view_only and _same(other.request, session.request):
                self.metrics.take_overs.labels(session.request.protocol.value).inc()
                other.end("taken_over")

    def _unlisten(self, session: Session) -> None:
        """Hear nobody else for a session."""
        listener = self._listeners.pop(session.id, None)
        if listener is not None:
            listener.server.close()
            self._ports.release(listener.port)

    def _ended(self, session: Session) -> None:
        if self._sessions.pop(session.id, None) is not None:
            self._past.add(session.told_at_end)
        self._unlisten(session)
        if session.request.kind is Kind.WEBSOCKET:
            self._browsers.forget(session)
        task = asyncio.get_running_loop().create_task(session.closed())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _same(one: Forward, other: Forward) -> bool:
    """Tell whether both are for one console."""
    return (one.server, one.protocol) == (other.server, other.protocol)


def _password() -> str:
    return "".join(secrets.choice(_PASSWORD_CHARACTERS) for _ in range(consoles.PASSWORD_LENGTH))
