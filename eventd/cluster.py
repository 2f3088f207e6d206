"""Which Ganeti cluster this node belongs to, and whether it is the master, read from Ganeti's own files.

The cluster's UUID stands only in config.data: Ganeti writes no ssconf file of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """A cluster, from its init to its destruction: job ids are unique within this and no further."""

    uuid: str
    created_at: datetime | None


def master_node(ganeti_dir: Path) -> str | None:
    """Give the master's name; None on a node that belongs to no cluster."""
    try:
        return (ganeti_dir / "ssconf_master_node").read_text(encoding="ascii", errors="replace").strip() or None
    except OSError:
        return None


class IdentityFile:
    """config.data, parsed again only if it was replaced: it is many megabytes in a large cluster."""

    def __init__(self, ganeti_dir: Path) -> None:
        self._path = ganeti_dir / "config.data"
        self._stamp: tuple[int, int, int] | None = None
        self._identity: Identity | None = None

    def read(self) -> Identity | None:
        """Give the cluster's identity; None while there is no cluster, or its file can't be read."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if stamp != self._stamp:
                self._identity = _parse(self._path.read_bytes())
                self._stamp = stamp
        except FileNotFoundError:
            self._stamp, self._identity = None, None
        except (OSError, ValueError, TypeError, KeyError) as err:
            # the last good reading stands: a cluster does not change its identity while it is being written
            self._stamp = None
            log.warning("cluster.unreadable", extra={"path": str(self._path), "reason": repr(err)})
        return self._identity


def _parse(body: bytes) -> Identity:
    cluster = orjson.loads(body)["cluster"]
    uuid = cluster["uuid"]
    if not isinstance(uuid, str) or not uuid:
        raise ValueError(f"cluster uuid is {uuid!r}")
    ctime = cluster.get("ctime")
    created_at = datetime.fromtimestamp(ctime, tz=UTC) if isinstance(ctime, int | float) else None
    return Identity(uuid=uuid, created_at=created_at)
