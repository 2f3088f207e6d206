"""The events on the bus: frozen facts, their bytes and back. docs/events.md is the same, in prose.

An event says what happened in Ganeti, never what Syros should do, and never carries an opcode's input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

import orjson

from common import jobs

VERSION = 1


class Undecodable(Exception):
    """The bytes are not an event of a version that we read; the text says why."""


@dataclass(frozen=True)
class JobEvent:
    """A job has reached a status. Published at least once for each final status."""

    #: the cluster's UUID: job ids alone restart when a cluster is made anew
    cluster: str
    job: jobs.Job
    #: when eventd read the job's file
    seen_at: datetime


@dataclass(frozen=True)
class Nic:
    """A network interface as Ganeti's hooks show it."""

    index: int
    mac: str | None
    ip: str | None
    mode: str | None
    link: str | None
    network: str | None
    uuid: str | None
    name: str | None


@dataclass(frozen=True)
class InstanceEvent:
    """A hook ran after an operation on an instance: where it is now and which NICs it has. Never an outcome."""

    cluster: str
    instance: str
    opcode: str
    node: str | None
    nics: tuple[Nic, ...]
    at: datetime


@dataclass(frozen=True)
class NetworkEvent:
    """A hook ran after a network operation. Connects and disconnects do not name the network (Ganeti does not)."""

    cluster: str
    opcode: str
    network: str | None
    group: str | None
    mode: str | None
    link: str | None
    at: datetime


Event = JobEvent | InstanceEvent | NetworkEvent

_KINDS: dict[str, type[Event]] = {"job": JobEvent, "instance": InstanceEvent, "network": NetworkEvent}


def encode(event: Event) -> bytes:
    """Give the event's bytes: a JSON object with `v` and `kind`."""
    kind = next(kind for kind, cls in _KINDS.items() if isinstance(event, cls))
    return orjson.dumps({"v": VERSION, "kind": kind, **asdict(event)})


def decode(body: bytes) -> Event:
    """Read an event; raise Undecodable for anything else. Fields that we do not know are ignored."""
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError as err:
        raise Undecodable(f"not JSON: {err}") from err
    if not isinstance(doc, dict):
        raise Undecodable("not an object")
    if doc.get("v") != VERSION:
        raise Undecodable(f"version {doc.get('v')!r}, this program reads {VERSION}")
    reader = _READERS.get(str(doc.get("kind")))
    if reader is None:
        raise Undecodable(f"kind {doc.get('kind')!r}")
    try:
        return reader(doc)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise Undecodable(f"{doc['kind']}: {type(err).__name__}: {err}") from err


Doc = Mapping[str, object]


def _job_event(doc: Doc) -> JobEvent:
    job = cast("Doc", doc["job"])
    return JobEvent(
        cluster=_text(doc["cluster"]),
        job=jobs.Job(
            id=_int(job["id"]),
            status=jobs.JobStatus(_text(job["status"])),
            ops=tuple(_op(cast("Doc", op)) for op in cast("list[object]", job["ops"])),
            request_id=_text_or_none(job["request_id"]),
            origin=_text_or_none(job["origin"]),
            received_at=_time(job["received_at"]),
            started_at=_time(job["started_at"]),
            ended_at=_time(job["ended_at"]),
        ),
        seen_at=datetime.fromisoformat(_text(doc["seen_at"])),
    )


def _op(op: Doc) -> jobs.Op:
    return jobs.Op(
        opcode=_text(op["opcode"]),
        status=jobs.JobStatus(_text(op["status"])),
        instance=_text_or_none(op["instance"]),
        error_class=_text_or_none(op["error_class"]),
        error_code=_text_or_none(op["error_code"]),
        error_text=_text_or_none(op["error_text"]),
        node=_text_or_none(op["node"]),
        ended_at=_time(op["ended_at"]),
    )


def _instance_event(doc: Doc) -> InstanceEvent:
    return InstanceEvent(
        cluster=_text(doc["cluster"]),
        instance=_text(doc["instance"]),
        opcode=_text(doc["opcode"]),
        node=_text_or_none(doc["node"]),
        nics=tuple(_nic(cast("Doc", nic)) for nic in cast("list[object]", doc["nics"])),
        at=datetime.fromisoformat(_text(doc["at"])),
    )


def _nic(nic: Doc) -> Nic:
    return Nic(
        index=_int(nic["index"]),
        mac=_text_or_none(nic["mac"]),
        ip=_text_or_none(nic["ip"]),
        mode=_text_or_none(nic["mode"]),
        link=_text_or_none(nic["link"]),
        network=_text_or_none(nic["network"]),
        uuid=_text_or_none(nic["uuid"]),
        name=_text_or_none(nic["name"]),
    )


def _network_event(doc: Doc) -> NetworkEvent:
    return NetworkEvent(
        cluster=_text(doc["cluster"]),
        opcode=_text(doc["opcode"]),
        network=_text_or_none(doc["network"]),
        group=_text_or_none(doc["group"]),
        mode=_text_or_none(doc["mode"]),
        link=_text_or_none(doc["link"]),
        at=datetime.fromisoformat(_text(doc["at"])),
    )


_READERS: dict[str, Callable[[Doc], Event]] = {
    "job": _job_event,
    "instance": _instance_event,
    "network": _network_event,
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not an integer")
    return value


def _time(value: object) -> datetime | None:
    return None if value is None else datetime.fromisoformat(_text(value))
