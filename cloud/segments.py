"""What operators set aside on their nodes for networks that projects make for themselves.

A segment is a bridge of a network's own, or a MAC prefix of its own on a bridge that many networks share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cloud import link_names
from cloud.context import Cloud
from common.errors import Conflict, Invalid, NotFound
from db import networks, ports, segments
from db.networks import Kind
from db.segments import Segment

_SPAN = re.compile(r"(?P<name>[A-Za-z0-9._-]*?)(?P<first>\d+)-(?P<last>\d+)")
_PREFIX = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){2}")
_MOST_AT_ONCE = 4096
#: bits of a MAC's first octet (IEEE 802, 8.2): of a group, and not from a manufacturer's block
_GROUP, _LOCAL = 0x01, 0x02


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


def prefixes(text: str) -> list[str]:
    """Give the MAC prefixes that a text names: one, or with `aa:00:00-aa:0f:ff` each in between; raises Invalid.

    They are three octets of locally administered addresses of single interfaces, as Ganeti wants them, too.
    """
    first, dash, last = text.lower().partition("-")
    ends = [_octets(end) for end in ((first, last) if dash else (first, first))]
    if not ends[0] <= ends[1] < ends[0] + _MOST_AT_ONCE:
        raise Invalid(f"prefixes: {text}: from 1 to {_MOST_AT_ONCE} are expected, the lower one first")
    found = [_spelled(number) for number in range(ends[0], ends[1] + 1)]
    for prefix in found:
        octet = int(prefix[:2], 16)
        if octet & _GROUP or not octet & _LOCAL:
            raise Invalid(f"prefixes: {prefix} is not of locally administered addresses of single interfaces")
    return found


def add(cloud: Cloud, links: Sequence[str]) -> None:
    """Set bridges aside that are on every node and nobody else's; raises Invalid, or Conflict for one that is there."""
    for link in links:
        link_names.check(link, "link")
    if len(set(links)) < len(links):
        raise Invalid("one link is named twice")
    with cloud.sessions.begin() as db:
        if known := segments.taken_names(db, links):
            raise Conflict(f"these are there already: {', '.join(known)}")
        segments.add(db, links)


def add_prefixes(cloud: Cloud, link: str, wanted: Sequence[str]) -> None:
    """Set MAC prefixes aside on a bridge that is on every node, for networks that are known by these.

    Raises Invalid, or Conflict for a prefix that is there, or that somebody's MAC begins with, or for a bridge that is
    one network's own, or a flat network's.
    """
    link_names.check(link, "link")
    own = cloud.settings.mac_prefix.lower()
    for prefix in wanted:
        if f"{prefix}:".startswith(f"{own}:") or f"{own}:".startswith(f"{prefix}:"):
            raise Invalid(f"prefixes: {prefix} overlaps with [cloud] mac_prefix, {own}, which all other ports have")
    if len(set(wanted)) < len(wanted):
        raise Invalid("prefixes: one is named twice")
    with cloud.sessions.begin() as db:
        if segments.taken_names(db, [link], kind=Kind.BRIDGE):
            raise Conflict(f"bridge {link} is one network's own: it can't be shared")
        if flat := networks.with_link(db, link, kind=Kind.FLAT):
            raise Conflict(f"bridge {link} is that of the flat network {flat.id}, whose guests would see all of it")
        if known := segments.taken_prefixes(db, wanted):
            raise Conflict(f"these are there already: {', '.join(known)}")
        if used := ports.used_prefixes(db, wanted):
            raise Conflict(f"ports have MAC addresses below {', '.join(used)}")
        segments.add_prefixes(db, link, wanted)


def remove(cloud: Cloud, name: str) -> None:
    """Take a bridge, or a MAC prefix, back that no network has; raises NotFound or Conflict."""
    with cloud.sessions.begin() as db:
        prefix = name.lower()
        segment = segments.lock_prefix(db, prefix) if _PREFIX.fullmatch(prefix) else segments.lock(db, name)
        if segment is None:
            raise NotFound(f"there is no segment {name}")
        if segment.network_id is not None:
            raise Conflict(f"segment {name} is network {segment.network_id}; delete that first")
        db.delete(segment)


def page(cloud: Cloud, *, limit: int, after: int = 0, free: bool | None = None) -> Sequence[Segment]:
    """List segments by id, those after `after`."""
    with cloud.sessions.read() as db:
        return segments.page(db, limit=limit, after=after, free=free)


def count(cloud: Cloud) -> tuple[int, int]:
    """Tell how many there are, and how many of them are free."""
    found = count_kinds(cloud).values()
    return sum(total for total, _ in found), sum(free for _, free in found)


def count_kinds(cloud: Cloud) -> Mapping[Kind, tuple[int, int]]:
    """Tell how many there are of each kind, and how many of them are free."""
    with cloud.sessions.read() as db:
        return segments.count(db)


def _octets(text: str) -> int:
    if not _PREFIX.fullmatch(text):
        raise Invalid(f"prefixes: {text or 'nothing'} is no MAC prefix of three octets, such as aa:00:01")
    return int(text.replace(":", ""), 16)


def _spelled(number: int) -> str:
    return number.to_bytes(3, "big").hex(":")
