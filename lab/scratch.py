"""Folders for the servers' data: outside the checkout, passable for other system users, gone after the run.

Each is locked by the process that made it, for that process's life; what a killed run left is removed by the next.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PREFIX = "syros-scratch-"
LOCK = ".owner"


def folder(purpose: str) -> Path:
    """A new folder for one server or cluster; the folders of killed runs go on the way."""
    parent = _parent()
    sweep(parent)
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-", dir=parent))
    made.chmod(0o711)
    # Never closed: the lock says "in use" for as long as this process lives.
    fcntl.flock(os.open(made / LOCK, os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
    return made


def remove(path: Path) -> None:
    """Delete a folder of ours, whatever the servers left in it."""
    shutil.rmtree(path, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Delete the folders whose owners are gone."""
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:  # another user's, or removed this moment
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(lock.parent)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def _parent() -> Path:
    # A node's root is an overlay whose upper layer lies here, which can't be an overlay itself (as in a container).
    parent = Path(tempfile.gettempdir())
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(parent)], capture_output=True, text=True, check=False)
    memory = Path("/dev/shm")
    if kind.stdout.strip() == "overlayfs" and os.access(memory, os.W_OK):
        return memory
    return parent
