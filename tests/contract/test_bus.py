"""The buses behave alike: what holds for RabbitMQ holds for the one within a process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from common import bus
from common.bus import memory, rabbit
from lab import process

DONE = bus.Judgement(bus.Verdict.DONE)
LATER = bus.Judgement(bus.Verdict.LATER)
DEAD = bus.Judgement(bus.Verdict.DEAD, "cannot be read")


@pytest.fixture(params=["memory", "rabbit"])
def broker(request: pytest.FixtureRequest) -> bus.Bus:
    if request.param == "memory":
        return memory.MemoryBus()
    return rabbit.RabbitBus(request.getfixturevalue("amqp_url"), name="contract test")


class Recorder:
    """A handler that remembers what it was given, and judges by a rule."""

    def __init__(self, rule: Callable[[bytes], bus.Judgement] = lambda _body: DONE) -> None:
        self.bodies: list[bytes] = []
        self._rule = rule

    def __call__(self, body: bytes) -> bus.Judgement:
        self.bodies.append(body)
        return self._rule(body)

    def wait_for(self, count: int) -> None:
        process.wait_until(lambda: len(self.bodies) >= count, what=f"{count} deliveries", timeout=30)


@contextlib.contextmanager
def consuming(broker: bus.Bus, *handlers: bus.Handler) -> Iterator[None]:
    """Run a consumer per handler; each has ended when this ends."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=broker.consume, args=(handler,), kwargs={"stop": stop}, daemon=True)
        for handler in handlers
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)


def publish(broker: bus.Bus, bodies: Sequence[bytes]) -> None:
    publisher = broker.publisher()
    publisher.publish(bodies)
    publisher.close()


def wait_for_letters(broker: bus.Bus, count: int) -> list[bus.DeadLetter]:
    process.wait_until(lambda: len(broker.dead_letters(100)) == count, what=f"{count} dead letters", timeout=30)
    return broker.dead_letters(100)


def test_a_reachable_bus_is_ready(broker: bus.Bus) -> None:
    assert broker.ready()


def test_every_body_arrives_unchanged_and_in_order(broker: bus.Bus) -> None:
    bodies = [b"first", b"", b"\x00\xff binary", *(b"%d" % number for number in range(1200))]
    handler = Recorder()

    publish(broker, bodies)
    with consuming(broker, handler):
        handler.wait_for(len(bodies))

    assert handler.bodies == bodies


def test_publishing_nothing_is_fine(broker: bus.Bus) -> None:
    publish(broker, [])


def test_a_message_that_is_done_never_comes_again(broker: bus.Bus) -> None:
    first, second = Recorder(), Recorder()

    publish(broker, [b"once"])
    with consuming(broker, first):
        first.wait_for(1)
    publish(broker, [b"marker"])
    with consuming(broker, second):
        second.wait_for(1)

    assert first.bodies == [b"once"]
    assert second.bodies == [b"marker"]


def test_a_message_for_later_comes_again_until_it_is_done(broker: bus.Bus) -> None:
    handler = Recorder(lambda _body: LATER if len(handler.bodies) < 3 else DONE)

    publish(broker, [b"stubborn"])
    with consuming(broker, handler):
        handler.wait_for(3)
        publish(broker, [b"marker"])
        handler.wait_for(4)

    assert handler.bodies == [b"stubborn"] * 3 + [b"marker"]


def test_a_message_for_later_does_not_hold_up_the_others(broker: bus.Bus) -> None:
    handler = Recorder(lambda body: LATER if body == b"stubborn" else DONE)

    publish(broker, [b"stubborn", b"easy"])
    with consuming(broker, handler):
        process.wait_until(lambda: b"easy" in handler.bodies, what="the easy one", timeout=30)


def test_a_message_still_wanted_later_at_stop_is_not_lost(broker: bus.Bus) -> None:
    reluctant, willing = Recorder(lambda _body: LATER), Recorder()

    publish(broker, [b"patient"])
    with consuming(broker, reluctant):
        reluctant.wait_for(1)
    with consuming(broker, willing):
        willing.wait_for(1)

    assert willing.bodies == [b"patient"]


