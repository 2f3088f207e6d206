"""Ganeti's query language: field lists and filters, over any kind of object."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Filters and cells are whatever JSON holds.
Filter = Any
Row = Mapping[str, Any]

NORMAL, UNKNOWN, NO_DATA, UNAVAILABLE = 0, 1, 2, 3

# Everything that is not text; Ganeti says what a field holds.
KINDS = {
    "number": frozenset(
        (
            "id",
            "priority",
            "serial_no",
            "pinst_cnt",
            "sinst_cnt",
            "ctotal",
            "cnos",
            "cnodes",
            "csockets",
            "free_count",
            "reserved_count",
            "node_cnt",
            "group_cnt",
            "inst_cnt",
            "oper_vcpus",
            "vcpus",
            "disk.count",
            "nic.count",
            "be/vcpus",
            "be/spindle_use",
            "sptotal",
            "spfree",
        )
    ),
    "unit": frozenset(
        (
            "mfree",
            "mnode",
            "mtotal",
            "dfree",
            "dtotal",
            "oper_ram",
            "disk_usage",
            "be/maxmem",
            "be/minmem",
            "be/memory",
        )
    ),
    "bool": frozenset(
        (
            "offline",
            "drained",
            "master",
            "master_candidate",
            "master_capable",
            "vm_capable",
            "powered",
            "oper_state",
            "admin_up",
            "disks_active",
            "forthcoming",
            "archived",
            "be/always_failover",
            "be/auto_balance",
        )
    ),
    "timestamp": frozenset(("ctime", "mtime")),
    "text": frozenset(
        (
            "name",
            "status",
            "pnode",
            "os",
            "uuid",
            "role",
            "pip",
            "sip",
            "group",
            "group.uuid",
            "admin_state",
            "admin_state_source",
            "disk_template",
            "hypervisor",
            "alloc_policy",
            "map",
            "network",
            "external_reservations",
            "pnode.group",
            "pnode.group.uuid",
        )
    ),
}


class BadFilter(Exception):
    """A filter that Ganeti cannot parse."""


def definition(field: str, *, known: bool) -> dict[str, str]:
    """How a query's answer introduces a field."""
    if not known:
        return {"name": field, "title": field, "kind": "unknown", "doc": f"Unknown field '{field}'"}
    kind = next((kind for kind, names in KINDS.items() if field in names), "other")
    title = "".join(part.capitalize() for part in re.split(r"[_.]", field))
    return {"name": field, "title": title, "kind": kind, "doc": title}


def answer(fields: list[str], known: Callable[[str], bool], rows: Iterable[Row]) -> dict[str, Any]:
    """The answer to a query: a cell [status, value] for each field of each row."""
    return {
        "data": [[cell(row, field, known=known(field)) for field in fields] for row in rows],
        "fields": [definition(field, known=known(field)) for field in fields],
    }


def cell(row: Row, field: str, *, known: bool) -> list[Any]:
    if not known:
        return [UNKNOWN, None]
    if field not in row:
        return [UNAVAILABLE, None]
    value = row[field]
    return [NO_DATA if value is None and field in NULL_IS_NO_DATA else NORMAL, value]


NULL_IS_NO_DATA = frozenset(
    ("console", "oper_ram", "oper_vcpus", "dtotal", "dfree", "mtotal", "mfree", "mnode", "ctotal")
)


def compiled(qfilter: Filter) -> Callable[[Row], bool]:
    """A filter as a predicate; raises BadFilter for what is none."""
    if qfilter is None:
        return lambda _row: True
    if not isinstance(qfilter, list) or not qfilter or not isinstance(qfilter[0], str):
        raise BadFilter("Invalid filter")
    operator, *operands = qfilter
    if operator in ("|", "&"):
        parts = [compiled(operand) for operand in operands]
        combine = any if operator == "|" else all
        return lambda row: combine(part(row) for part in parts)
    if operator == "!":
        inner = compiled(one(operands, 1)[0])
        return lambda row: not inner(row)
    if operator == "?":
        field = one(operands, 1)[0]
        return lambda row: bool(row.get(field))
    compare = COMPARISONS.get(operator)
    if compare is None:
        raise BadFilter(f"Unknown filter operand '{operator}'")
    field, value = one(operands, 2)
    if isinstance(value, bool):
        raise BadFilter("Invalid JSON value for filter")
    if operator == "=~":
        try:
            re.compile(value)
        except re.error as err:
            raise BadFilter(f"Invalid regex: {err}") from err
    return lambda row: compare(row.get(field), value)


def one(operands: list[Any], count: int) -> list[Any]:
    if len(operands) != count:
        raise BadFilter(f"Wrong number of filter operands: {len(operands)}")
    return operands


def requested(qfilter: Filter, field: str) -> list[Any] | None:
    """The values asked for by name when a filter is nothing but `field = value` or an OR of those; else None."""
    match qfilter:
        case ["=" | "==", named, value] if named == field:
            return [value]
        case ["|", *parts]:
            values: list[Any] = []
            for part in parts:
                found = requested(part, field)
                if found is None:
                    return None
                values += found
            return values
        case _:
            return None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def safe(left: Any, right: Any) -> bool:
        try:
            return compare(left, right)
        except TypeError:
            return False

    return safe


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": _ordered(lambda left, right: left < right),
    ">": _ordered(lambda left, right: left > right),
    "<=": _ordered(lambda left, right: left <= right),
    ">=": _ordered(lambda left, right: left >= right),
    "=~": lambda left, right: isinstance(left, str) and re.search(right, left) is not None,
    "=[]": lambda left, right: isinstance(left, list) and right in left,
}
