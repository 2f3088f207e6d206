"""The order that a list is asked for in: sort_key and sort_dir, given once or several times, as columns."""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.datastructures import MultiDict

from apiserver.validation import printable
from common.errors import Invalid
from db.sorting import Column, Order

_DIRECTIONS = {"asc": False, "desc": True}
_MOST = 8


def parse(args: MultiDict[str, str], keys: Mapping[str, Column], *, descending: bool) -> tuple[Order, ...]:
    """Read an order, empty if none is asked for; raises Invalid for a key that lists have not.

    A direction that is not given is the first one that is, or else the list's own.
    """
    wanted = [key for key in args.getlist("sort_key") if key]
    given = [text for text in args.getlist("sort_dir") if text]
    for text in given:
        if text not in _DIRECTIONS:
            raise Invalid("sort_dir: asc or desc is expected")
    if len(wanted) > _MOST or len(given) > max(len(wanted), 1):
        raise Invalid(f"sort_key: {_MOST} at most, and not fewer than sort_dir")
    for key in wanted:
        if key not in keys:
            raise Invalid(f"sort_key: there is no {printable(key)}; known are {', '.join(sorted(keys))}")
    directions = [_DIRECTIONS[text] for text in given] or [descending]
    if not wanted:
        return ()
    directions += directions[:1] * (len(wanted) - len(directions))
    found: dict[str, Order] = {}
    for key, direction in zip(wanted, directions, strict=True):
        # the second of two words for one column changes nothing
        found.setdefault(keys[key].key, Order(keys[key], direction))
    return tuple(found.values())
