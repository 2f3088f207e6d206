"""An eventd that tests step by hand, with a clock of theirs, on a real directory with real inotify."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eventd import service, settings
from tests.unit.eventd import fakes


@dataclass
class Bench:
    """One node, its broker, and its eventd."""

    path: Path
    broker: fakes.FlakyBus = field(default_factory=fakes.FlakyBus)
    seconds: float = 1000.0
    eventd: service.Eventd | None = None

    def __post_init__(self) -> None:
        self.ganeti = fakes.DataDir(self.path / "ganeti")
        self.spool = self.path / "spool"
        self.spool.mkdir(parents=True, exist_ok=True)

    @property
    def config(self) -> settings.EventdSettings:
        return settings.EventdSettings(
            ganeti_dir=self.ganeti.path,
            spool_dir=self.spool,
            state_file=self.path / "state" / "eventd.json",
            node_name=fakes.MASTER,
        )

    def now(self) -> datetime:
        return datetime.fromtimestamp(fakes.EPOCH, tz=UTC) + timedelta(seconds=self.seconds)

    def start(self) -> service.Eventd:
        self.eventd = service.Eventd(self.config, self.broker, now=self.now, timer=lambda: self.seconds)
        return self.eventd

    def run(self, *, seconds: float = 0.0) -> None:
        """Let time pass, then have eventd do all it can do now."""
        assert self.eventd is not None
        self.seconds += seconds
        for _ in range(20):
            self.eventd.step(timeout=0)

    def stop(self) -> None:
        if self.eventd is not None:
            self.eventd.close()
            self.eventd = None

    def kill(self) -> None:
        """End eventd so that what it saves at the end is lost."""
        state = self.config.state_file
        saved = state.read_bytes() if state.exists() else None
        self.stop()
        if saved is not None:
            state.write_bytes(saved)
        else:
            state.unlink(missing_ok=True)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench.ganeti.init()
    yield bench
    bench.stop()
