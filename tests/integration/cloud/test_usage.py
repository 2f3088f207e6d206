"""What was used within a period is summed up alike by both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud import usage
from db import instances as instance_rows
from tests.support.clouds import World


def test_lives_are_cut_to_the_period(world: World) -> None:
    first, second, _ = (row.id for row in world.create("web", count=3))
    end = world.clock()
    start = end - timedelta(hours=10)
    with world.cloud.sessions.begin() as db:
        for instance_id, began, ended in ((first, 20, 4.5), (second, 2.25, None)):
            row = instance_rows.lock(db, instance_id)
            assert row is not None
            row.launched_at = end - timedelta(hours=began)
            row.deleted_at = None if ended is None else end - timedelta(hours=ended)
    report = usage.of_project(world.cloud, world.caller, world.project.id, start=start, end=end)
    assert report is not None
    hours = 5.5 + 2.25
    assert report.total.seconds == pytest.approx(hours * 3600)
    assert report.total.ram == pytest.approx(hours * 3600 * world.flavor.ram)
    assert [row.id for row in report.servers] == [first, second]
