"""An admin moves a server between the nodes of a real cluster, and the API follows, and what nodes do for guests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from lab import cloud as lab_cloud
from lab import network_guest, process
from tests.conftest import missing
from tests.e2e import client
from tests.lab import direct_boot
from tests.lab.network_guests import own_network, start, wait_seen
from tests.lab.test_cloud import Session

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


def test_a_guest_that_is_migrated_live_takes_along_what_its_node_did_for_it(three_nodes: lab_cloud.LabCloud) -> None:
    lab = three_nodes
    direct_boot.use(lab, network_guest.write_initrd)
    tenant, operator = Session(lab, lab.demo), Session(lab, lab.admin)
    admin = client.Client(lab.api_url)
    admin.log_in(lab.admin.user, lab.admin.password)
    forward = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
    for number in range(1, len(lab.cluster.nodes) + 1):
        lab.cluster.run(["sh", "-c", f"sysctl -q -w {forward}"], number)
    back = own_network(tenant, "back", "10.7.0.0/24")
    routed = _routed_network(operator, "10.9.0.0/24")
    group = _group(tenant, "web", 80)

    orders = "serve 80\nserve 81\nrenew\n"
    server = start(tenant, "web", back, routed, fixed_ip="10.7.0.10", orders=orders, groups=[group])
    tries = "fetch 10.7.0.10 80\nfetch 10.7.0.10 81\n"
    neighbour = start(tenant, "neighbour", back, fixed_ip="10.7.0.20", orders=tries)
    address = tenant.call("GET", f"/servers/{server}/ips")["addresses"]["routed"][0]["addr"]
    allowed = {"fetch 10.7.0.10 80": "yes", "fetch 10.7.0.10 81": "no"}
    wait_seen(tenant, server, {"lease-eth0": "10.7.0.10/24  web 192.0.2.53"})
    wait_seen(tenant, neighbour, allowed)
    host_route = ["ip", "route", "add", "10.9.0.0/24", "dev", lab.cluster.network.name]
    subprocess.run(host_route, check=True, timeout=30)
    _wait_fetched(address)
    assert not _fetched(address, 81)

    before = _shown(admin, server)["OS-EXT-SRV-ATTR:host"]
    here = _kept(lab, before, server, address)
    assert all(here.values()), here
    body = {"os-migrateLive": {"host": None, "block_migration": False, "disk_over_commit": False}}
    admin.call("POST", f"/servers/{server}/action", body)
    _wait(admin, server, status="ACTIVE", not_on=before)
    after = _shown(admin, server)["OS-EXT-SRV-ATTR:host"]

    assert not any(_kept(lab, before, server, address).values()), _kept(lab, before, server, address)
    there = _kept(lab, after, server, address)
    assert all(there.values()), there
    # another name server is told where it is now
    (subnet,) = tenant.call_network("GET", f"/subnets?network_id={back}")["subnets"]
    tenant.call_network("PUT", f"/subnets/{subnet['id']}", {"subnet": {"dns_nameservers": ["192.0.2.54"]}})
    wait_seen(tenant, server, {"lease-eth0": "10.7.0.10/24  web 192.0.2.54"})
    assert not any(_kept(lab, before, server, address).values())
    wait_seen(tenant, neighbour, allowed)
    _wait_fetched(address)
    assert not _fetched(address, 81)

    for each in (server, neighbour):
        tenant.call("DELETE", f"/servers/{each}")
        tenant.wait(each, "GONE")
    assert not any(_kept(lab, after, server, address).values())


def _routed_network(operator: Session, cidr: str) -> str:
    spec: dict[str, object] = {"name": "routed", "shared": True, "router:external": True}
    spec |= {"provider:network_type": "routed", "provider:physical_network": "main"}
    network = str(operator.call_network("POST", "/networks", {"network": spec})["network"]["id"])
    subnet = {"network_id": network, "cidr": cidr, "ip_version": 4}
    operator.call_network("POST", "/subnets", {"subnet": subnet})
    return network


def _group(tenant: Session, name: str, port: int) -> str:
    """A security group that lets in one port of TCP; its name."""
    made = tenant.call_network("POST", "/security-groups", {"security_group": {"name": name}})["security_group"]
    rule = {"security_group_id": made["id"], "direction": "ingress", "protocol": "tcp"}
    rule |= {"port_range_min": port, "port_range_max": port}
    tenant.call_network("POST", "/security-group-rules", {"security_group_rule": rule})
    return name


def _kept(lab: lab_cloud.LabCloud, node: str, server: str, address: str) -> dict[str, bool]:
    """Which of the things that a node has for a guest it has: rules of its own and the firewall's, and so on."""
    looks = {
        "guard": "nft list table bridge syros_guests | grep -q 10.7.0.10",
        "guard of the routed NIC": f"nft list table inet syros_guests | grep -q {address}",
        "firewall": "(nft list table bridge syros_guests; nft list table inet syros_guests) | grep -qE 'dport 80[- ]'",
        "bindings": f"grep -q {server} /var/lib/nfdhcpd/*",
        "notes": f"grep -q {server} /run/syros/nics/*",
        "route": f"ip route show table all proto 83 | grep -q {address}",
        "rule": "ip -details rule show | grep -q 'proto 83'",
        "proxy": f"ip neigh show proxy | grep -q {address}",
    }
    number = lab.cluster.nodes.index(node) + 1
    return {
        what: lab.cluster.run(["sh", "-c", look], number, check=False).returncode == 0 for what, look in looks.items()
    }


def _fetched(address: str, port: int = 80) -> bool:
    command = ["curl", "-s", "--noproxy", "*", "-m", "3", f"http://{address}:{port}/"]
    return "here" in subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout


def _wait_fetched(address: str) -> None:
    process.wait_until(lambda: _fetched(address), what=f"{address} is reached", timeout=PATIENCE, every=0.5)


def _shown(admin: client.Client, server: str) -> dict[str, str]:
    found: dict[str, str] = admin.call("GET", f"/servers/{server}")["server"]
    return found


def _wait(admin: client.Client, server: str, *, status: str, not_on: str | None = None) -> None:
    def reached() -> bool:
        shown = _shown(admin, server)
        assert shown["status"] != "ERROR", shown
        return shown["status"] == status and shown["OS-EXT-SRV-ATTR:host"] not in (None, not_on)

    process.wait_until(reached, what=f"server {server} is {status}, and not on {not_on}", timeout=PATIENCE, every=0.2)
