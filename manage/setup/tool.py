"""Programs of PostgreSQL's and RabbitMQ's that are asked to make something; what is secret goes by standard input."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from manage.setup.step import Undone

TIMEOUT = 60.0


def run(command: Sequence[str], *, told: str = "", remedy: str, timeout: float = TIMEOUT) -> str:
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
        raise Undone(f"{command[0]}: {_complaint(done.stderr or done.stdout)}", remedy)
    return done.stdout


def _complaint(said: str) -> str:
    """Give the line that says what is wrong: rabbitmqctl goes on with pages of advice, psql comes to it at the end."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("Error:")), lines[-1] if lines else "failed")
