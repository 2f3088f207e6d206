"""Whether the API, the database, Ganeti and the quotas are of one mind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud import quotas
from cloud.context import Cloud
from common import names
from db import networks, ports
from db.free_ranges import FreeRange
from lab import process
from tests.e2e import client

_RESTING = ("ACTIVE", "SHUTOFF", "ERROR")


def disagreements(cloud: Cloud, tenant: client.Client, in_ganeti: Collection[str]) -> list[str]:
    """Say in what they differ, or what is still under way; empty when nothing is."""
    servers = tenant.servers()
    found = [
        f"server {server['id']} is {server['status']}, task {server['OS-EXT-STS:task_state']}"
        for server in servers
        if server["status"] not in _RESTING or server["OS-EXT-STS:task_state"]
    ]
    # a create that died with Ganeti is an ERROR, of which the cluster keeps nothing
    alive = [server["id"] for server in servers if server["status"] != "ERROR"]
    expected = sorted(names.instance_name(names.DEFAULT_PREFIX, server_id) for server_id in alive)
    if sorted(in_ganeti) != expected:
        found.append(f"Ganeti has {sorted(in_ganeti)}, the API {expected}")
    return found + [str(drift) for drift in quotas.audit(cloud)] + _lost_addresses(cloud, servers)


def _lost_addresses(cloud: Cloud, servers: Collection[Mapping[str, str]]) -> list[str]:
    """Say which ports are not a server's, and whether what is free and what is taken is not all that there is."""
    with cloud.sessions.read() as db:
        attached = ports.page(db, ports.Filter(attached=True), limit=10_000)
        pools = {row.id: row.pools for row in networks.subnet_page(db, networks.SubnetFilter(version=4), limit=100)}
        taken = Counter(db.scalars(sa.select(ports.Address.subnet_id)))
        free = Counter[str]()
        for row in db.scalars(sa.select(FreeRange)):
            free[row.subnet_id] += int(row.last, 16) - int(row.first, 16) + 1
    found = []
    if sorted(str(port.instance_id) for port in attached) != sorted(server["id"] for server in servers):
        found.append(f"ports are of {sorted(str(port.instance_id) for port in attached)}")
    for subnet, ranges in pools.items():
        size = sum(int(ip_address(each["end"])) - int(ip_address(each["start"])) + 1 for each in ranges)
        if free[subnet] + taken[subnet] != size:
            found.append(f"subnet {subnet} has {size} addresses, {free[subnet]} free and {taken[subnet]} taken")
    return found


def wait(look: Callable[[], list[str]], *, patience: float, logs: Path, what: str) -> None:
    """Wait until nothing is left to say; fail with what remains, and the ends of the logs, if that never comes."""
    found: list[str] = ["nobody looked yet"]

    def agreed() -> bool:
        found[:] = look()
        return not found

    try:
        process.wait_until(agreed, what=what, timeout=patience, every=0.5)
    except process.LabError:
        ends = [f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted(logs.glob("*.log"))]
        pytest.fail(f"{what}: {found}\n" + "\n".join(ends))
