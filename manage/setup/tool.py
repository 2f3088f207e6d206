"""Programs of PostgreSQL's and RabbitMQ's that are asked to make something; what is secret goes by standard input."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from manage.setup.step import Undone

_TIMEOUT = 60.0


def run(command: Sequence[str], *, told: str = "", remedy: str, timeout: float = _TIMEOUT) -> str:
    """Run a command with that standard input; give its output. Raises Undone, with the remedy."""
    if shutil.which(command[0]) is None:
        raise Undone(f"{command[0]} is not on this machine", remedy)
    try:
        done = subprocess.run(
            list(command), input=told, capture_output=True, text=True, timeout=timeout, check=False, cwd="/"
        )
    except subprocess.TimeoutExpired as err:
        raise Undone(f"{command[0]} has not ended within {timeout:g} s", remedy) from err
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise Undone(f"{command[0]}: {words[-1] if words else 'failed'}", remedy)
    return done.stdout
