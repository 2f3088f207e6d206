"""Whatever happens, in whatever order: each job's end reaches the broker, and no job's history runs backwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis
from hypothesis import stateful
from hypothesis import strategies as st

from common import jobs, messages
from eventd import service
from tests.unit.eventd import fakes
from tests.unit.eventd.conftest import Bench

NEXT = {"queued": ("waiting", "canceled"), "waiting": ("running", "error"), "running": ("success", "error")}
FINAL = ("success", "error", "canceled")
OTHER = "node2.gnt.test"


class Interleavings(stateful.RuleBasedStateMachine):
    """A cluster that works, and an eventd to which everything happens."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="syros-eventd-")
        self.bench = Bench(Path(self.folder.name))
        self.bench.ganeti.init()
        self.bench.start()
        self.live: dict[int, str] = {}
        self.ends: dict[int, str] = {}
        self.last = 0

    @stateful.rule(gap=st.integers(min_value=0, max_value=2), quick=st.booleans())
    def submit(self, gap: int, quick: bool) -> None:
        self.last += 1 + gap
        self.bench.ganeti.serial(self.last)
        self._write(self.last, "success" if quick else "queued")

    @stateful.precondition(lambda self: self._unfinished())
    @stateful.rule(data=st.data())
    def advance(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self._unfinished()))
        self._write(job_id, data.draw(st.sampled_from(NEXT[self.live[job_id]])))

    @stateful.precondition(lambda self: self._finished())
    @stateful.rule(data=st.data())
    def archive(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self._finished()))
        self.bench.ganeti.archive(job_id)
        del self.live[job_id]

    @stateful.rule(down=st.booleans())
    def broker(self, down: bool) -> None:
        self.bench.broker.down = down

    @stateful.rule(seconds=st.sampled_from((0.0, 0.1, 1.0, 100.0)))
    def work(self, seconds: float) -> None:
        self._need_eventd()
        self.bench.run(seconds=seconds)

    @stateful.rule()
    def one_step(self) -> None:
        self._need_eventd().step(timeout=0)

    @stateful.rule()
    def stop(self) -> None:
        self.bench.stop()

    @stateful.rule()
    def kill(self) -> None:
        self.bench.kill()

    @stateful.rule()
    def lose_the_state_file(self) -> None:
        self.bench.kill()
        self.bench.config.state_file.unlink(missing_ok=True)

    @stateful.rule(mine=st.booleans())
    def mastership(self, mine: bool) -> None:
        self.bench.ganeti.master(fakes.MASTER if mine else OTHER)

    @stateful.precondition(lambda self: self._unfinished())
    @stateful.rule(data=st.data())
    def half_write(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self._unfinished()))
        self.bench.ganeti.job_bytes(job_id, b'{"id": ')

    @stateful.invariant()
    def histories_run_forwards(self) -> None:
        ranks: dict[int, jobs.JobStatus] = {}
        for event in self.bench.broker.events:
            assert isinstance(event, messages.JobEvent)
            before = ranks.get(event.job.id, jobs.JobStatus.QUEUED)
            assert event.job.status.rank >= before.rank
            ranks[event.job.id] = event.job.status

    def teardown(self) -> None:
        try:
            for job_id in self._unfinished():
                self._write(job_id, "error")
            self.bench.broker.down = False
            self.bench.ganeti.master(fakes.MASTER)
            self._need_eventd()
            self.bench.run(seconds=100)
            assert self.bench.broker.final() == self.ends
        finally:
            self.bench.stop()
            self.folder.cleanup()

    def _need_eventd(self) -> service.Eventd:
        return self.bench.eventd or self.bench.start()

    def _unfinished(self) -> list[int]:
        return [job_id for job_id, status in self.live.items() if status not in FINAL]

    def _finished(self) -> list[int]:
        return [job_id for job_id, status in self.live.items() if status in FINAL]

    def _write(self, job_id: int, status: str) -> None:
        self.bench.ganeti.job(job_id, status)
        self.live[job_id] = status
        if status in FINAL:
            self.ends[job_id] = status


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = hypothesis.settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
