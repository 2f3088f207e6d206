"""Any order of a list pages alike on both databases, over equal values and over none."""

from __future__ import annotations

import itertools

import pytest

from cloud import instances
from db import instances as instance_rows
from db.instances import Filter, Instance
from db.sorting import Order
from tests.support.clouds import World

COLUMNS = (Instance.key_name, Instance.created_at, Instance.locked, Instance.launched_at)
ORDERS = [
    (Order(one, descending), Order(other, not descending))
    for one, other in itertools.permutations(COLUMNS, 2)
    for descending in (False, True)
]


@pytest.fixture
def many(world: World) -> World:
    made = [row.id for row in world.create("web", count=8)]
    moment = world.clock()
    with world.cloud.sessions.begin() as db:
        for number, instance_id in enumerate(made):
            row = instance_rows.lock(db, instance_id)
            assert row is not None
            row.key_name = (None, "a", "B", "a")[number % 4]
            row.created_at = moment
            row.locked = number % 2 == 0
            row.launched_at = moment if number < 4 else None
    return world


def test_every_page_of_every_order_follows_from_the_one_before(many: World) -> None:
    wanted = Filter(project_id=many.project.id)
    for orders in ORDERS:
        whole = instances.page(many.cloud, many.caller, wanted, limit=100, orders=orders)
        seen: list[str] = []
        while True:
            marker = seen[-1] if seen else None
            page = instances.page(many.cloud, many.caller, wanted, limit=3, marker=marker, orders=orders)
            if not page:
                break
            seen += [row.id for row in page]
        assert seen == [row.id for row in whole], orders
        assert len(set(seen)) == 8
        values = [getattr(row, orders[0].column.key) for row in whole]
        assert values == [value for value in values if value is not None] + [None] * values.count(None)
