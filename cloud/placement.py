"""Which backend takes a new instance: decided from what was last known, never by asking Ganeti in a request."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """A backend's capacity, less what creates under way will take."""

    backend_id: int
    name: str
    #: MiB
    memory_free: int
    memory_total: int
    #: MiB
    disk_free: int
    disk_total: int
    #: MiB of the emptiest node: an instance has to fit on one
    memory_largest: int
    disk_largest: int
    cpus: int
    instances: int
    jobs: int
    max_jobs: int


@dataclass(frozen=True)
class Need:
    """What a new instance takes."""

    #: MiB
    memory: int
    #: MiB
    disk: int
    vcpus: int


def choose(rooms: Sequence[Room], need: Need) -> Room | None:
    """Give the backend with the most room to spare after taking the instance; None if it fits nowhere."""
    fitting = [room for room in rooms if fits(room, need)]
    return max(fitting, key=lambda room: (score(room, need), -room.backend_id), default=None)


def fits(room: Room, need: Need) -> bool:
    """Tell whether memory and disk suffice, in all and on one node; CPUs are shared, jobs only queue."""
    in_all = room.memory_free >= need.memory and room.disk_free >= need.disk
    return in_all and room.memory_largest >= need.memory and room.disk_largest >= need.disk


def score(room: Room, need: Need) -> float:
    """Rate a backend from 0 (full, busy) to 1: free memory counts most, then disk, then idle job slots."""
    memory = (room.memory_free - need.memory) / room.memory_total if room.memory_total else 0.0
    disk = (room.disk_free - need.disk) / room.disk_total if room.disk_total else 0.0
    idle = 1 - min(room.jobs / room.max_jobs, 1.0) if room.max_jobs else 0.0
    return 0.5 * memory + 0.3 * disk + 0.2 * idle


def take(room: Room, need: Need) -> Room:
    """Give the room that is left after one more instance, for creates of several at once."""
    return dataclasses.replace(
        room,
        memory_free=room.memory_free - need.memory,
        disk_free=room.disk_free - need.disk,
        instances=room.instances + 1,
        jobs=room.jobs + 1,
    )
