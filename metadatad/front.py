"""What guests' connections get: one answer each, within limits of time, bytes and number."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from metadatad import exchange
from metadatad.api import Failed
from metadatad.budget import Budget
from metadatad.exchange import Answer, Exchange, Refused
from metadatad.guests import Guest, Guests, Lan
from metadatad.metrics import Metrics
from metadatad.settings import MetadatadSettings

log = logging.getLogger(__name__)

_CHUNK = 4096
#: seconds that a guest which has its answer gets to hang up
_LINGER = 1.0

#: asks the API for an instance and a path; raises Failed
Ask = Callable[[str, str], Awaitable[Answer]]


class Front:
    """Serves connections of those who may ask, by `admit`."""

    def __init__(
        self,
        settings: MetadatadSettings,
        ask: Ask,
        metrics: Metrics,
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guests: Guests = {}
        self._settings = settings
        self._budget = Budget(settings.guest_rate)
        self._timer = timer
        self._ask = ask
        self._metrics = metrics
        self._open: Counter[str] = Counter()
        self._total = 0
        self._api_failed = False

    def admit(self, guests: Guests) -> None:
        """Have these be the guests that may ask, and no others."""
        self._guests = guests
        self._budget.keep({guest.tap for guest in guests.values()})

    async def serve(self, lan: Lan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a connection that came in from a LAN, and end it."""
        address = writer.get_extra_info("peername")[0]
        guest = self._guests.get((lan, address))
        try:
            async with asyncio.timeout(self._settings.guest_seconds):
                with self._counted(guest) as refused:
                    await self._answer(guest, refused, reader, writer)
        except TimeoutError:
            self._metrics.unanswered.labels("timeout").inc()
        except OSError:
            self._metrics.unanswered.labels("connection lost").inc()
        except asyncio.CancelledError:
            # the program ends; Python 3.11's streams would take a cancelled task for a fault, and log it
            self._metrics.unanswered.labels("stopped").inc()
        except Exception:
            # one guest's request, and nobody else's trouble
            log.exception(
                "request.failed", extra={"link": lan.bridge, "instance": guest.instance_id if guest else None}
            )
            self._metrics.unanswered.labels("failure").inc()
        finally:
            with contextlib.suppress(OSError):
                writer.transport.abort()

    @contextlib.contextmanager
    def _counted(self, guest: Guest | None) -> Iterator[int | None]:
        """Count a connection; give the status that it is refused with, if it is one too many."""
        tap = guest.tap if guest else ""
        refused = None
        if self._total >= self._settings.connections:
            refused = 503
        elif self._open[tap] >= self._settings.guest_connections:
            refused = 429
        self._total += 1
        self._open[tap] += 1
        self._metrics.connections.set(self._total)
        try:
            yield refused
        finally:
            self._total -= 1
            self._open[tap] -= 1
            if not self._open[tap]:
                del self._open[tap]
            self._metrics.connections.set(self._total)

    async def _answer(
        self, guest: Guest | None, refused: int | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        said = Exchange(request_size=self._settings.request_size)
        if refused is not None:
            # unread: what is too much costs no more than this
            answer: Answer | None = exchange.refusal(refused)
        else:
            try:
                answer = await self._decide(guest, said, reader)
            except Refused as err:
                answer = err.answer
        if answer is None:
            self._metrics.unanswered.labels("nothing asked").inc()
            return
        writer.write(said.answer(answer))
        await writer.drain()
        self._metrics.answered.labels(str(answer.status)).inc()
        if refused is None:
            await self._end(reader, writer)

    async def _end(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let the guest end the connection: a reset might overtake the answer (RFC 9112 section 9.6)."""
        writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await reader.read(_CHUNK):
                    pass

    async def _decide(self, guest: Guest | None, said: Exchange, reader: asyncio.StreamReader) -> Answer | None:
        """Read what is asked, and find the answer; None if nothing is asked. Raises Refused."""
        asked = None
        while asked is None:
            data = await reader.read(_CHUNK)
            if not data:
                return None
            asked = said.take(data)
        if guest is None:
            return exchange.refusal(404)
        if not self._budget.take(guest.tap, self._timer()):
            return exchange.refusal(429)
        try:
            answer = await self._ask(guest.instance_id, asked.path)
        except Failed as err:
            self._failed(str(err))
            return exchange.refusal(503)
        self._recovered()
        return answer if answer.status == 200 else exchange.refusal(answer.status)

    def _failed(self, reason: str) -> None:
        self._metrics.api_failures.labels(reason).inc()
        if not self._api_failed:
            # once, and not for each guest that asks again
            log.warning("api.failed", extra={"reason": reason})
        self._api_failed = True

    def _recovered(self) -> None:
        if self._api_failed:
            log.info("api.answers")
        self._api_failed = False
