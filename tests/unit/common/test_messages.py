"""Events to bytes and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import jobs, messages

# surrogates are no text: JSON read by orjson never has them
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MAYBE = st.none() | TEXT
TIMES = st.datetimes(timezones=st.just(UTC))
STATUSES = st.sampled_from(jobs.JobStatus)
OPS = st.builds(
    jobs.Op,
    opcode=TEXT,
    status=STATUSES,
    instance=MAYBE,
    error_class=MAYBE,
    error_code=MAYBE,
    error_text=MAYBE,
    node=MAYBE,
    ended_at=st.none() | TIMES,
)
JOBS = st.builds(
    jobs.Job,
    id=st.integers(min_value=1, max_value=2**53),
    status=STATUSES,
    ops=st.lists(OPS, max_size=3).map(tuple),
    request_id=MAYBE,
    origin=MAYBE,
    received_at=st.none() | TIMES,
    started_at=st.none() | TIMES,
    ended_at=st.none() | TIMES,
)
NICS = st.builds(
    messages.Nic,
    index=st.integers(min_value=0, max_value=15),
    mac=MAYBE,
    ip=MAYBE,
    mode=MAYBE,
    link=MAYBE,
    network=MAYBE,
    uuid=MAYBE,
    name=MAYBE,
)
EVENTS = st.one_of(
    st.builds(messages.JobEvent, cluster=TEXT, job=JOBS, seen_at=TIMES),
    st.builds(
        messages.InstanceEvent,
        cluster=TEXT,
        instance=TEXT,
        opcode=TEXT,
        node=MAYBE,
        nics=st.lists(NICS, max_size=3).map(tuple),
        at=TIMES,
    ),
    st.builds(
        messages.NetworkEvent,
        cluster=TEXT,
        opcode=TEXT,
        network=MAYBE,
        group=MAYBE,
        mode=MAYBE,
        link=MAYBE,
        at=TIMES,
    ),
)


@given(EVENTS)
def test_an_event_comes_back_as_it_was_sent(event: messages.Event) -> None:
    assert messages.decode(messages.encode(event)) == event


@given(EVENTS)
def test_fields_that_are_not_known_are_ignored(event: messages.Event) -> None:
    document = orjson.loads(messages.encode(event)) | {"of_tomorrow": 1}
    assert messages.decode(orjson.dumps(document)) == event


@given(st.binary())
def test_any_bytes_are_an_event_or_undecodable(body: bytes) -> None:
    with pytest.raises(messages.Undecodable):
        messages.decode(body)


EVENT = messages.NetworkEvent(
    cluster="c",
    opcode="OP_NETWORK_ADD",
    network="n",
    group=None,
    mode=None,
    link=None,
    at=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, "version 2"),
        ({"v": None}, "version None"),
        ({"kind": "weather"}, "kind 'weather'"),
        ({"kind": None}, "kind None"),
        ({"cluster": None}, "is not a text"),
        ({"at": "yesterday"}, "ValueError"),
        ({"network": 7}, "is not a text"),
        ({"kind": "job", "job": None}, "job"),
        ({"kind": "job", "job": {"id": "1"}}, "is not an integer"),
        ({"kind": "instance", "nics": 3}, "instance"),
    ],
)
def test_what_can_not_be_read_is_undecodable_and_says_why(change: dict[str, Any], reason: str) -> None:
    document = orjson.loads(messages.encode(EVENT)) | change
    with pytest.raises(messages.Undecodable, match=reason):
        messages.decode(orjson.dumps(document))


def test_a_missing_field_is_undecodable() -> None:
    document = orjson.loads(messages.encode(EVENT))
    del document["opcode"]
    with pytest.raises(messages.Undecodable, match="opcode"):
        messages.decode(orjson.dumps(document))


def test_the_wire_form_is_json_with_version_and_kind() -> None:
    assert orjson.loads(messages.encode(EVENT)) == {
        "v": 1,
        "kind": "network",
        "cluster": "c",
        "opcode": "OP_NETWORK_ADD",
        "network": "n",
        "group": None,
        "mode": None,
        "link": None,
        "at": "2026-01-01T00:00:00+00:00",
    }
