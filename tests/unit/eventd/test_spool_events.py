"""Hook files from the spool to the broker."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from common import messages
from eventd import spool
from tests.unit.eventd import fakes
from tests.unit.eventd.conftest import Bench

FACTS = {
    "OP_CODE": "OP_INSTANCE_STARTUP",
    "OBJECT_TYPE": "INSTANCE",
    "INSTANCE_NAME": "inst1",
    "INSTANCE_PRIMARY": "node1.gnt.test",
    "INSTANCE_NIC_COUNT": "1",
    "INSTANCE_NIC0_MAC": "aa:00:00:00:00:01",
}


def leave(bench: Bench, name: str = "1", *, at: int = fakes.EPOCH + 50, **facts: str) -> None:
    """Write a hook's file as the hook does."""
    content = {"v": 1, "at": datetime.fromtimestamp(at, tz=UTC).isoformat(), "env": {**FACTS, **facts}}
    temporary = bench.spool / f".{name}"
    temporary.write_bytes(orjson.dumps(content))
    temporary.rename(bench.spool / name)


def test_a_hooks_file_is_published_and_then_deleted(bench: Bench) -> None:
    bench.start()
    bench.run()
    leave(bench)
    bench.run()
    assert bench.broker.events == [
        messages.InstanceEvent(
            cluster="cluster-a",
            instance="inst1",
            opcode="OP_INSTANCE_STARTUP",
            node="node1.gnt.test",
            nics=(messages.Nic(0, "aa:00:00:00:00:01", None, None, None, None, None, None),),
            at=datetime.fromtimestamp(fakes.EPOCH + 50, tz=UTC),
        )
    ]
    assert list(bench.spool.iterdir()) == []


def test_a_hooks_file_stays_until_the_broker_has_confirmed_it(bench: Bench) -> None:
    bench.start()
    bench.broker.down = True
    leave(bench)
    bench.run(seconds=5)
    assert [path.name for path in bench.spool.iterdir()] == ["1"]
    bench.broker.down = False
    bench.run(seconds=10)
    assert len(bench.broker.events) == 1
    assert list(bench.spool.iterdir()) == []


def test_what_was_left_while_it_was_down_is_published_oldest_first(bench: Bench) -> None:
    for number in range(250):
        leave(bench, f"{number:04d}", INSTANCE_NAME=f"inst{number}")
    bench.start()
    bench.run()
    names = [event.instance for event in bench.broker.events if isinstance(event, messages.InstanceEvent)]
    assert names == [f"inst{number}" for number in range(250)]


def test_a_fact_is_published_before_the_outcome_that_follows_it(bench: Bench) -> None:
    bench.start()
    bench.run()
    bench.ganeti.job(1, "success")
    leave(bench)
    bench.run()
    assert [type(event) for event in bench.broker.events] == [messages.InstanceEvent, messages.JobEvent]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"v": 2, "at": "2026-01-01", "env": {}}', b'{"v": 1, "env": {}}'])
def test_a_file_that_no_hook_wrote_is_put_aside(bench: Bench, body: bytes) -> None:
    (bench.spool / "0").write_bytes(body)
    leave(bench)
    bench.start()
    bench.run()
    assert len(bench.broker.events) == 1
    assert [path.name for path in bench.spool.rglob("*")] == ["bad", "0"]


def test_a_file_of_the_cluster_before_is_dropped(bench: Bench) -> None:
    leave(bench, at=fakes.EPOCH - 50)
    bench.start()
    bench.run()
    assert bench.broker.events == []
    assert list(bench.spool.iterdir()) == []


def test_only_the_master_publishes_the_spool(bench: Bench) -> None:
    bench.ganeti.master("node2.gnt.test")
    leave(bench)
    bench.start()
    bench.run(seconds=61)
    assert bench.broker.events == []
    bench.ganeti.master(fakes.MASTER)
    bench.run()
    assert len(bench.broker.events) == 1


def test_a_file_that_is_being_written_is_not_read(bench: Bench) -> None:
    (bench.spool / ".00001").write_bytes(b"{")
    bench.start()
    bench.run()
    assert [path.name for path in bench.spool.iterdir()] == [".00001"]


def test_a_connect_names_the_group_but_not_the_network() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    env = {
        "OP_CODE": "OP_NETWORK_CONNECT",
        "OBJECT_TYPE": "NETWORK",
        "GROUP_NAME": "default",
        "GROUP_NETWORK_MODE": "bridged",
        "GROUP_NETWORK_LINK": "br0",
    }
    assert spool.parse(env, "cluster-a", at=at) == messages.NetworkEvent(
        cluster="cluster-a",
        opcode="OP_NETWORK_CONNECT",
        network=None,
        group="default",
        mode="bridged",
        link="br0",
        at=at,
    )


def test_a_nic_that_was_removed_is_not_told() -> None:
    env = {**FACTS, "POST_INSTANCE_NAME": "inst1", "POST_INSTANCE_NIC_COUNT": "0"}
    event = spool.parse(env, "cluster-a", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert isinstance(event, messages.InstanceEvent)
    assert event.nics == ()
