"""One console and the one viewer who may come to it: awaited, then open, then ended, and why.

Both are streams; where the viewer's comes from (a port of its own, a WebSocket) makes no difference here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from common import consoles
from common.consoles import Forward, Kind
from vncauthproxy import viewer as viewers
from vncauthproxy.metrics import Metrics
from vncauthproxy.stream import Broken, Stream
from vncauthproxy.watching import Watcher

log = logging.getLogger(__name__)

#: viewers that shake hands at once for one session: scanners of ports among them
_MOST_MEETING = 4
#: wrong passwords before a session is given up
_MOST_WRONG = 5
#: seconds for what was written to be sent at a session's end
_GRACE = 5.0


@dataclass(frozen=True)
class Limits:
    """How long what may take, in seconds."""

    viewer: float
    idle: float
    total: float


class Session:
    """Call `begin`; from then on `on_open` is called when the viewer has come, if one does, and `on_end` once.

    After `on_end` there is nothing but the last bytes to be sent; see `closed`.
    """

    def __init__(
        self,
        request: Forward,
        console: Stream,
        *,
        secret: str,
        limits: Limits,
        metrics: Metrics,
        on_open: Callable[[Session], None],
        on_end: Callable[[Session], None],
    ) -> None:
        self.id = secrets.token_hex(8)
        self.request = request
        #: why it ended
        self.reason: str | None = None
        self._console = console
        self._viewer: Stream | None = None
        self._secret = secret
        self._limits = limits
        self._metrics = metrics
        self._on_open = on_open
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._granted_at = datetime.now(UTC)
        self._opened_at: datetime | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._meeting: dict[Stream, asyncio.Task[None]] = {}
        self._wrong = 0
        self._closing: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Await the viewer for as long as was asked for."""
        self._timers.append(self._loop.call_later(self.request.seconds, self.end, "expired"))
        self._metrics.sessions.labels(self.request.kind.value, "awaited").inc()
        log.info("session.granted", extra=self._facts)
        if self._console.ended:
            self.end("console_closed")
        else:
            self._console.on_end = lambda: self.end("console_closed")

    def meet(self, viewer: Stream) -> asyncio.Task[None] | None:
        """Shake hands with who may be the viewer, in a task, and open the session if it is.

        None for one that is left at once: the viewer is there, or there are too many who might be.
        """
        if self.reason is not None or self._viewer is not None or len(self._meeting) >= _MOST_MEETING:
            self._metrics.viewers_refused.labels("crowded").inc()
            viewer.abort()
            return None
        task = self._meeting[viewer] = self._loop.create_task(self._meet(viewer))
        return task

    def end(self, reason: str) -> None:
        """End the session, once: what was written is still sent."""
        if self.reason is not None:
            return
        self.reason = reason
        for timer in self._timers:
            timer.cancel()
        for task in self._meeting.values():
            task.cancel()
        kind = self.request.kind.value
        self._metrics.sessions.labels(kind, "open" if self._opened_at is not None else "awaited").dec()
        self._metrics.ended.labels(kind, reason).inc()
        self._metrics.bytes.labels("shown").inc(self._shown)
        self._metrics.bytes.labels("typed").inc(self._typed)
        log.info(
            "session.ended",
            extra={
                **self._facts,
                "viewer": self._viewer.peer if self._viewer is not None else None,
                "reason": reason,
                "granted_at": self._granted_at.isoformat(),
                "opened_at": self._opened_at.isoformat() if self._opened_at is not None else None,
                "shown": self._shown,
                "typed": self._typed,
            },
        )
        for stream in (self._console, self._viewer):
            if stream is not None and not stream.ended:
                self._close(stream, _WORDS.get(reason, ""))
        self._on_end(self)

    async def closed(self) -> None:
        """Return when nothing of an ended session is left."""
        while tasks := [*self._meeting.values(), *self._closing]:
            await asyncio.wait(tasks)

    @property
    def open(self) -> bool:
        """Whether the viewer has come."""
        return self._opened_at is not None

    @property
    def listed(self) -> consoles.Session:
        """The session as the control channel tells it."""
        return consoles.Session(
            session=self.id,
            kind=self.request.kind,
            protocol=self.request.protocol,
            view_only=self.request.view_only,
            server=self.request.server,
            user=self.request.user,
            project=self.request.project,
            request_id=self.request.request_id,
            host=self.request.host,
            port=self.request.port,
            viewer=self._viewer.peer if self._viewer is not None else None,
            granted_at=self._granted_at.isoformat(),
            opened_at=self._opened_at.isoformat() if self._opened_at is not None else None,
            shown=self._shown,
            typed=self._typed,
        )

    async def _meet(self, viewer: Stream) -> None:
        # a browser has shown its ticket already
        password = self._secret.encode("ascii") if self.request.kind is Kind.VNC else None
        try:
            async with asyncio.timeout(self._limits.viewer):
                await viewers.shake_hands(viewer, password=password, take=lambda: self._take(viewer))
        except (Broken, TimeoutError) as err:
            reason = str(err) or "it has not shaken hands in time"
            self._metrics.viewers_refused.labels(_REFUSALS.get(type(err), "broken")).inc()
            log.warning("viewer.refused", extra={**self._facts, "viewer": viewer.peer, "reason": reason})
            self._close(viewer)
            if isinstance(err, viewers.WrongPassword):
                self._wrong += 1
                if self._wrong >= _MOST_WRONG:
                    self.end("wrong_passwords")
            if self.request.kind is Kind.WEBSOCKET:
                # nobody else has a ticket
                self.end("viewer_left")
        except asyncio.CancelledError:
            viewer.abort()
            raise
        else:
            self._open(viewer)
        finally:
            self._meeting.pop(viewer, None)

    def _take(self, viewer: Stream) -> bool:
        """Let one in, and no other after."""
        if self._viewer is not None or self.reason is not None:
            return False
        self._viewer = viewer
        return True

    def _open(self, viewer: Stream) -> None:
        for timer in self._timers:
            timer.cancel()
        for other, task in self._meeting.items():
            if other is not viewer:
                task.cancel()
        self._opened_at = datetime.now(UTC)
        kind = self.request.kind.value
        self._metrics.sessions.labels(kind, "awaited").dec()
        self._metrics.sessions.labels(kind, "open").inc()
        log.info("session.opened", extra={**self._facts, "viewer": viewer.peer})
        self._on_open(self)
        self._timers = [
            self._loop.call_later(self._limits.total, self.end, "total_time"),
            self._loop.call_later(self._limits.idle, self._check_idle, viewer),
        ]
        viewer.on_end = lambda: self.end("viewer_left")
        self._console.relay_to(viewer)
        viewer.relay_to(self._console, self._filter(Watcher()) if self.request.view_only else None)
        if viewer.ended:
            self.end("viewer_left")

    def _filter(self, watcher: Watcher) -> Callable[[bytes], bytes]:
        def through(data: bytes) -> bytes:
            if self.reason is not None:
                return b""
            try:
                return watcher.passed(data)
            except Broken as err:
                log.warning("viewer.unwatchable", extra={**self._facts, "reason": str(err)})
                self.end("unknown_message")
                return b""

        return through

    def _check_idle(self, viewer: Stream) -> None:
        silent = self._loop.time() - max(viewer.active_at, self._console.active_at)
        if silent >= self._limits.idle:
            self.end("idle")
        else:
            self._timers[1] = self._loop.call_later(self._limits.idle - silent, self._check_idle, viewer)

    def _close(self, stream: Stream, words: str = "") -> None:
        """Let what was written be sent, but not for ever."""
        ended = asyncio.Event()
        stream.on_end = ended.set

        async def wait() -> None:
            try:
                async with asyncio.timeout(_GRACE):
                    await ended.wait()
            except TimeoutError:
                pass
            finally:
                stream.abort()

        stream.close(words)
        if not stream.ended:
            task = self._loop.create_task(wait())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    @property
    def _shown(self) -> int:
        return self._console.received

    @property
    def _typed(self) -> int:
        return self._viewer.received if self._viewer is not None else 0

    @property
    def _facts(self) -> dict[str, object]:
        return {
            "session": self.id,
            "kind": self.request.kind.value,
            "view_only": self.request.view_only,
            "server": self.request.server,
            "user": self.request.user,
            "project": self.request.project,
            "request_id": self.request.request_id,
            "console": self.request.console,
        }


#: what a browser's page may show of why a session has ended
_WORDS = {
    "console_closed": "the console was closed",
    "idle": "nothing has happened for too long",
    "killed": "the session was ended by the operator",
    "shutdown": "the console proxy is being restarted",
    "total_time": "the session has lasted as long as it may",
    "unknown_message": "the viewer sent what a watching one may not",
}
_REFUSALS: dict[type[Exception], str] = {
    viewers.WrongPassword: "wrong_password",
    viewers.Refused: "late",
    TimeoutError: "timeout",
}
