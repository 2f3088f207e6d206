"""One console and the one viewer who may come to it: awaited, then open, then ended, and why.

Both are streams; where the viewer's comes from (a port of its own, a WebSocket) makes no difference here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from websockets.frames import CloseCode

from common import consoles
from common.consoles import BadField, EndedSession, Forward, Kind, Protocol
from vncauthproxy import viewer as viewers
from vncauthproxy.connector import Unreachable
from vncauthproxy.metrics import Metrics
from vncauthproxy.stream import NORMAL, Broken, Stream
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
        console: Stream | None,
        *,
        reach: Callable[[], Awaitable[Stream]],
        secret: str,
        limits: Limits,
        metrics: Metrics,
        on_open: Callable[[Session], None],
        on_end: Callable[[Session], None],
    ) -> None:
        """`console` is None for one that `reach` gives when the viewer has come; it may raise Unreachable, BadField."""
        self.id = secrets.token_hex(8)
        self.request = request
        #: why it ended
        self.reason: str | None = None
        self._console = console
        self._reach = reach
        self._viewer: Stream | None = None
        self._secret = secret
        self._limits = limits
        self._metrics = metrics
        self._on_open = on_open
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._granted_at = datetime.now(UTC)
        self._opened_at: datetime | None = None
        self._ended_at: datetime | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._meeting: dict[Stream, asyncio.Task[None]] = {}
        self._wrong = 0
        self._closing: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Await the viewer for as long as was asked for."""
        self._timers.append(self._loop.call_later(self.request.seconds, self.end, "expired"))
        self._metrics.sessions.labels(*self._labels, "awaited").inc()
        log.info("session.granted", extra=self._facts)
        if self._console is not None:
            self._heed(self._console)

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
        self._ended_at = datetime.now(UTC)
        for timer in self._timers:
            timer.cancel()
        for task in self._meeting.values():
            task.cancel()
        self._metrics.sessions.labels(*self._labels, "open" if self._opened_at is not None else "awaited").dec()
        self._metrics.ended.labels(*self._labels, reason).inc()
        self._metrics.bytes.labels(*self._labels, "shown").inc(self._shown)
        self._metrics.bytes.labels(*self._labels, "typed").inc(self._typed)
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
        code, words = _WORDS.get(reason, (NORMAL, ""))
        for stream in (self._console, self._viewer):
            if stream is not None and not stream.ended:
                self._close(stream, words, code)
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

    @property
    def told_at_end(self) -> EndedSession:
        """The session as the control channel tells it when it has ended."""
        if self.reason is None or self._ended_at is None:
            raise RuntimeError(f"session {self.id} has not ended")
        return EndedSession(**vars(self.listed), ended_at=self._ended_at.isoformat(), reason=self.reason)

    async def _meet(self, viewer: Stream) -> None:
        try:
            async with asyncio.timeout(self._limits.viewer):
                console = await self._let_in(viewer)
        except (Unreachable, BadField) as err:
            log.warning("console.unreachable", extra={**self._facts, "reason": str(err)})
            self.end("console_unreachable")
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
            # one that was let in has been told of the end
            if viewer is not self._viewer:
                viewer.abort()
            raise
        else:
            self._open(viewer, console)
        finally:
            self._meeting.pop(viewer, None)

    async def _let_in(self, viewer: Stream) -> Stream:
        """Find out whether it is the viewer; give the console. Raises Broken, Unreachable."""
        # a browser has shown its ticket already
        password = self._secret.encode("ascii") if self.request.kind is Kind.VNC else None
        if self._console is not None:
            await viewers.shake_hands(viewer, password=password, take=lambda: self._take(viewer))
            return self._console
        # there are no hands to shake
        if not self._take(viewer):
            raise viewers.Refused("somebody else was let in before")
        # it has come in time, however long the console takes
        for timer in self._timers:
            timer.cancel()
        self._console = await self._reach()
        self._heed(self._console)
        return self._console

    def _heed(self, console: Stream) -> None:
        """End with the console."""
        if console.ended:
            self.end("console_closed")
        else:
            console.on_end = lambda: self.end("console_closed")

    def _take(self, viewer: Stream) -> bool:
        """Let one in, and no other after."""
        if self._viewer is not None or self.reason is not None:
            return False
        self._viewer = viewer
        return True

    def _open(self, viewer: Stream, console: Stream) -> None:
        if self.reason is not None:
            return
        for timer in self._timers:
            timer.cancel()
        for other, task in self._meeting.items():
            if other is not viewer:
                task.cancel()
        self._opened_at = datetime.now(UTC)
        self._metrics.sessions.labels(*self._labels, "awaited").dec()
        self._metrics.sessions.labels(*self._labels, "open").inc()
        log.info("session.opened", extra={**self._facts, "viewer": viewer.peer})
        self._on_open(self)
        self._timers = [
            self._loop.call_later(self._limits.total, self.end, "total_time"),
            self._loop.call_later(self._limits.idle, self._check_idle, viewer, console),
        ]
        viewer.on_end = lambda: self.end("viewer_left")
        console.relay_to(viewer)
        viewer.relay_to(console, self._filter() if self.request.view_only else None)
        if viewer.ended:
            self.end("viewer_left")

    def _filter(self) -> Callable[[bytes], bytes]:
        if self.request.protocol is Protocol.SERIAL:
            # all that one may send is typed
            return lambda _: b""
        watcher = Watcher()

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

    def _check_idle(self, viewer: Stream, console: Stream) -> None:
        silent = self._loop.time() - max(viewer.active_at, console.active_at)
        if silent >= self._limits.idle:
            self.end("idle")
        else:
            self._timers[1] = self._loop.call_later(self._limits.idle - silent, self._check_idle, viewer, console)

    def _close(self, stream: Stream, words: str = "", code: int = NORMAL) -> None:
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

        stream.close(words, code=code)
        if not stream.ended:
            task = self._loop.create_task(wait())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    @property
    def _shown(self) -> int:
        return self._console.received if self._console is not None else 0

    @property
    def _typed(self) -> int:
        return self._viewer.received if self._viewer is not None else 0

    @property
    def _labels(self) -> tuple[str, str]:
        return self.request.kind.value, self.request.protocol.value

    @property
    def _facts(self) -> dict[str, object]:
        return {
            "session": self.id,
            "kind": self.request.kind.value,
            "protocol": self.request.protocol.value,
            "view_only": self.request.view_only,
            "server": self.request.server,
            "user": self.request.user,
            "project": self.request.project,
            "request_id": self.request.request_id,
            "console": self.request.console,
        }


#: a close code that is for private use, RFC 6455 section 7.4.2
_TAKEN_OVER = 4409
#: as what a browser's page learns of it, and what it may show of why
_WORDS = {
    "console_closed": (NORMAL, "the console was closed"),
    "console_unreachable": (CloseCode.BAD_GATEWAY, "the console can't be reached"),
    "idle": (NORMAL, "nothing has happened for too long"),
    "killed": (NORMAL, "the session was ended by the operator"),
    "shutdown": (NORMAL, "the console proxy is being restarted"),
    "taken_over": (_TAKEN_OVER, "taken over by another viewer"),
    "total_time": (NORMAL, "the session has lasted as long as it may"),
    "unknown_message": (NORMAL, "the viewer sent what a watching one may not"),
}
_REFUSALS: dict[type[Exception], str] = {
    viewers.WrongPassword: "wrong_password",
    viewers.Refused: "late",
    TimeoutError: "timeout",
}
