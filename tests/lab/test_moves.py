"""An admin moves a server between the nodes of a real cluster, and the API follows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import cloud as lab_cloud
from lab import process
from tests.conftest import missing
from tests.e2e import client

PATIENCE = 120.0


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[lab_cloud.LabCloud]:
    """A real cloud whose cluster has three nodes."""
    if reason := lab_cloud.unavailable():
        missing(reason)
    lab = lab_cloud.LabCloud(nodes=3)
    lab.start()
    yield lab
    lab.stop()


def test_a_running_server_is_migrated_live_and_its_host_changes(three_nodes: lab_cloud.LabCloud) -> None:
    tenant, admin = client.Client(three_nodes.api_url), client.Client(three_nodes.api_url)
    tenant.log_in(three_nodes.demo.user, three_nodes.demo.password)
    admin.log_in(three_nodes.admin.user, three_nodes.admin.password)
    server = tenant.create("traveller")
    _wait(admin, server, status="ACTIVE")
    before = _shown(admin, server)["OS-EXT-SRV-ATTR:host"]

    body = {"os-migrateLive": {"host": None, "block_migration": False, "disk_over_commit": False}}
    admin.call("POST", f"/servers/{server}/action", body)
    _wait(admin, server, status="ACTIVE", not_on=before)

    listed = three_nodes.cluster.run(["gnt-instance", "list", "--no-headers", "-o", "pnode,status"]).stdout.split()
    assert listed == [_shown(admin, server)["OS-EXT-SRV-ATTR:host"], "running"]
    tenant.call("DELETE", f"/servers/{server}")


def _shown(admin: client.Client, server: str) -> dict[str, str]:
    found: dict[str, str] = admin.call("GET", f"/servers/{server}")["server"]
    return found


def _wait(admin: client.Client, server: str, *, status: str, not_on: str | None = None) -> None:
    def reached() -> bool:
        shown = _shown(admin, server)
        assert shown["status"] != "ERROR", shown
        return shown["status"] == status and shown["OS-EXT-SRV-ATTR:host"] not in (None, not_on)

    process.wait_until(reached, what=f"server {server} is {status}, and not on {not_on}", timeout=PATIENCE, every=0.2)
