"""Runs one job from `waiting` to its end, writing its file at each step as a job process does."""

import dataclasses
import logging
import threading
from collections.abc import Callable

from gntsim import cluster, hooks, jobs, knobs, locks, settings
from gntsim.opcodes import base, registry

log = logging.getLogger(__name__)

DIES_AT = 0.5
DEPENDENCY_CANCELED = "dependency canceled"


class JobDied(Exception):
    """The job's process is gone; nobody has noticed yet."""


@dataclasses.dataclass
class Control:
    """What others tell a running job: to die, to be canceled, or (when stuck) to go on."""

    killed: bool = False
    canceled: bool = False
    released: bool = False
    event: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def tell(self, **flags: bool) -> None:
        with self.event:
            for name, value in flags.items():
                setattr(self, name, value)
            self.event.notify_all()


@dataclasses.dataclass(frozen=True)
class World:
    """What every worker works with."""

    cluster: cluster.Cluster
    settings: settings.Settings
    knobs: knobs.Knobs
    locks: locks.LockManager
    hooks: hooks.HookRunner
    write: Callable[[jobs.Job], None]
    submit: Callable[[list[jobs.Op]], int]
    stopping: threading.Event


class Worker:
    """One job's process."""

    def __init__(self, world: World, job: jobs.Job, control: Control) -> None:
        self._world = world
        self._job = job
        self._control = control

    def run(self, dependency_error: str | None) -> None:
        """Run all opcodes; JobDied leaves the file as it was."""
        job = self._job
        for index, op in enumerate(job.ops):
            try:
                self._begin(op)
                if dependency_error == DEPENDENCY_CANCELED:
                    raise Canceled
                if dependency_error:
                    raise base.ExecError(dependency_error)
                op.result = self._run_op(op)
            except base.OpError as err:
                self._fail(op, index, err.encoded())
                return
            except Canceled:
                self._finish_canceled(op)
                return
            except (KeyError, TypeError, ValueError, AttributeError) as err:
                # What a client sends badly ends a real job process with the exception's name as its result.
                log.exception("opcode crashed", extra={"job": job.id, "opcode": op.opcode})
                self._fail(op, index, [type(err).__name__, [str(err)]])
                return
            finally:
                self._release_unless_dead()
            op.status = jobs.Status.SUCCESS
            op.end = jobs.now()
            if index == len(job.ops) - 1:
                job.end = jobs.now()
            self._write()

    def _begin(self, op: jobs.Op) -> None:
        op.status = jobs.Status.WAITING
        op.start = jobs.now()
        self._job.start = self._job.start or op.start
        op.forget_private()
        self._write_between()

    def _run_op(self, op: jobs.Op) -> jobs.Json:
        world = self._world
        op.complete()
        if any(value == jobs.REDACTED for value in (op.params.get("osparams_secret") or {}).values()):
            raise base.ExecError("Please re-submit secret parameters to job.")
        fault = world.knobs.job_fault(op.opcode, op.params.get("instance_name"))
        unit = registry.UNITS[op.opcode](self._run_frame(op, fault))
        with world.cluster.lock:
            unit.expand()
        if fault and fault.kind is knobs.Fault.PREREQ:
            raise base.PrereqError(fault.message or "simulated refusal", fault.ecode)
        self._acquire(op, unit.locks(), shared=unit.shared_locks())
        op.status = jobs.Status.RUNNING
        op.exec = jobs.now()
        self._write_between()
        try:
            with world.cluster.lock:
                unit.check()
                before = unit.hook()
            self._suffer(fault)
            return self._execute(op, unit, before)
        finally:
            with world.cluster.lock:
                unit.cleanup()

    def _execute(self, op: jobs.Op, unit: base.Unit, before: base.Hook | None) -> jobs.Json:
        world = self._world
        master = world.cluster.master.uuid
        failed = [o for o in world.hooks.run("pre", before, opcode=op.opcode) if not o.ok]
        if failed:
            raise base.HooksAbort([[master, outcome.script, outcome.output] for outcome in failed])
        if op.common.get("dry_run"):
            self._log(op, " - INFO: dry-run mode requested, not actually executing the operation")
            return unit.dry_run_result()
        result = unit.execute()
        with world.cluster.lock:
            after = unit.hook()
        for outcome in world.hooks.run("post", after, opcode=op.opcode, before=before):
            if not outcome.ok:
                text = f"On {master} script {outcome.script} failed, output: {outcome.output}"
                self._log(op, f" - WARNING: {text}")
        return result

    def _run_frame(self, op: jobs.Op, fault: knobs.JobFault | None) -> base.Run:
        progress = 0.0

        def sleep(fraction: float) -> None:
            nonlocal progress
            progress += fraction
            self._sleep(op, fraction)
            if fault and fault.kind is knobs.Fault.DEATH and progress >= DIES_AT:
                self._control.tell(killed=True)
                raise JobDied

        return base.Run(
            cluster=self._world.cluster,
            settings=self._world.settings,
            op=op,
            log=lambda text: self._log(op, text),
            submit=self._world.submit,
            sleep=sleep,
            fault=fault,
        )

    def _suffer(self, fault: knobs.JobFault | None) -> None:
        if fault is None:
            return
        match fault.kind:
            case knobs.Fault.CHECK:
                raise base.PrereqError(fault.message or "simulated refusal", fault.ecode)
            case knobs.Fault.EXEC:
                raise base.ExecError(fault.message or "simulated failure")
            case knobs.Fault.STUCK:
                self._wait_until(lambda: self._control.released)
            case _:
                pass

    def _sleep(self, op: jobs.Op, fraction: float) -> None:
        dials = self._world.knobs.dials
        base_seconds = dials.by_opcode.get(op.opcode)
        if base_seconds is None:
            base_seconds = dataclasses.replace(self._world.settings.durations, scale=1.0).of(op.opcode)
        seconds = base_seconds * dials.scale * fraction
        control = self._control
        with control.event:
            if seconds > 0 and not self._world.stopping.is_set():
                control.event.wait_for(lambda: control.killed or self._world.stopping.is_set(), seconds)
        if control.killed:
            raise JobDied

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Be stuck; a simulator that stops leaves a stuck job behind as a dead one."""
        control = self._control
        with control.event:
            control.event.wait_for(lambda: control.killed or condition() or self._world.stopping.is_set())
        if control.killed or (self._world.stopping.is_set() and not condition()):
            raise JobDied

    def _acquire(self, op: jobs.Op, names: frozenset[str], *, shared: frozenset[str]) -> None:
        control = self._control
        if self._world.locks.acquire(self._job, names, stop=lambda: control.killed or control.canceled, shared=shared):
            return
        if control.killed:
            raise JobDied
        op.status = jobs.Status.CANCELING
        self._write()
        raise Canceled

    def _release_unless_dead(self) -> None:
        if not self._control.killed:
            self._world.locks.release(self._job)

    def _log(self, op: jobs.Op, text: str) -> None:
        serial = op.log[-1][0] + 1 if op.log else 1
        op.log.append([serial, jobs.now(), "message", text])
        self._write_between()

    def _write_between(self) -> None:
        """Write a state that is not the last one, unless the knob lets it coalesce with the next."""
        if self._control.killed or not self._world.knobs.coalesces():
            self._write()

    def _write(self) -> None:
        if self._control.killed:
            raise JobDied
        self._world.write(self._job)

    def _fail(self, op: jobs.Op, index: int, result: list[object]) -> None:
        op.status = jobs.Status.ERROR
        op.result = result
        op.end = jobs.now()
        for later in self._job.ops[index + 1 :]:
            later.status = jobs.Status.ERROR
            later.result = base.ExecError("Preceding opcode failed").encoded()
        self._job.end = jobs.now()
        self._write()

    def _finish_canceled(self, op: jobs.Op) -> None:
        for unfinished in self._job.ops:
            if unfinished is op or not unfinished.status.final:
                unfinished.status = jobs.Status.CANCELED
                unfinished.result = "Job canceled by request"
        self._job.end = jobs.now()
        self._write()


class Canceled(Exception):
    """The job was canceled while it waited for locks."""
