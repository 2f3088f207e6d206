"""eventd in a thread of its own, as programs run it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import bus, messages
from common.bus import memory
from eventd import service, settings
from tests.unit.eventd import fakes

PATIENCE = 10.0


class Node:
    """A running eventd with a consumer at the other end of its bus."""

    def __init__(self, path: Path) -> None:
        self.ganeti = fakes.DataDir(path / "ganeti")
        self.received: queue.Queue[messages.Event] = queue.Queue()
        self._bus = memory.MemoryBus()
        self._stop = threading.Event()
        self._consumer = threading.Thread(target=lambda: self._bus.consume(self._take, stop=self._stop))
        self.eventd = service.Eventd(
            settings.EventdSettings(
                ganeti_dir=self.ganeti.path,
                spool_dir=path / "spool",
                state_file=path / "eventd.json",
                node_name=fakes.MASTER,
            ),
            self._bus,
        )

    def start(self) -> None:
        self._consumer.start()
        self.eventd.start()

    def stop(self) -> None:
        self.eventd.stop()
        self._stop.set()
        self._consumer.join()

    def _take(self, body: bytes) -> bus.Judgement:
        self.received.put(messages.decode(body))
        return bus.Judgement(bus.Verdict.DONE)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    node.ganeti.init()
    node.start()
    yield node
    node.stop()


def test_a_rename_in_the_queue_arrives_as_an_event(node: Node) -> None:
    for status in ("queued", "running", "success"):
        node.ganeti.job(1, status)
        event = node.received.get(timeout=PATIENCE)
        assert isinstance(event, messages.JobEvent)
        assert event.job.status == status


def test_it_stops_at_once_and_saves_what_was_confirmed(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.ganeti.init()
    node.ganeti.job(1, "success")
    node.start()
    node.received.get(timeout=PATIENCE)
    node.stop()
    assert b'"confirmed":[[1,1]]' in (tmp_path / "eventd.json").read_bytes()


def test_it_makes_the_spool_that_hooks_write_to(node: Node) -> None:
    assert (node.ganeti.path.parent / "spool").is_dir()
