"""Taking an address of a /8: empty, and with a hole of one address in every two, which is the worst that it can be."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import sqlalchemy as sa

from db import free_ranges
from db.networks import Kind, Network, Subnet
from db.sessions import Sessions
from tests.bench import figures

HOLES = 500_000
ROUNDS = 200
_FIRST = 0x0A000000


def measure(sessions: Sessions) -> list[figures.Figure]:
    """Time both, turn about."""
    empty, full = _subnets(sessions)
    with sessions.begin() as db:
        free_ranges.fill(db, empty, [(_FIRST + 2, _FIRST + (1 << 24) - 2)])
        db.execute(
            sa.text(
                "INSERT INTO free_ranges (subnet_id, first, last) SELECT :subnet, hole, hole FROM"
                " (SELECT lpad(to_hex(:first + 2 * n), 32, '0') AS hole FROM generate_series(1, :holes) n) AS holes"
            ),
            {"subnet": full, "first": _FIRST, "holes": HOLES},
        )
    with sessions.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("ANALYZE free_ranges"))
    times: dict[str, list[float]] = {empty: [], full: []}
    for number in range(ROUNDS):
        for subnet, taken in times.items():
            start = time.perf_counter()
            with sessions.begin() as db:
                since = free_ranges.key(_FIRST + 2 * (number * HOLES // ROUNDS))
                if free_ranges.take(db, subnet, since=since) is None:
                    raise RuntimeError("there is no address left")
            taken.append(time.perf_counter() - start)
    plain, fragmented = (
        figures.of("an address of an empty /8", times[empty]),
        figures.of(f"of a /8 with {HOLES:,} holes", times[full]),
    )
    ratio = f"{fragmented.median / plain.median:.2f} times the empty one"
    return [plain, figures.Figure(fragmented.what, fragmented.samples, fragmented.median, fragmented.p99, ratio)]


def _subnets(sessions: Sessions) -> tuple[str, str]:
    """Make two subnets of a network of their own."""
    ids = ("bench-empty", "bench-full")
    now = datetime.now(UTC)
    when = {"created_at": now, "updated_at": now}
    with sessions.begin() as db:
        db.add(Network(id="bench", name="bench", kind=Kind.BRIDGE, link="br0", mtu=1500, **when))
        db.flush()
        db.add_all([Subnet(id=each, network_id="bench", name="", cidr="10.0.0.0/8", version=4, **when) for each in ids])
    return ids
