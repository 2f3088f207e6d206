"""The machine that is looked at: its files, its processes, and what its programs say. Tests give it another root."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from common import clock

_TIMEOUT = 15.0
_UNIT_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
#: adjtimex(2): the state of a clock that nothing disciplines
_TIME_ERROR = 5
#: struct timex has 208 octets on 64-bit machines; this has room for more
_TIMEX = 512
#: of the states in /proc/net/tcp
_LISTEN = "0A"


@dataclass(frozen=True)
class Done:
    """How a command ended; `code` is 127 where there is no such program, 124 where it did not end in time."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def words(self) -> str:
        """The first line of what it complained of."""
        lines = (self.err or self.out).strip().splitlines()
        return lines[0] if lines else f"exit code {self.code}"


def command(words: Sequence[str], told: str = "") -> Done:
    """Run a command with that standard input, for 15 seconds at most; never raises."""
    if shutil.which(words[0]) is None:
        return Done(127, err=f"{words[0]} is not installed")
    try:
        done = subprocess.run(
            list(words), input=told, capture_output=True, text=True, timeout=_TIMEOUT, check=False, cwd="/"
        )
    except subprocess.TimeoutExpired:
        return Done(124, err=f"{words[0]} has not ended within {_TIMEOUT:g} s")
    except OSError as err:
        return Done(127, err=f"{words[0]}: {err.strerror}")
    return Done(done.returncode, done.stdout, done.stderr)


def disciplined() -> bool | None:
    """Tell whether something keeps this machine's clock right (adjtimex(2)); None where the kernel does not say."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX))
    return None if state < 0 else bool(state != _TIME_ERROR)


def full_name() -> str:
    """Give the host's full name, as eventd has it."""
    name = socket.gethostname()
    return name if "." in name else socket.getfqdn()


@dataclass(frozen=True)
class Host:
    """The machine; every path that is asked for is taken below `root`."""

    root: Path = Path("/")
    run: Callable[[Sequence[str], str], Done] = command
    disciplined: Callable[[], bool | None] = disciplined
    name: Callable[[], str] = full_name
    now: Callable[[], datetime] = clock.now

    def path(self, path: str | Path) -> Path:
        """Give where something is."""
        return self.root / str(path).lstrip("/")

    def read(self, path: str | Path) -> str | None:
        """Give a file's text; None where it is not, or can't be read."""
        try:
            return self.path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def number(self, path: str | Path) -> int | None:
        """Give the number that a file of the kernel's holds."""
        text = (self.read(path) or "").strip()
        return int(text) if text.lstrip("-").isdigit() else None

    def has_systemd(self) -> bool:
        """Tell whether systemd has booted it."""
        return self.path("/run/systemd/system").exists()

    def has_unit(self, unit: str) -> bool:
        """Tell whether a unit's file is installed."""
        return any(self.path(folder).joinpath(unit).exists() for folder in _UNIT_FOLDERS)

    def processes(self) -> Iterator[tuple[str, ...]]:
        """Give the command line of each process."""
        for folder in self.path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                # it has ended meanwhile
                continue
            if line:
                yield tuple(os.fsdecode(line).rstrip("\0").split("\0"))

    def runs(self, program: str) -> bool:
        """Tell whether a program runs, by itself or by its interpreter."""
        return any(program in [Path(word).name for word in line[:3]] for line in self.processes())

    def listens(self, port: int) -> bool:
        """Tell whether some process listens at a TCP port."""
        wanted = f":{port:04X}"
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in (self.read(table) or "").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 3 and fields[1].endswith(wanted) and fields[3] == _LISTEN:
                    return True
        return False
