"""Child processes of the lab: guarded ones that never outlive their owner, and the users they run as."""

import contextlib
import fcntl
import functools
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

WARDEN = Path(__file__).with_name("warden.py")

#: a byte of it stands for each port, and is locked by the process that was given that
_PORTS = Path(tempfile.gettempdir()) / "syros-ports"
_given: set[int] = set()


class LabError(Exception):
    """Something of the lab could not be brought up; the text says what and where its log is."""


class Guarded:
    """A running command under a warden; `pid` is the command's own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | str = "/",
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.command = list(command)
        self.log = log
        self._warden = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WARDEN), str(log), str(int(stop_signal)), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
        )
        assert self._warden.stdout is not None
        line = self._warden.stdout.readline()
        if not line:
            raise LabError(f"cannot run {self.command[0]}; see {log}")
        self.pid = int(line)

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._warden.poll()

    def wait(self, timeout: float | None = None) -> int:
        return self._warden.wait(timeout)

    def send_signal(self, number: int) -> None:
        """Signal the command itself; nothing happens if it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self) -> None:
        """End it in good order, and by force if it does not obey; return when all of it is gone."""
        self._let_go(b"")

    def kill(self) -> None:
        """End it and all its descendants with SIGKILL."""
        self._let_go(b"k")

    def _let_go(self, last_word: bytes) -> None:
        assert self._warden.stdin is not None
        assert self._warden.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            if last_word and not self._warden.stdin.closed:
                self._warden.stdin.write(last_word)
            self._warden.stdin.close()
        self._warden.wait()
        self._warden.stdout.close()


def as_user(name: str, command: Sequence[str]) -> list[str]:
    """The command, run as that system user when we are root, else as ourselves."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", *command]


def give_to(name: str, *paths: Path) -> None:
    """Make the user own these paths (nothing to do without root)."""
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam(name)
    for path in paths:
        os.chown(path, user.pw_uid, user.pw_gid)


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, timeout: float = 120.0) -> str:
    """Run a command to its end and give its output; LabError with what it printed if it fails."""
    done = subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(env) if env is not None else None,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout.strip()[-2000:]}")
    return done.stdout


@functools.cache
def _ports_file() -> int:
    # a lock on a file of POSIX's goes with any of the process' descriptors for it: there is this one
    return os.open(_PORTS, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at this moment, and that no other call has given, here or in another run.

    It lies below the range that outgoing connections take theirs from: a server that is down for a while finds its
    port free when it comes back. It is kept for this process until that ends.
    """
    for port in random.sample(range(20000, 32000), k=200):
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            fcntl.lockf(_ports_file(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            _given.add(port)
            probe.bind((address, port))
            return port
    raise LabError(f"no free port on {address}")


def wait_until(condition: Callable[[], bool], *, what: str, timeout: float, every: float = 0.05) -> None:
    """Return when the condition holds; LabError when it does not within the timeout."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(every)
