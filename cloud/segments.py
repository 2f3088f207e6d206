"""What operators set aside on their nodes for networks that projects make for themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloud.context import Cloud
from common.errors import Conflict, Invalid, NotFound
from db import segments
from db.segments import Segment

_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_SPAN = re.compile(r"(?P<name>[A-Za-z0-9._-]*?)(?P<first>\d+)-(?P<last>\d+)")
_MOST_AT_ONCE = 4096


def spelled_out(text: str) -> list[str]:
    """Give the links that a text names: one, or with `prv1-100` each of prv1 to prv100; raises Invalid."""
    span = _SPAN.fullmatch(text)
    if span is None:
        return [text]
    first, last = int(span["first"]), int(span["last"])
    if not first <= last < first + _MOST_AT_ONCE:
        raise Invalid(f"{text}: from 1 to {_MOST_AT_ONCE} links are expected, the lower number first")
    width = len(span["first"]) if span["first"].startswith("0") else 0
    return [f"{span['name']}{number:0{width}d}" for number in range(first, last + 1)]


def add(cloud: Cloud, links: Sequence[str]) -> None:
    """Set bridges aside that are on every node and nobody else's; raises Invalid, or Conflict for one that is there."""
    for link in links:
        if not _LINK.fullmatch(link):
            raise Invalid(f"{link}: a bridge's name is expected, of 15 characters at most")
    if len(set(links)) < len(links):
        raise Invalid("one link is named twice")
    with cloud.sessions.begin() as db:
        if known := segments.taken_names(db, links):
            raise Conflict(f"these are there already: {', '.join(known)}")
        segments.add(db, links)


def remove(cloud: Cloud, link: str) -> None:
    """Take a bridge back that no network has; raises NotFound or Conflict."""
    with cloud.sessions.begin() as db:
        segment = segments.lock(db, link)
        if segment is None:
            raise NotFound(f"there is no segment {link}")
        if segment.network_id is not None:
            raise Conflict(f"segment {link} is network {segment.network_id}; delete that first")
        db.delete(segment)


def page(cloud: Cloud, *, limit: int, after: int = 0, free: bool | None = None) -> Sequence[Segment]:
    """List segments by id, those after `after`."""
    with cloud.sessions.read() as db:
        return segments.page(db, limit=limit, after=after, free=free)


def count(cloud: Cloud) -> tuple[int, int]:
    """Tell how many there are, and how many of them are free."""
    with cloud.sessions.read() as db:
        return segments.count(db)
