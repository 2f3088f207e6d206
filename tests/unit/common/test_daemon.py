"""Loops step again and again, outlive what their steps raise, and end when told to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from common import daemon

NEVER = 3600.0


class Steps:
    """Counts the steps of a loop, and lets a test wait for the next one."""

    def __init__(self, *, failing: int = 0) -> None:
        self.count = 0
        self._failing = failing
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()
            if self.count <= self._failing:
                raise RuntimeError("a peer is down")

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= count, timeout=30)


@pytest.fixture
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_BACKOFF_START", 0.001)


@pytest.fixture
def _signals() -> Iterator[None]:
    """Give the signals back as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_loop_steps_again_after_its_interval() -> None:
    steps = Steps()
    loop = daemon.Loop("test", steps, interval=0.001)

    loop.start()
    steps.wait_for(3)
    loop.stop()


def test_a_woken_loop_steps_at_once() -> None:
    steps = Steps()
    loop = daemon.Loop("test", steps, interval=NEVER)

    loop.start()
    steps.wait_for(1)
    loop.wake()
    steps.wait_for(2)
    loop.stop()


def test_a_loop_outlives_the_failures_of_its_steps(quick_backoff: None, caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps(failing=3)
    loop = daemon.Loop("test", steps, interval=0.001)

    loop.start()
    steps.wait_for(5)
    loop.stop()

    failures = [record for record in caplog.records if record.getMessage() == "loop.failed"]
    assert len(failures) == 3
    pauses = [record.__dict__["retry_in"] for record in failures]
    assert pauses == [0.001, 0.002, 0.004]


def test_a_stopped_loop_steps_no_more() -> None:
    steps = Steps()
    loop = daemon.Loop("test", steps, interval=0.001)
    loop.start()
    steps.wait_for(1)

    loop.stop()
    count = steps.count
    loop.wake()

    assert steps.count == count
    assert "test" not in [thread.name for thread in threading.enumerate()]


def test_stopping_lets_the_step_under_way_end() -> None:
    begun, finished = threading.Event(), threading.Event()

    def step() -> None:
        begun.set()
        loop.signal_stop()
        finished.set()

    loop = daemon.Loop("test", step, interval=NEVER)
    loop.start()
    assert begun.wait(30)
    loop.stop()

    assert finished.is_set()


def test_all_loops_are_told_before_any_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    barrier = threading.Barrier(2, timeout=10)

    def last_step(told: threading.Event) -> None:
        assert told.wait(30)
        barrier.wait()

    class Told(daemon.Loop):
        def __init__(self, name: str) -> None:
            self.told = threading.Event()
            super().__init__(name, lambda: last_step(self.told), interval=NEVER)

        def signal_stop(self) -> None:
            super().signal_stop()
            self.told.set()

    loops = [Told("first"), Told("second")]
    for loop in loops:
        loop.start()

    daemon.stop_all(loops)

    assert not caplog.records
    assert not {"first", "second"} & {thread.name for thread in threading.enumerate()}


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_stop_event(number: signal.Signals) -> None:
    stop = daemon.stop_on_signals()
    assert not stop.is_set()

    os.kill(os.getpid(), number)

    assert stop.wait(30)
