"""What one guest has printed, in two files of bounded size: the one that grows, and the full one before it.

Everything is in the files at once, so that nothing is lost with this process.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)

#: no path, no hidden file, and none of the suffixes below
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_SUFFIX = ".log"
_FULL = ".log.1"


class LogFile:
    """Keeps at least the last `size` bytes of a guest's output, and less than twice as many."""

    def __init__(self, folder: Path, name: str, *, size: int) -> None:
        if not is_name(name):
            raise ValueError(f"{name!r} is no guest's name")
        self._current = folder / f"{name}{_SUFFIX}"
        self._full = folder / f"{name}{_FULL}"
        self._size = size
        self._file: BinaryIO | None = None
        self._failing = False

    def append(self, data: bytes) -> None:
        """Keep what the guest printed; a disk that takes no more loses it, and the log says so once."""
        try:
            for start in range(0, len(data), self._size):
                self._write(data[start : start + self._size])
            self._failing = False
        except OSError as err:
            if not self._failing:
                log.warning("log.unwritable", extra={"path": str(self._current), "reason": repr(err)})
            self._failing = True
            self.close()

    def tail(self) -> bytes | None:
        """Give the last bytes; None if nothing was ever printed."""
        parts = [path.read_bytes() for path in (self._full, self._current) if path.exists()]
        return b"".join(parts)[-self._size :] if parts else None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = self._current.open("ab", buffering=0)
        if self._file.tell() + len(data) > self._size:
            self.close()
            self._current.replace(self._full)
            self._file = self._current.open("ab", buffering=0)
        self._file.write(data)


def is_name(text: str) -> bool:
    """Tell whether a guest may have this name: it becomes part of a file's."""
    return _NAME.fullmatch(text) is not None


def last_lines(data: bytes, lines: int | None) -> bytes:
    """Give the last lines, as Nova counts them: a last line that has ended is followed by an empty one."""
    if lines is None:
        return data
    return b"\n".join(data.split(b"\n")[-lines:]) if lines else b""


def remove_old(folder: Path, *, before: float, running: set[str]) -> int:
    """Remove what was last written before a time (of the file system's clock) by guests that do not run; count it."""
    removed = 0
    for path in folder.iterdir():
        name = path.name.removesuffix(".1").removesuffix(_SUFFIX)
        if name not in running and path.name.endswith((_SUFFIX, _FULL)) and path.stat().st_mtime < before:
            path.unlink()
            removed += 1
    return removed
