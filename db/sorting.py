"""Sorted lists and their pages: any order of columns, one statement, a cost that does not depend on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

# Any: a column's type is its noun's matter.
Column = orm.InstrumentedAttribute[Any]


@dataclass(frozen=True)
class Order:
    """A key of a list's order. Rows without a value come last, in either direction."""

    column: Column
    descending: bool = False


def complete(orders: Sequence[Order], key: Column) -> tuple[Order, ...]:
    """Make an order total: the primary key decides between rows that are equal otherwise."""
    if any(order.column is key for order in orders):
        return tuple(orders)
    return (*orders, Order(key, descending=orders[-1].descending))


def arranged(query: sa.Select[Any], orders: Sequence[Order], *, after: object = None) -> sa.Select[Any]:
    """Sort a query by a total order, and begin after a row."""
    if after is not None:
        values = {order.column.key: getattr(after, order.column.key) for order in orders}
        query = query.where(_beyond(orders, values))
    for order in orders:
        if order.column.nullable:
            query = query.order_by(order.column.is_(None))
        query = query.order_by(order.column.desc() if order.descending else order.column.asc())
    return query


def _beyond(orders: Sequence[Order], values: Mapping[str, object]) -> sa.ColumnElement[bool]:
    if len({order.descending for order in orders}) == 1 and not any(order.column.nullable for order in orders):
        return _row_beyond(orders, values)
    first, *rest = orders
    value = values[first.column.key]
    further = _further(first, value)
    if not rest:
        return further
    same = first.column.is_(None) if value is None else first.column == _literal(first, value)
    return further | (same & _beyond(rest, values))


def _row_beyond(orders: Sequence[Order], values: Mapping[str, object]) -> sa.ColumnElement[bool]:
    """Compare whole rows, which an index on these columns answers at once."""
    columns = sa.tuple_(*(order.column for order in orders))
    row = sa.tuple_(*(_literal(order, values[order.column.key]) for order in orders))
    return columns < row if orders[0].descending else columns > row


def _further(order: Order, value: object) -> sa.ColumnElement[bool]:
    if value is None:
        return sa.false()
    literal = _literal(order, value)
    beyond: sa.ColumnElement[bool] = order.column < literal if order.descending else order.column > literal
    return beyond | order.column.is_(None) if order.column.nullable else beyond


def _literal(order: Order, value: object) -> sa.BindParameter[Any]:
    return sa.literal(value, order.column.type)
