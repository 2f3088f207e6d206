"""What holds only for the bus within a process; what holds for every bus is in the contract tests."""

from __future__ import annotations

import threading

import pytest

from common import bus
from common.bus import memory


def test_it_is_always_ready() -> None:
    assert memory.MemoryBus().ready()


def test_publishers_share_one_queue() -> None:
    broker = memory.MemoryBus()
    stop = threading.Event()
    seen: list[bytes] = []

    def handle(body: bytes) -> bus.Judgement:
        seen.append(body)
        if len(seen) == 2:
            stop.set()
        return bus.Judgement(bus.Verdict.DONE)

    broker.publisher().publish([b"a"])
    broker.publisher().publish([b"b"])
    broker.consume(handle, stop=stop)

    assert seen == [b"a", b"b"]


def test_a_closed_publisher_still_publishes() -> None:
    broker = memory.MemoryBus()
    publisher = broker.publisher()
    publisher.close()

    publisher.publish([b"a"])

    with pytest.raises(LookupError, match="b'a'"):
        broker.consume(_raise, stop=threading.Event())


def test_two_buses_know_nothing_of_each_other() -> None:
    first, second = memory.MemoryBus(), memory.MemoryBus()
    stop = threading.Event()

    def bury(_body: bytes) -> bus.Judgement:
        stop.set()
        return bus.Judgement(bus.Verdict.DEAD, "no")

    first.publisher().publish([b"a"])
    first.consume(bury, stop=stop)

    assert [letter.body for letter in first.dead_letters(10)] == [b"a"]
    assert second.dead_letters(10) == []


def _raise(body: bytes) -> bus.Judgement:
    raise LookupError(body)
