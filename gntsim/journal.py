"""What a simulated cluster must remember across restarts, one SQLite row per object.

A change writes the objects it touched in one transaction, so the cost does not grow with the cluster, and a
killed process leaves either all of a change or none of it.
"""

import pathlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import orjson


class Journal:
    """Rows of (kind, key, JSON document)."""

    def __init__(self, path: pathlib.Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing of what it wrote; only a power cut could, and a simulator may lose that.
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS objects (kind TEXT, key TEXT, document BLOB, PRIMARY KEY (kind, key))"
        )

    # Documents are the JSON form of the cluster's objects.
    def load(self, kind: str) -> Iterator[dict[str, Any]]:
        with self._lock:
            rows = self._db.execute("SELECT document FROM objects WHERE kind = ?", (kind,)).fetchall()
        for (document,) in rows:
            yield orjson.loads(document)

    def save(self, puts: Iterable[tuple[str, str, dict[str, Any]]], deletes: Iterable[tuple[str, str]] = ()) -> None:
        """Apply all puts and deletes, or none."""
        rows = [(kind, key, orjson.dumps(document)) for kind, key, document in puts]
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", rows)
            self._db.executemany("DELETE FROM objects WHERE kind = ? AND key = ?", list(deletes))
            self._db.execute("COMMIT")

    def clear(self) -> None:
        with self._lock:
            self._db.execute("DELETE FROM objects")

    def close(self) -> None:
        with self._lock:
            self._db.close()
