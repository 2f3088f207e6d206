"""One at a time: whoever sets up a tap, changes what it has, or takes away what one that is gone had.

A tap's name is used again. Who finds that there is none, and who makes one, would else not know of each other.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Wait for one's turn on this node, and keep it; `folder` is where the node's notes are."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    with (folder / ".turn").open("a", encoding="utf-8") as file:
        # it ends with the process, whatever that comes to
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