def test_what_a_handler_raises_ends_the_consumer_and_loses_nothing(broker: bus.Bus) -> None:
    def fail(_body: bytes) -> bus.Judgement:
        raise LookupError("a bug")

    handler = Recorder()
    publish(broker, [b"fragile"])

    with pytest.raises(LookupError):
        broker.consume(fail, stop=threading.Event())
    with consuming(broker, handler):
        handler.wait_for(1)

    assert handler.bodies == [b"fragile"]


def test_a_dead_message_is_listed_with_its_reason_for_as_long_as_nobody_acts(broker: bus.Bus) -> None:
    publish(broker, [b"garbage"])
    with consuming(broker, Recorder(lambda _body: DEAD)):
        wait_for_letters(broker, 1)

    for _ in range(25):
        (letter,) = broker.dead_letters(100)
    assert letter.body == b"garbage"
    assert letter.reason == "cannot be read"
    assert letter.died_at is not None
    assert letter.died_at.tzinfo is not None


def test_dead_letters_are_listed_oldest_first_up_to_the_limit(broker: bus.Bus) -> None:
    publish(broker, [b"a", b"b", b"c"])
    with consuming(broker, Recorder(lambda _body: DEAD)):
        wait_for_letters(broker, 3)

    assert [letter.body for letter in broker.dead_letters(2)] == [b"a", b"b"]


def test_a_replayed_letter_is_delivered_again_and_no_longer_listed(broker: bus.Bus) -> None:
    publish(broker, [b"a", b"b"])
    with consuming(broker, Recorder(lambda _body: DEAD)):
        letters = wait_for_letters(broker, 2)
    handler = Recorder()

    assert broker.replay(letters[1].id)
    with consuming(broker, handler):
        handler.wait_for(1)

    assert handler.bodies == [b"b"]
    assert [letter.body for letter in broker.dead_letters(100)] == [b"a"]
    assert not broker.replay(letters[1].id)


def test_a_letter_that_dies_again_has_a_new_id(broker: bus.Bus) -> None:
    publish(broker, [b"hopeless"])
    with consuming(broker, Recorder(lambda _body: DEAD)):
        (first,) = wait_for_letters(broker, 1)
        assert broker.replay(first.id)
        (second,) = wait_for_letters(broker, 1)

    assert second.id != first.id


def test_a_dropped_letter_is_gone(broker: bus.Bus) -> None:
    publish(broker, [b"a", b"b"])
    with consuming(broker, Recorder(lambda _body: DEAD)):
        letters = wait_for_letters(broker, 2)

    assert broker.drop(letters[0].id)

    assert [letter.body for letter in broker.dead_letters(100)] == [b"b"]
    assert not broker.drop(letters[0].id)


def test_an_unknown_letter_can_be_neither_replayed_nor_dropped(broker: bus.Bus) -> None:
    assert not broker.replay("nobody")
    assert not broker.drop("nobody")
    assert broker.dead_letters(100) == []


def test_two_consumers_share_the_messages(broker: bus.Bus) -> None:
    both_busy = threading.Barrier(2, timeout=30)

    def meet(body: bytes) -> bus.Judgement:
        if body == b"meet":
            both_busy.wait()
        return DONE

    first, second = Recorder(meet), Recorder(meet)
    with consuming(broker, first, second):
        process.wait_until(lambda: _both_have_one(broker, first, second), what="both consumers", timeout=30)
        publish(broker, [b"meet", b"meet"])
        process.wait_until(
            lambda: (first.bodies + second.bodies).count(b"meet") == 2 and not both_busy.n_waiting,
            what="the meeting",
            timeout=30,
        )

    assert first.bodies.count(b"meet") == second.bodies.count(b"meet") == 1


def _both_have_one(broker: bus.Bus, *recorders: Recorder) -> bool:
    publish(broker, [b"warm up"])
    return all(recorder.bodies for recorder in recorders)
