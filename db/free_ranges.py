"""What is free of a subnet's pools, as ranges: taking and giving back an address costs the same however full it is.

Addresses are kept as numbers of 32 hex digits, which both databases compare as texts, for IPv4 and IPv6 alike. The
caller holds the subnet's row, so that nobody else changes its ranges meanwhile.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base

DIGITS = 32


class FreeRange(base.Base):
    __tablename__ = "free_ranges"
    __table_args__ = (sa.Index("ix_free_ranges_last", "subnet_id", "last"),)

    subnet_id: Mapped[str] = mapped_column(sa.ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True)
    first: Mapped[str] = mapped_column(sa.String(DIGITS), primary_key=True)
    last: Mapped[str] = mapped_column(sa.String(DIGITS))


def key(number: int) -> str:
    """Write an address's number as it is kept."""
    return f"{number:0{DIGITS}x}"


def fill(session: orm.Session, subnet_id: str, ranges: list[tuple[int, int]]) -> None:
    """Make ranges free that are not yet in anybody's hands; they neither overlap nor touch."""
    session.add_all(FreeRange(subnet_id=subnet_id, first=key(first), last=key(last)) for first, last in ranges)
    session.flush()


def empty(session: orm.Session, subnet_id: str) -> None:
    """Make none of a subnet's addresses free; the subnet is held."""
    session.execute(sa.delete(FreeRange).where(FreeRange.subnet_id == subnet_id))


def without(ranges: Sequence[tuple[int, int]], taken: Sequence[int]) -> list[tuple[int, int]]:
    """Give what is left of ranges, in order and apart from each other, when these numbers, in order, are taken out."""
    left: list[tuple[int, int]] = []
    for first, last in ranges:
        begin = first
        for number in taken[bisect.bisect_left(taken, first) : bisect.bisect_right(taken, last)]:
            if begin < number:
                left.append((begin, number - 1))
            begin = number + 1
        if begin <= last:
            left.append((begin, last))
    return left


def take(session: orm.Session, subnet_id: str, *, since: str) -> int | None:
    """Take the first free address that is not before `since`, or else the very first; None if all are taken."""
    row = session.scalar(_ranges(subnet_id).where(FreeRange.last >= since).order_by(FreeRange.last).limit(1))
    if row is None:
        row = session.scalar(_ranges(subnet_id).order_by(FreeRange.last).limit(1))
        since = ""
    if row is None:
        return None
    number = int(max(row.first, since), 16)
    _cut(session, row, number)
    return number


def take_exactly(session: orm.Session, subnet_id: str, number: int) -> bool:
    """Take one address out of the ranges; False if it is in none."""
    row = _around(session, subnet_id, number)
    if row is None:
        return False
    _cut(session, row, number)
    return True


def give_back(session: orm.Session, subnet_id: str, number: int) -> None:
    """Make an address free again, as part of the ranges beside it."""
    if _around(session, subnet_id, number) is not None:
        return
    below = session.scalar(_ranges(subnet_id).where(FreeRange.last == key(number - 1))) if number else None
    above = session.get(FreeRange, (subnet_id, key(number + 1)))
    first = below.first if below is not None else key(number)
    last = above.last if above is not None else key(number)
    for row in (below, above):
        if row is not None:
            session.delete(row)
    session.flush()
    session.add(FreeRange(subnet_id=subnet_id, first=first, last=last))
    session.flush()


def _ranges(subnet_id: str) -> sa.Select[FreeRange]:
    return sa.select(FreeRange).where(FreeRange.subnet_id == subnet_id)


def _around(session: orm.Session, subnet_id: str, number: int) -> FreeRange | None:
    query = _ranges(subnet_id).where(FreeRange.last >= key(number)).order_by(FreeRange.last).limit(1)
    row = session.scalar(query)
    return row if row is not None and row.first <= key(number) else None


def _cut(session: orm.Session, row: FreeRange, number: int) -> None:
    """Take a number out of the range that it is in: what is left is none, one or two ranges."""
    first, last = int(row.first, 16), int(row.last, 16)
    if first == last:
        session.delete(row)
    elif number == first:
        row.first = key(number + 1)
    else:
        row.last = key(number - 1)
    session.flush()
    if first < number < last:
        fill(session, row.subnet_id, [(number + 1, last)])
