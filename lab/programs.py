"""The Syros programs of the lab, each a process of its own, restarted when it ends unasked, as systemd would."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab import ganeti, process

PYTHON = str(Path(sys.prefix) / "bin/python")


class Running(Protocol):
    """A process, on the host or in a node."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True)
class Program:
    """How to start one; `name` is also that of its log file."""

    name: str
    start: Callable[[], Running]
    log: Path


class Supervisor:
    """Keeps programs running until `stop`."""

    def __init__(self) -> None:
        self._programs: dict[str, Program] = {}
        self._running: dict[str, Running] = {}

    @property
    def names(self) -> list[str]:
        return list(self._programs)

    def add(self, program: Program) -> None:
        """Start a program and look after it."""
        self._programs[program.name] = program
        self._running[program.name] = program.start()

    def pid(self, name: str) -> int:
        """The process id of a program, as the host sees it."""
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """End a program with SIGKILL, with all its children; `restart_ended` brings it back."""
        self._running[name].kill()
        self._running[name].wait(30)

    def ended(self) -> dict[str, int]:
        """The programs that have ended, with the exit status of each."""
        polled = {name: running.poll() for name, running in self._running.items()}
        return {name: status for name, status in polled.items() if status is not None}

    def restart_ended(self) -> dict[str, int]:
        """Start again what has ended; give the exit status of each."""
        ended = self.ended()
        for name in ended:
            self._running[name] = self._programs[name].start()
        return ended

    def stop(self) -> None:
        """End them all in good order, the last started first."""
        for running in reversed(self._running.values()):
            if isinstance(running, process.Guarded):
                running.stop()
            else:
                running.kill()  # it ends with its node anyway
                running.wait(30)
        self._running.clear()


def on_host(name: str, *, config: Path, logs: Path, env: Mapping[str, str]) -> Program:
    """A program of the tree (`python -m name`) on the host."""
    log = logs / f"{name}.log"
    command = [PYTHON, "-m", name, "--config", str(config)]
    return Program(name, lambda: process.Guarded(command, log=log, env=env, cwd=config.parent), log)


def in_node(name: str, cluster: ganeti.Cluster, *, number: int, config: str, logs: Path) -> Program:
    """A program of the tree on a node of the cluster; its log is on the host."""
    log = logs / f"{name}-node{number}.log"
    command = [PYTHON, "-m", name, "--config", config]

    def start() -> Running:
        with log.open("ab") as out:
            return cluster.popen(command, number, stdout=out, stderr=out)

    return Program(f"{name}-node{number}", start, log)
