"""One sandbox for each folder and each port: a second one is told so before it touches anything of the first."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

LOCK = "lock"
_LAST_PORT = 65535


class ClaimError(Exception):
    """The folder or the port is another's; the text says which, and what to do."""


@contextlib.contextmanager
def folder(path: Path) -> Iterator[None]:
    """Have the folder for oneself until the block, or the process, ends."""
    with (path / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise ClaimError(f"another sandbox is running in {path}/; SYROS_SANDBOX_STATE_DIR chooses another") from err
        yield


def port(host: str, number: int) -> None:
    """Check that one can listen there."""
    if not 0 <= number <= _LAST_PORT:
        raise ClaimError(f"{number} is no port, which is {_LAST_PORT} at most; SYROS_API_PORT chooses another")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, number), family=family).close()
    except OSError as err:
        reason = os.strerror(err.errno) if err.errno else err
        raise ClaimError(f"cannot listen on {host}:{number}: {reason}; SYROS_API_PORT chooses another port") from err
