"""From the API down to the guest: its addresses by DHCP and router advertisements, its peers, what it can't send."""

from __future__ import annotations

import base64
import re

import pytest

from lab import cloud as lab_cloud
from lab import network_guest, process
from tests.lab import direct_boot
from tests.lab.test_cloud import Session
from tests.lab.test_consoles import output

BOOT_PATIENCE = 180.0


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    """A tenant whose guests tell what they see from here on."""
    direct_boot.use(cloud, network_guest.write_initrd)
    return Session(cloud, cloud.demo)


@pytest.fixture
def stranger(cloud: lab_cloud.LabCloud, tenant: Session) -> Session:
    """Somebody of another project."""
    return Session(cloud, cloud.admin)


def own_network(session: Session, name: str, *cidrs: str) -> str:
    network = session.call_network("POST", "/networks", {"network": {"name": name}})["network"]["id"]
    for cidr in cidrs:
        subnet: dict[str, object] = {"network_id": network, "cidr": cidr, "ip_version": 6 if ":" in cidr else 4}
        if ":" in cidr:
            subnet |= {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
        else:
            subnet["dns_nameservers"] = ["192.0.2.53"]
        session.call_network("POST", "/subnets", {"subnet": subnet})
    return str(network)


def start(session: Session, name: str, network: str, *, fixed_ip: str | None = None, orders: str = "\n") -> str:
    flavor = next(each["id"] for each in session.call("GET", "/flavors")["flavors"] if each["name"] == "m1.small")
    interface = {"uuid": network, **({"fixed_ip": fixed_ip} if fixed_ip else {})}
    spec = {
        "name": name,
        "flavorRef": flavor,
        "imageRef": session.call("GET", "/images")["images"][0]["id"],
        "networks": [interface],
        "user_data": base64.b64encode(orders.encode()).decode(),
    }
    server = str(session.call("POST", "/servers", {"server": spec})["server"]["id"])
    session.wait(server, "ACTIVE")
    return server


def view(session: Session, server: str) -> dict[str, str]:
    """What a guest said last of what it sees, by the words that a line begins with."""
    said = output(session, server).replace("\r", "")
    whole = re.findall(f"{network_guest.BEGIN}\n(.*?){network_guest.END}", said, re.DOTALL)
    lines = whole[-1].splitlines() if whole else []
    return dict(line.split(" ", 1) if line.startswith(("lease", "ipv6")) else line.rsplit(" ", 1) for line in lines)


def wait_seen(session: Session, server: str, wanted: dict[str, str]) -> dict[str, str]:
    """Wait until a guest sees what it is to see; give all that it sees."""
    seen: dict[str, str] = {}

    def enough() -> bool:
        session.cloud.programs.restart_ended()
        seen.update(view(session, server))
        return all(seen.get(key) == value for key, value in wanted.items())

    try:
        process.wait_until(enough, what=f"the guest sees {wanted}", timeout=BOOT_PATIENCE, every=1)
    except process.LabError as err:
        err.add_note(output(session, server)[-3000:])
        raise
    return seen


def test_guests_get_their_addresses_reach_their_peers_and_pose_as_nobody(
    cloud: lab_cloud.LabCloud, tenant: Session, stranger: Session
) -> None:
    back = own_network(tenant, "back", "10.7.0.0/24", "fd00:7::/64")
    theirs = own_network(stranger, "theirs", "10.7.0.0/24")
    peer = start(tenant, "peer", back, fixed_ip="10.7.0.10")
    neighbour = start(stranger, "neighbour", theirs, fixed_ip="10.7.0.20")
    orders = "reach 10.7.0.10\nreach 10.7.0.20\npose 10.7.0.10 as 10.7.0.77\nreach 10.7.0.10\n"
    server = start(tenant, "Web 1", back, orders=orders)
    shown = {
        each["version"]: each["addr"] for each in tenant.call("GET", f"/servers/{server}/ips")["addresses"]["back"]
    }

    wait_seen(tenant, peer, {"lease": "10.7.0.10/24 10.7.0.1 peer 192.0.2.53"})
    wait_seen(stranger, neighbour, {"lease": "10.7.0.20/24 10.7.0.1 neighbour 192.0.2.53"})
    seen = wait_seen(
        tenant,
        server,
        {
            "lease": f"{shown[4]}/24 10.7.0.1 web-1 192.0.2.53",
            "ipv6": f"{shown[6]}/64",
            "reach 10.7.0.10": "yes",
            "reach 10.7.0.20": "no",
            "pose 10.7.0.77": "no",
        },
    )
    assert seen["reach 10.7.0.10"] == "yes"

    for session, each in ((tenant, server), (tenant, peer), (stranger, neighbour)):
        session.call("DELETE", f"/servers/{each}")
        session.wait(each, "GONE")
