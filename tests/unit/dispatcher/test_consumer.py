"""What becomes of a message: done, dead or later. Nothing is lost, nothing is raised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import prometheus_client
import pytest
import sqlalchemy as sa

from cloud import events
from cloud.context import Cloud
from common import bus, messages
from db.instances import State
from dispatcher.consumer import Consumer, Meters
from tests.support import clouds
from tests.support.clouds import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = clouds.world(clouds.sqlite_sessions(tmp_path))
    yield made
    made.cloud.sessions.close()


@pytest.fixture
def registry() -> prometheus_client.CollectorRegistry:
    return prometheus_client.CollectorRegistry()


@pytest.fixture
def consumer(world: World, registry: prometheus_client.CollectorRegistry) -> Consumer:
    return Consumer(world.cloud, Meters(registry))


def finished_create(world: World) -> tuple[str, bytes]:
    instance_id = world.create_one()
    world.submit()
    return instance_id, messages.encode(world.rapi.finish(1))


def counted(registry: prometheus_client.CollectorRegistry, outcome: str) -> float:
    return registry.get_sample_value("syros_events_total", {"outcome": outcome}) or 0


def test_an_event_is_applied_and_done_and_done_again_when_it_comes_again(
    world: World, consumer: Consumer, registry: prometheus_client.CollectorRegistry
) -> None:
    instance_id, body = finished_create(world)
    assert consumer.handle(body).verdict is bus.Verdict.DONE
    assert world.instance(instance_id).state is State.ACTIVE
    assert consumer.handle(body).verdict is bus.Verdict.DONE
    assert (counted(registry, "applied"), counted(registry, "stale")) == (1, 1)
    assert registry.get_sample_value("syros_event_delay_seconds_count") == 2


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00", b"[]", b"{}", b'{"v": 99, "kind": "job"}', b'{"v": 1, "kind": "job", "job": {}}']
)
def test_what_is_not_an_event_is_dead_with_its_reason(consumer: Consumer, body: bytes) -> None:
    judgement = consumer.handle(body)
    assert judgement.verdict is bus.Verdict.DEAD
    assert judgement.reason.startswith("undecodable: ")


@pytest.mark.parametrize(
    "outage",
    [
        sa.exc.OperationalError("SELECT 1", {}, Exception("the server closed the connection")),
        sa.exc.TimeoutError("no connection is free"),
        sa.exc.InterfaceError("SELECT 1", {}, Exception("connection already closed")),
        sa.exc.DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True),
    ],
)
def test_while_the_database_is_away_the_message_comes_later(
    world: World, consumer: Consumer, monkeypatch: pytest.MonkeyPatch, outage: Exception
) -> None:
    _, body = finished_create(world)
    tries: list[messages.Event] = []

    def away(_cloud: object, event: messages.Event) -> None:
        tries.append(event)
        raise outage

    monkeypatch.setattr(events, "apply", away)
    assert consumer.handle(body).verdict is bus.Verdict.LATER
    assert len(tries) == 1


def test_what_fails_again_and_again_is_dead_with_its_reason(
    world: World,
    consumer: Consumer,
    registry: prometheus_client.CollectorRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, body = finished_create(world)
    tries: list[messages.Event] = []

    def broken(_cloud: object, event: messages.Event) -> None:
        tries.append(event)
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(events, "apply", broken)
    judgement = consumer.handle(body)
    assert (judgement.verdict, judgement.reason) == (bus.Verdict.DEAD, "ZeroDivisionError: a bug")
    assert len(tries) == 3
    assert counted(registry, "dead") == 1


def test_what_fails_once_is_done_at_the_second_try(
    world: World, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id, body = finished_create(world)
    failures = [ZeroDivisionError("once")]
    apply = events.apply

    def shaky(cloud: Cloud, event: messages.Event) -> events.Applied:
        if failures:
            raise failures.pop()
        return apply(cloud, event)

    monkeypatch.setattr(events, "apply", shaky)
    assert consumer.handle(body).verdict is bus.Verdict.DONE
    assert world.instance(instance_id).state is State.ACTIVE


def test_a_database_that_is_gone_for_real_is_an_outage(world: World, consumer: Consumer, tmp_path: Path) -> None:
    _, body = finished_create(world)
    world.cloud.sessions.close()
    for file in tmp_path.glob("syros.db*"):
        file.unlink()
    assert consumer.handle(body).verdict is bus.Verdict.LATER
