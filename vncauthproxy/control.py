"""The control channel: requests are JSON objects, one a line, and so are their answers, in their order.

Nothing of a request is logged but its operation and outcome: it may hold passwords.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from typing import Protocol

import orjson

from common import consoles
from common.certificate import Certificate
from common.consoles import BadField, Forward, Granted
from vncauthproxy.metrics import Metrics
from vncauthproxy.settings import VncauthproxySettings

log = logging.getLogger(__name__)

_HANDSHAKE = 5.0
#: seconds for a request to come, and for an answer to be taken
_PATIENCE = 30.0
_OPS = ("forward", "list", "history", "kill")
_KILL_BY = ("session", "server", "user", "project")


class Denied(Exception):
    """A request is understood, and not done: `code` says what kind of no it is."""

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class Served(Protocol):
    """What is asked for through the channel. Each may raise BadField and Denied."""

    async def forward(self, request: Forward) -> Granted: ...

    def sessions(self) -> list[consoles.Session]: ...

    def history(self, after: int, boot: str) -> consoles.History: ...

    def kill(self, *, session: str | None, server: str | None, user: str | None, project: str | None) -> int: ...


class Control:
    """The listener and its connections."""

    def __init__(self, settings: VncauthproxySettings, served: Served, metrics: Metrics) -> None:
        self._settings = settings
        self._served = served
        self._metrics = metrics
        #: None where there is no TLS
        self.certificate = (
            None
            if settings.plain_control
            else Certificate(settings.control_cert, settings.control_key, ca=settings.control_ca)
        )
        self._token = settings.token.encode("ascii")
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; give the port. Raises OSError."""
        tls = self.certificate.context if self.certificate is not None else None
        self._server = await asyncio.start_server(
            self._serve,
            self._settings.control_host or None,
            self._settings.control_port,
            limit=consoles.LONGEST_LINE,
            ssl=tls,
            ssl_handshake_timeout=_HANDSHAKE if tls else None,
            ssl_shutdown_timeout=1.0 if tls else None,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Hear no more; who is being answered is cut off, and does not know what became of it."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def answer(self, line: bytes) -> bytes:
        """Answer a request, in whatever form it comes."""
        op = "none"
        try:
            doc = _document(line)
            self._authenticate(doc.pop("token", None))
            name = doc.pop("op", None)
            if name not in _OPS:
                raise BadField("op", f"one of {', '.join(_OPS)} is expected")
            op = str(name)
            answered = await self._do(op, doc)
        except BadField as err:
            return self._denied(op, "invalid", str(err), err.field)
        except Denied as err:
            return self._denied(op, err.code, str(err), err.field)
        self._metrics.control_requests.labels(op, "ok").inc()
        return consoles.line({"ok": True, **answered})

    async def _do(self, op: str, doc: Mapping[str, object]) -> dict[str, object]:
        if op == "forward":
            return consoles.answer(await self._served.forward(consoles.forward(doc)))
        if op == "list":
            _known(doc, ())
            return {"sessions": [consoles.answer(each) for each in self._served.sessions()]}
        if op == "history":
            _known(doc, ("after", "boot"))
            told = self._served.history(_number("after", doc.get("after", 0)), _text("boot", doc.get("boot", "")))
            sessions = [consoles.answer(each) for each in told.sessions]
            return {"boot": told.boot, "next": told.next, "lost": told.lost, "sessions": sessions}
        _known(doc, _KILL_BY)
        if not doc:
            raise BadField("session", "it, or a server, a user or a project is needed")
        by = {name: _text(name, doc[name]) if name in doc else None for name in _KILL_BY}
        killed = self._served.kill(session=by["session"], server=by["server"], user=by["user"], project=by["project"])
        return {"killed": killed}

    def _authenticate(self, shown: object) -> None:
        # without a token of ours, who got here has shown a certificate
        if self._token and not (isinstance(shown, str) and hmac.compare_digest(shown.encode("utf-8"), self._token)):
            raise Denied("unauthorized", "the token is missing or wrong", field="token")

    def _denied(self, op: str, code: str, message: str, field: str | None) -> bytes:
        self._metrics.control_requests.labels(op, code).inc()
        log.info("control.denied", extra={"op": op, "error": code, "field": field})
        return consoles.line({"ok": False, "error": code, "field": field, "message": message})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # asyncio serves in tasks
        self._connections.add(task)
        try:
            if len(self._connections) <= self._settings.control_connections:
                await self._converse(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as err:
            log.info("control.broken", extra={"reason": repr(err)})
        except asyncio.CancelledError:
            # stopped: asyncio would call it an error
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError as err:
                if err.partial:
                    raise
                return
            except asyncio.LimitOverrunError:
                writer.write(self._denied("none", "invalid", f"longer than {consoles.LONGEST_LINE} bytes", None))
                line = b""
            if line:
                writer.write(await self.answer(line))
            async with asyncio.timeout(_PATIENCE):
                await writer.drain()
                if not line:
                    writer.close()
                    await writer.wait_closed()
                    return


def _document(line: bytes) -> dict[str, object]:
    try:
        doc = orjson.loads(line)
    except orjson.JSONDecodeError as err:
        raise Denied("invalid", f"a line of JSON is expected: {err}") from err
    if not isinstance(doc, dict):
        raise Denied("invalid", "a JSON object is expected")
    return doc


def _known(doc: Mapping[str, object], names: tuple[str, ...]) -> None:
    for name in doc:
        if name not in names:
            raise BadField(name, "unknown")


def _number(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadField(name, "a number is expected, 0 or more")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadField(name, "a text is expected")
    return value
