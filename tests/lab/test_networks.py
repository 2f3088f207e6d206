"""Networks for real: what the API says of a server's address is what Ganeti has, and where the guest answers."""

from __future__ import annotations

import pytest

from lab import cloud as lab_cloud
from lab import linux_guest, process
from lab.link import SEGMENTS
from tests.lab import direct_boot
from tests.lab.network_guests import allow
from tests.lab.test_cloud import Session


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    """A tenant whose guests boot Linux from here on."""
    direct_boot.use(cloud, linux_guest.write_initrd)
    return Session(cloud, cloud.demo)


def test_a_guest_answers_at_the_address_that_the_api_shows_until_it_is_deleted(
    cloud: lab_cloud.LabCloud, tenant: Session
) -> None:
    rule = allow(tenant, protocol="icmp")
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.small")
    image = tenant.call("GET", "/images")["images"][0]["id"]
    spec = {"name": "reachable", "flavorRef": flavor, "imageRef": image}
    server = str(tenant.call("POST", "/servers", {"server": spec})["server"]["id"])
    tenant.wait(server, "ACTIVE")
    (shown,) = tenant.call("GET", f"/servers/{server}")["server"]["addresses"]["public"]

    fields = "nic.ip/0,nic.mac/0,nic.mode/0,nic.link/0"
    listed = cloud.cluster.run(["gnt-instance", "list", "--no-headers", "--separator=|", "-o", fields]).stdout
    assert listed.strip() == f"{shown['addr']}|{shown['OS-EXT-IPS-MAC:mac_addr']}|bridged|br0"
    process.wait_until(lambda: _answers(cloud, shown["addr"]), what="the guest answers", timeout=60, every=0.5)

    tenant.call_network("DELETE", f"/security-group-rules/{rule}")
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")
    assert not _answers(cloud, shown["addr"])


def _answers(cloud: lab_cloud.LabCloud, address: str) -> bool:
    """Whether somebody with this address answers a node's ARP and ping."""
    ping = f"busybox ping -c 1 -W 1 {address} >/dev/null && echo yes || echo no"
    return cloud.cluster.run(["sh", "-c", ping]).stdout.strip() == "yes"


def test_a_guest_in_its_tenants_own_network_answers_there_and_nowhere_else(
    cloud: lab_cloud.LabCloud, tenant: Session
) -> None:
    network = tenant.call_network("POST", "/networks", {"network": {"name": "back"}})["network"]["id"]
    subnet = {"network_id": network, "cidr": "10.7.0.0/24", "ip_version": 4}
    tenant.call_network("POST", "/subnets", {"subnet": subnet})
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.small")
    image = tenant.call("GET", "/images")["images"][0]["id"]
    spec = {"name": "inside", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    server = str(tenant.call("POST", "/servers", {"server": spec})["server"]["id"])
    tenant.wait(server, "ACTIVE")
    (shown,) = tenant.call("GET", f"/servers/{server}")["server"]["addresses"]["back"]

    link = cloud.cluster.run(["gnt-instance", "list", "--no-headers", "-o", "nic.link/0"]).stdout.strip()
    assert link in SEGMENTS
    process.wait_until(
        lambda: _is_taken(cloud, shown["addr"], link), what="the guest answers in its network", timeout=60, every=0.5
    )
    assert not any(_is_taken(cloud, shown["addr"], other) for other in ("br0", *SEGMENTS) if other != link)

    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")
    tenant.call_network("DELETE", f"/networks/{network}")


def _is_taken(cloud: lab_cloud.LabCloud, address: str, link: str) -> bool:
    """Whether somebody on this bridge of the node's says that the address is theirs (RFC 5227, 2.1.1)."""
    probe = f"busybox arping -D -q -c 1 -w 1 -I {link} {address} && echo no || echo yes"
    return cloud.cluster.run(["sh", "-c", probe]).stdout.strip() == "yes"
