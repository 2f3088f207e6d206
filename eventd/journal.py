"""Which finished jobs the broker has confirmed, per cluster, in a small file that survives restarts.

Ids are kept as ranges, so the file stays a few bytes long whatever the length of the history. Losing it loses no
event: it only has some published twice.
"""

from __future__ import annotations

import bisect
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import orjson

log = logging.getLogger(__name__)

_VERSION = 1
_KEPT_CLUSTERS = 4


class IdRanges:
    """A set of whole numbers, kept as sorted ranges that never touch."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            if self._ends and start <= self._ends[-1] + 1:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def __contains__(self, number: int) -> bool:
        at = bisect.bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]

    def add(self, number: int) -> None:
        at = bisect.bisect_right(self._starts, number)
        if at > 0 and number <= self._ends[at - 1]:
            return
        joins_left = at > 0 and self._ends[at - 1] == number - 1
        joins_right = at < len(self._starts) and self._starts[at] == number + 1
        if joins_left and joins_right:
            self._ends[at - 1] = self._ends[at]
            del self._starts[at], self._ends[at]
        elif joins_left:
            self._ends[at - 1] = number
        elif joins_right:
            self._starts[at] = number
        else:
            self._starts.insert(at, number)
            self._ends.insert(at, number)

    def ranges(self) -> list[tuple[int, int]]:
        return list(zip(self._starts, self._ends, strict=True))


class Journal:
    """The state file; `confirmed` belongs to the cluster that was last opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clusters = _load(path)
        self._dirty = False
        self._uuid = ""
        self._confirmed = IdRanges()

    def open(self, uuid: str) -> bool:
        """Turn to a cluster; False if none of its jobs was ever confirmed here."""
        known = uuid in self._clusters
        # the last opened comes last, so that old clusters are the first to be forgotten
        self._confirmed = self._clusters.pop(uuid) if known else IdRanges()
        self._clusters[uuid] = self._confirmed
        while len(self._clusters) > _KEPT_CLUSTERS:
            del self._clusters[next(iter(self._clusters))]
        return known

    def confirmed(self, job_id: int) -> bool:
        """Tell whether the job's final state is with the broker."""
        return job_id in self._confirmed

    def confirm(self, job_id: int) -> None:
        """Note that the job's final state needs no publishing any more."""
        if job_id not in self._confirmed:
            self._confirmed.add(job_id)
            self._dirty = True

    @property
    def dirty(self) -> bool:
        """Tell whether `save` has anything to write."""
        return self._dirty

    def save(self) -> None:
        """Replace the file; raises OSError."""
        document = {
            "v": _VERSION,
            "clusters": [
                {"uuid": uuid, "confirmed": ids.ranges()} for uuid, ids in self._clusters.items() if ids.ranges()
            ],
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(self._path.name + ".new")
        with temporary.open("wb") as file:
            file.write(orjson.dumps(document))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        self._dirty = False


def _load(path: Path) -> dict[str, IdRanges]:
    try:
        document = orjson.loads(path.read_bytes())
        if document["v"] != _VERSION:
            raise ValueError(f"version {document['v']!r}")
        return {
            str(entry["uuid"]): IdRanges((int(start), int(end)) for start, end in entry["confirmed"])
            for entry in document["clusters"]
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as err:
        log.warning("journal.unreadable", extra={"path": str(path), "reason": repr(err)})
        return {}
