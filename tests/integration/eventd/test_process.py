"""eventd as a process of its own, publishing to RabbitMQ: killed, cut off, and told to stop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import bus, messages
from common.bus import rabbit
from lab import process, rabbitmq
from tests.unit.eventd import fakes

PATIENCE = 60


class Bed:
    """A Ganeti data directory, a broker's virtual host, and an eventd between them that may be killed."""

    def __init__(self, folder: Path, url: str) -> None:
        self.ganeti = fakes.DataDir(folder / "ganeti")
        self.ganeti.init()
        self.state = folder / "state.json"
        self._folder = folder
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SYROS_")},
            "SYROS_BUS_URL": url,
            "SYROS_EVENTD_GANETI_DIR": str(self.ganeti.path),
            "SYROS_EVENTD_SPOOL_DIR": str(folder / "spool"),
            "SYROS_EVENTD_STATE_FILE": str(self.state),
            "SYROS_EVENTD_NODE_NAME": fakes.MASTER,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._ends: dict[int, str] = {}
        self._stop = threading.Event()
        self._consumer = threading.Thread(
            target=rabbit.RabbitBus(url).consume, args=(self._take,), kwargs={"stop": self._stop}
        )
        self._consumer.start()

    def spawn(self) -> None:
        with (self._folder / "eventd.log").open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "eventd"], env=self._env, stderr=log)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> int:
        assert self._process
        self._process.terminate()
        return self._process.wait(PATIENCE)

    def wait_for(self, ends: dict[int, str]) -> None:
        process.wait_until(lambda: self._ends == ends, what="not every end arrived", timeout=PATIENCE)

    def close(self) -> None:
        self.kill()
        self._stop.set()
        self._consumer.join()

    def _take(self, body: bytes) -> bus.Judgement:
        event = messages.decode(body)
        if isinstance(event, messages.JobEvent) and event.job.status.final:
            self._ends[event.job.id] = event.job.status.value
        return bus.Judgement(bus.Verdict.DONE)


@pytest.fixture
def bed(tmp_path: Path, amqp_url: str) -> Iterator[Bed]:
    bed = Bed(tmp_path, amqp_url)
    yield bed
    bed.close()


def test_killed_again_and_again_it_loses_no_end(bed: Bed) -> None:
    bed.spawn()
    for job_id in range(1, 101):
        bed.ganeti.job(job_id, "running")
        if job_id % 10 == 0:
            bed.wait_for(dict.fromkeys(range(1, job_id), "success"))
            bed.kill()
            bed.ganeti.job(job_id, "success")
            bed.ganeti.archive(job_id)
            bed.spawn()
        else:
            bed.ganeti.job(job_id, "success")
    bed.wait_for(dict.fromkeys(range(1, 101), "success"))


def test_a_broker_that_is_down_for_a_while_costs_nothing(bed: Bed, rabbitmq: rabbitmq.RabbitMQ) -> None:
    bed.spawn()
    bed.ganeti.job(1, "success")
    bed.wait_for({1: "success"})
    rabbitmq.stop()
    try:
        for job_id in range(2, 52):
            bed.ganeti.job(job_id, "error")
    finally:
        rabbitmq.start()
    bed.wait_for({1: "success", **dict.fromkeys(range(2, 52), "error")})


def test_told_to_stop_it_saves_what_is_confirmed(bed: Bed) -> None:
    bed.spawn()
    bed.ganeti.job(1, "success")
    bed.wait_for({1: "success"})
    assert bed.terminate() == 0
    assert b'"confirmed":[[1,1]]' in bed.state.read_bytes()


def test_a_setting_that_it_does_not_know_is_said_and_it_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "syros.toml"
    config.write_text('[eventd]\nganeti_dri = "/x"\n')
    done = subprocess.run(
        [sys.executable, "-m", "eventd", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert "did you mean ganeti_dir" in done.stderr
