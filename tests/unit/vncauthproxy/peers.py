"""A stream whose peer is a script: what it sends is said beforehand, and what it is sent is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from hypothesis import HealthCheck, settings

from vncauthproxy.stream import NORMAL, SocketStream

T = TypeVar("T")

PATIENCE = 30.0

#: for whatever hypothesis comes up with: a loaded machine takes its time
at_leisure = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class ScriptedPeer(SocketStream):
    """Sends `says` at once, in pieces of so many bytes, and then leaves unless it `stays`."""

    def __init__(self, says: bytes, *, piece: int = 1024, stays: bool = False) -> None:
        super().__init__()
        self.heard = b""
        self.closed = False
        self.reading = True
        loop = asyncio.get_running_loop()
        for start in range(0, len(says), piece):
            loop.call_soon(self._feed, says[start : start + piece])
        if not stays:
            loop.call_soon(self._finish)

    def say(self, data: bytes) -> None:
        self._feed(data)

    def leave(self) -> None:
        self._finish()

    def be_slow(self, slow: bool) -> None:
        self._stall(slow)

    def write(self, data: bytes) -> None:
        self.heard += data

    def close(self, reason: str = "", *, code: int = NORMAL) -> None:
        self.closed = True
        asyncio.get_running_loop().call_soon(self._finish)

    def abort(self) -> None:
        self.close()

    @property
    def peer(self) -> str:
        return "192.0.2.7"

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def run(what: Coroutine[object, object, T]) -> T:
    """Run it to its end, and see that it leaves no task behind."""

    async def watched() -> T:
        async with asyncio.timeout(PATIENCE):
            result = await what
        # those on their way out get there; for a task that is left this waits in vain
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)
        return result

    return asyncio.run(watched())
