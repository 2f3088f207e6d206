"""A bus within one process. It forgets at exit, which is allowed: eventd replays Ganeti's job queue when it starts."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from common import bus, clock

_PAUSE = 0.5
_POLL = 0.2


@dataclass(frozen=True)
class _Parcel:
    id: str
    body: bytes


class MemoryBus:
    """One queue, any number of publishers and consumers."""

    def __init__(self) -> None:
        self._queue: queue.Queue[_Parcel] = queue.Queue()
        self._dead: dict[str, bus.DeadLetter] = {}
        self._lock = threading.Lock()
        self._ids = itertools.count(1)

    def publisher(self) -> bus.Publisher:
        return _MemoryPublisher(self)

    def put(self, body: bytes) -> None:
        self._queue.put(_Parcel(str(next(self._ids)), body))

    def consume(self, handle: bus.Handler, *, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                parcel = self._queue.get(timeout=_POLL)
            except queue.Empty:
                continue
            try:
                judgement = handle(parcel.body)
            except BaseException:
                self._queue.put(parcel)
                raise
            self._settle(parcel, judgement, stop)

    def ready(self) -> bool:
        return True

    def trouble(self) -> bus.Trouble | None:
        return None

    def dead_letters(self, limit: int) -> list[bus.DeadLetter]:
        with self._lock:
            return list(self._dead.values())[:limit]

    def replay(self, letter_id: str) -> bool:
        with self._lock:
            letter = self._dead.pop(letter_id, None)
        if letter is None:
            return False
        self.put(letter.body)
        return True

    def drop(self, letter_id: str) -> bool:
        with self._lock:
            return self._dead.pop(letter_id, None) is not None

    def _settle(self, parcel: _Parcel, judgement: bus.Judgement, stop: threading.Event) -> None:
        if judgement.verdict is bus.Verdict.LATER:
            stop.wait(_PAUSE)
            self._queue.put(parcel)
        elif judgement.verdict is bus.Verdict.DEAD:
            with self._lock:
                self._dead[parcel.id] = bus.DeadLetter(parcel.id, parcel.body, judgement.reason, clock.now())


class _MemoryPublisher:
    def __init__(self, owner: MemoryBus) -> None:
        self._owner = owner

    def publish(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._owner.put(body)

    def close(self) -> None:
        """Nothing is held."""
