"""servers/detail with 1,000 servers, against a floor measured in the same run: one query for the same rows, dumped."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import psycopg2
import sqlalchemy as sa

from tests.bench import figures
from tests.e2e import client, fleet

SERVERS = 1000
ROUNDS = 30


def fill(cloud: fleet.Fleet) -> None:
    """Give the tenant a thousand servers, by copying rows: making them in Ganeti is not what is measured."""
    cloud.client.create("bench")
    with cloud.sessions.begin() as db:
        db.execute(
            sa.text(
                "INSERT INTO instances (id, name, project_id, user_id, backend_id, ganeti_name, flavor_id, flavor_name,"
                " vcpus, ram, disk, image_id, metadata, access_ipv4, access_ipv6, reservation_id, state, nics, charged,"
                " present, look_wanted, fact_job, node, console_port, launched_at, created_at, updated_at)"
                " SELECT gen_random_uuid()::text, 'web-' || n, project_id, user_id, backend_id, 'bench-' || n,"
                " flavor_id, flavor_name, vcpus, ram, disk, image_id, '{\"role\": \"web\"}', '', '', reservation_id,"
                " 'active', '[]', false, true, false, 0, 'node1.gnt.test', 11000, now(), now() - n * interval '1 s',"
                " now() FROM instances, generate_series(1, :count) AS n LIMIT :count"
            ),
            {"count": SERVERS},
        )
        # an address each, in the network that the first one is in
        db.execute(
            sa.text(
                "INSERT INTO ports (id, name, description, network_id, project_id, mac, enabled, instance_id, number,"
                " owned, created_at, updated_at)"
                " SELECT i.id, '', '', p.network_id, i.project_id, '02:be' || row_number() OVER (),"
                " true, i.id, 0, true, now(), now() FROM instances i, ports p WHERE i.ganeti_name LIKE 'bench-%'"
            )
        )
        db.execute(
            sa.text(
                "INSERT INTO addresses (subnet_id, number, ip, port_id)"
                " SELECT a.subnet_id, lpad(to_hex(row_number() OVER ()), 32, '0'), '10.0.0.0'::inet"
                " + row_number() OVER (), i.id FROM instances i, addresses a, subnets s"
                " WHERE i.ganeti_name LIKE 'bench-%' AND s.id = a.subnet_id AND s.version = 4"
            )
        )


def measure(cloud: fleet.Fleet) -> list[figures.Figure]:
    """Time both, turn about, so that the machine's moods hit them alike."""
    url = cloud.sessions.url.replace("postgresql+psycopg2://", "postgresql://")
    connection = psycopg2.connect(url)
    through_api: list[float] = []
    floor: list[float] = []
    for _ in range(ROUNDS):
        through_api.append(_timed(lambda: _list(cloud.client)))
        floor.append(_timed(lambda: _query(connection)))
    connection.close()
    slow, fast = figures.of("servers/detail, 1000 servers", through_api), figures.of("the floor", floor)
    ratio = f"{slow.median / fast.median:.1f} times the floor"
    return [figures.Figure(slow.what, slow.samples, slow.median, slow.p99, ratio), fast]


def _list(tenant: client.Client) -> None:
    found = tenant.fetch(f"/servers/detail?limit={SERVERS}")
    if found.count(b'"OS-EXT-STS:vm_state"') != SERVERS:
        raise RuntimeError("the list is not whole")


# Any: psycopg2's connection type is not exported
def _query(connection: psycopg2.extensions.connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM instances WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT %s", (SERVERS,)
        )
        names = [column.name for column in cursor.description or ()]
        orjson.dumps([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])


def _timed(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
