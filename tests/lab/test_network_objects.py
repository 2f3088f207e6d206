"""Networks as Ganeti's objects for real: gnt-network shows tenants' networks, and who has what, while somebody does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab import cloud as lab_cloud
from lab import process
from tests.lab.test_cloud import Session


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Iterator[Session]:
    """A tenant of a cloud whose operator wants objects."""
    assert manage(cloud, "backend", "set", "lab", "--network-objects").returncode == 0
    yield Session(cloud, cloud.demo)
    assert manage(cloud, "backend", "set", "lab", "--no-network-objects").returncode == 0


def manage(cloud: lab_cloud.LabCloud, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "manage", "--config", str(cloud.config), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def gnt(cloud: lab_cloud.LabCloud, *words: str) -> str:
    return str(cloud.cluster.run(list(words)).stdout)


def test_a_network_is_ganetis_while_servers_are_in_it(cloud: lab_cloud.LabCloud, tenant: Session) -> None:
    network = _network(tenant, "back", "10.7.0.0/24")
    name = f"syros-net-{network}"
    assert name not in _networks(cloud)

    first, second = _server(tenant, network), None
    assert _networks(cloud) == [name]
    told = gnt(cloud, "gnt-network", "info", name)
    assert f"syros-{first}" in told
    (address,) = tenant.call("GET", f"/servers/{first}")["server"]["addresses"]["back"]
    assert address["addr"] in told
    assert "syros" in gnt(cloud, "gnt-network", "list-tags", name)
    assert "connected" in manage(cloud, "--format", "json", "network", "show", network).stdout
    added = _jobs(cloud, "NETWORK_")
    assert len(added) == 2
    second = _server(tenant, network)
    assert f"syros-{second}" in gnt(cloud, "gnt-network", "info", name)
    assert _jobs(cloud, "NETWORK_") == added

    gnt(cloud, "gnt-group", "add", "second")
    process.wait_until(lambda: "second" in _groups(cloud), what="the new group is connected", timeout=90, every=1)
    gnt(cloud, "gnt-network", "disconnect", name, "second")
    found = manage(cloud, "--format", "json", "reconcile")
    assert (found.returncode, "network-unconnected" in found.stdout) == (1, True), found
    manage(cloud, "reconcile", "--repair")
    process.wait_until(lambda: "second" in _groups(cloud), what="the group is connected again", timeout=60, every=1)

    # two tenants may have the same subnet, and a running guest is given a NIC there
    other = _network(tenant, "other", "10.7.0.0/24")
    asked = {"interfaceAttachment": {"net_id": other}}
    made = tenant.call("POST", f"/servers/{first}/os-interface", asked)["interfaceAttachment"]
    path = f"/servers/{first}/os-interface/{made['port_id']}"
    process.wait_until(
        lambda: tenant.call("GET", path)["interfaceAttachment"]["port_state"] == "ACTIVE",
        what="the interface is attached",
        timeout=90,
        every=0.5,
    )
    told = gnt(cloud, "gnt-network", "info", f"syros-net-{other}")
    assert f"syros-{first}" in told
    assert made["fixed_ips"][0]["ip_address"] in told
    assert made["mac_addr"] in gnt(cloud, "gnt-instance", "list", "--no-headers", "-o", "nic.macs", f"syros-{first}")
    bound = cloud.cluster.run(["sh", "-c", f"cat $(grep -l {made['mac_addr']} /var/lib/nfdhcpd/*)"]).stdout
    assert f'"address": "{made["fixed_ips"][0]["ip_address"]}"' in bound

    for server in (first, second):
        tenant.call("DELETE", f"/servers/{server}")
        tenant.wait(server, "GONE")
    process.wait_until(lambda: _networks(cloud) == [], what="the network is gone from Ganeti", timeout=90, every=1)
    for each in (network, other):
        tenant.call_network("DELETE", f"/networks/{each}")
    gnt(cloud, "gnt-group", "remove", "second")
    assert manage(cloud, "reconcile").returncode == 0


def _network(tenant: Session, name: str, cidr: str) -> str:
    made = tenant.call_network("POST", "/networks", {"network": {"name": name}})["network"]["id"]
    tenant.call_network("POST", "/subnets", {"subnet": {"network_id": made, "cidr": cidr, "ip_version": 4}})
    return str(made)


def _server(tenant: Session, network: str) -> str:
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.tiny")
    image = tenant.call("GET", "/images")["images"][0]["id"]
    spec = {"name": "inside", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    server = str(tenant.call("POST", "/servers", {"server": spec})["server"]["id"])
    tenant.wait(server, "ACTIVE")
    return server


def _networks(cloud: lab_cloud.LabCloud) -> list[str]:
    return gnt(cloud, "gnt-network", "list", "--no-headers", "-o", "name").split()


def _groups(cloud: lab_cloud.LabCloud) -> str:
    return gnt(cloud, "gnt-network", "list", "--no-headers", "-o", "group_list")


def _jobs(cloud: lab_cloud.LabCloud, what: str) -> list[str]:
    listed = gnt(cloud, "gnt-job", "list", "--no-headers", "-o", "summary").splitlines()
    return [line for line in listed if what in line]
