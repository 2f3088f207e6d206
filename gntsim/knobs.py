"""The fault knobs: what the next jobs and requests must suffer. Turned while the simulator runs, from Python
(`Simulator.knobs`) or over HTTP (`PUT /sim/knobs`, see docs/gntsim.md).
"""

import dataclasses
import enum
import random
import threading
from typing import Any


class Fault(enum.StrEnum):
    """How a job may fail."""

    PREREQ = "prereq"  #: OpPrereqError before the locks: the opcode never reaches `running`
    CHECK = "check"  #: OpPrereqError with the locks held: the opcode was `running`
    EXEC = "exec"  #: OpExecError before anything was changed
    OS = "os"  #: the OS script fails: a created instance stays behind, stopped
    STUCK = "stuck"  #: stays `running` until killed or released
    DEATH = "death"  #: the job process dies while `running`


class Rapi(enum.StrEnum):
    """How a request may fail."""

    REFUSE = "refuse"  #: the connection is cut before the request is read as one
    HANG = "hang"  #: no answer for `hang_seconds`, then 504, as when luxid is down
    DOWN = "down"  #: 504 at once
    LOST = "lost"  #: the request is carried out and the connection cut without a reply


@dataclasses.dataclass
class JobFault:
    """A fault for jobs whose opcode is `opcode` (any, when None); `count` None means until cleared."""

    kind: Fault
    opcode: str | None = None
    count: int | None = 1
    probability: float = 1.0
    instance: str | None = None
    message: str | None = None
    ecode: str = "insufficient_resources"


@dataclasses.dataclass
class RapiFault:
    """A fault for requests: `writes` restricts it to those that submit jobs; `count` None means until cleared."""

    kind: Rapi
    writes: bool = False
    count: int | None = 1
    probability: float = 1.0


@dataclasses.dataclass
class Dials:
    """Plain values: seconds, and what the queue files show."""

    scale: float = 1.0
    by_opcode: dict[str, float] = dataclasses.field(default_factory=dict)
    start_delay: float = 0.0
    hang_seconds: float = 30.0
    coalesce: float = 0.0  #: probability that an intermediate write of a job file is left out
    paused: bool = False  #: no queued job starts


class Knobs:
    """All knobs of one simulator; safe to turn from any thread."""

    def __init__(self, seed: int | None, scale: float) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._jobs: list[JobFault] = []
        self._rapi: list[RapiFault] = []
        self.dials = Dials(scale=scale)

    def fail(self, kind: Fault | str, opcode: str | None = None, **options: Any) -> None:
        """Make jobs fail; options are JobFault's other fields."""
        fault = JobFault(Fault(kind), opcode, **options)
        with self._lock:
            self._jobs.append(fault)

    def break_rapi(self, kind: Rapi | str, **options: Any) -> None:
        """Make requests fail; options are RapiFault's other fields."""
        fault = RapiFault(Rapi(kind), **options)
        with self._lock:
            self._rapi.append(fault)

    def turn(self, **dials: Any) -> None:
        with self._lock:
            self.dials = dataclasses.replace(self.dials, **dials)

    def clear(self) -> None:
        """Take back every fault, and start delay, coalescing and pause."""
        with self._lock:
            self._jobs.clear()
            self._rapi.clear()
            self.dials = Dials(scale=self.dials.scale, by_opcode=self.dials.by_opcode)

    def job_fault(self, opcode: str, instance: str | None) -> JobFault | None:
        """The fault this opcode must suffer now, used up by asking."""
        with self._lock:
            for fault in self._jobs:
                if fault.opcode not in (None, opcode) or fault.instance not in (None, instance):
                    continue
                if self._random.random() >= fault.probability:
                    continue
                self._use_up(self._jobs, fault)
                return fault
        return None

    def rapi_fault(self, *, writing: bool) -> RapiFault | None:
        with self._lock:
            for fault in self._rapi:
                if (fault.writes and not writing) or self._random.random() >= fault.probability:
                    continue
                self._use_up(self._rapi, fault)
                return fault
        return None

    def coalesces(self) -> bool:
        with self._lock:
            return self.dials.coalesce > 0 and self._random.random() < self.dials.coalesce

    def show(self) -> dict[str, Any]:
        with self._lock:
            return {
                "dials": dataclasses.asdict(self.dials),
                "job_faults": [dataclasses.asdict(fault) for fault in self._jobs],
                "rapi_faults": [dataclasses.asdict(fault) for fault in self._rapi],
            }

    @staticmethod
    def _use_up(faults: list[Any], fault: JobFault | RapiFault) -> None:
        if fault.count is None:
            return
        fault.count -= 1
        if fault.count <= 0:
            faults.remove(fault)
