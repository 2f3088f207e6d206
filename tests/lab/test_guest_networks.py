"""From the API down to the guests: two tenants with a network each of the same addresses, and one that all share."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from lab import cloud as lab_cloud
from lab import network_guest, process
from tests.lab import direct_boot
from tests.lab.network_guests import BOOT_PATIENCE, allow, own_network, start, view, wait_seen
from tests.lab.test_cloud import Session

_PATIENCE = 60.0


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    """A tenant whose guests tell what they see from here on."""
    direct_boot.use(cloud, network_guest.write_initrd)
    return Session(cloud, cloud.demo)


@pytest.fixture
def stranger(cloud: lab_cloud.LabCloud, tenant: Session) -> Session:
    """Somebody of another project."""
    return Session(cloud, cloud.admin)


def shared_network(session: Session) -> str:
    (network,) = session.call_network("GET", "/networks?name=public")["networks"]
    return str(network["id"])


def addresses(session: Session, server: str, network: str) -> dict[int, str]:
    """A server's addresses in a network, by IP version."""
    found = session.call("GET", f"/servers/{server}/ips")["addresses"][network]
    return {each["version"]: each["addr"] for each in found}


def seconds_until(condition: Callable[[], bool], *, what: str) -> float:
    begun = time.monotonic()
    process.wait_until(condition, what=what, timeout=_PATIENCE, every=0.1)
    return time.monotonic() - begun


def test_guests_have_the_networks_that_the_api_says_and_no_others(
    cloud: lab_cloud.LabCloud, tenant: Session, stranger: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = shared_network(tenant)
    back = own_network(tenant, "back", "10.7.0.0/24", "fd00:7::/64")
    theirs = own_network(stranger, "theirs", "10.7.0.0/24")

    web = start(tenant, "web", back, shared, fixed_ip="10.7.0.10", orders="serve 80\nrenew\n")
    outside = addresses(tenant, web, "public")[4]
    tries = f"reach {outside}\nfetch {outside} 80\n"
    neighbour = start(stranger, "neighbour", theirs, shared, fixed_ip="10.7.0.20", orders=f"reach 10.7.0.10\n{tries}")
    orders = "reach 10.7.0.10\nfetch 10.7.0.10 80\nreach 10.7.0.20\npose 10.7.0.10 as 10.7.0.77\n"
    worker = start(tenant, "Worker 1", back, orders=orders)
    own = addresses(tenant, worker, "back")
    views: dict[str, dict[str, str]] = {}

    # what each was given, whom it reaches, and in whose name it can't speak
    views["web"] = wait_seen(tenant, web, {"lease-eth0": "10.7.0.10/24  web 192.0.2.53"})
    wanted = {
        "lease-eth0": f"{own[4]}/24 10.7.0.1 worker-1 192.0.2.53",
        "ipv6-eth0": f"{own[6]}/64",
        "reach 10.7.0.10": "yes",
        "fetch 10.7.0.10 80": "yes",
        "reach 10.7.0.20": "no",
        "pose 10.7.0.77": "no",
    }
    views["worker"] = wait_seen(tenant, worker, wanted)
    closed = {f"reach {outside}": "no", f"fetch {outside} 80": "no", "reach 10.7.0.10": "no"}
    views["neighbour, before the rule"] = wait_seen(stranger, neighbour, closed)
    assert views["neighbour, before the rule"]["lease-eth0"].startswith("10.7.0.20/24")

    # a closed port opens with a rule, and closes when that goes
    rule = allow(tenant, protocol="tcp", port_range_min=80, port_range_max=80)
    until_known = seconds_until(lambda: _node_knows(cloud, web, "i4:tcp:80-80:*"), what="the node has the rule")
    opened = {f"reach {outside}": "no", f"fetch {outside} 80": "yes"}
    views["neighbour, with the rule"] = wait_seen(stranger, neighbour, opened)
    tenant.call_network("DELETE", f"/security-group-rules/{rule}")
    wait_seen(stranger, neighbour, closed)

    # its next renewal tells a guest what its subnet says by now
    (subnet,) = tenant.call_network("GET", f"/subnets?network_id={back}&ip_version=4")["subnets"]
    tenant.call_network("PUT", f"/subnets/{subnet['id']}", {"subnet": {"dns_nameservers": ["192.0.2.54"]}})
    until_told = seconds_until(lambda: _is_told(cloud, web, "192.0.2.54"), what="the node has the name server")
    views["web, after a renewal"] = wait_seen(tenant, web, {"lease-eth0": "10.7.0.10/24  web 192.0.2.54"})

    # an interface comes to a guest that runs
    asked = {"interfaceAttachment": {"net_id": shared}}
    made = tenant.call("POST", f"/servers/{worker}/os-interface", asked)["interfaceAttachment"]
    address = made["fixed_ips"][0]["ip_address"]
    process.wait_until(
        lambda: view(tenant, worker).get("lease-eth1", "").startswith(f"{address}/"),
        what="the new interface has its address",
        timeout=BOOT_PATIENCE,
        every=1,
    )
    views["worker, with another interface"] = view(tenant, worker)

    with capsys.disabled():
        print(f"\nthe node had the rule {until_known:.1f} s after the API's answer")  # noqa: T201
        print(f"nfdhcpd had the name server {until_told:.1f} s after the API's answer")  # noqa: T201
        _show(views)

    for session, each in ((tenant, web), (tenant, worker), (stranger, neighbour)):
        session.call("DELETE", f"/servers/{each}")
        session.wait(each, "GONE")


def _node_knows(cloud: lab_cloud.LabCloud, server: str, rule: str) -> bool:
    """Whether the firewall of one of a guest's taps has a rule."""
    return rule in cloud.cluster.run(["sh", "-c", f"cat $(grep -l {server} /run/syros/nics/*)"], check=False).stdout


def _is_told(cloud: lab_cloud.LabCloud, server: str, address: str) -> bool:
    """Whether a binding of a guest's has an address."""
    return address in cloud.cluster.run(["sh", "-c", f"cat $(grep -l {server} /var/lib/nfdhcpd/*)"], check=False).stdout


def test_networks_share_a_bridge_or_are_routed_and_a_floating_ip_comes_to_a_guest(
    cloud: lab_cloud.LabCloud, tenant: Session, stranger: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    _prepare(cloud)
    project = tenant.call_network("GET", "/security-groups?name=default")["security_groups"][0]["project_id"]
    filtered = _network_of_kind(stranger, "filtered", "mac-filtered", "10.8.0.0/24", project_id=project)
    theirs = _network_of_kind(stranger, "theirs", "mac-filtered", "10.8.0.0/24")
    routed = _network_of_kind(stranger, "routed", "routed", "10.9.0.0/24", link="main", project_id=project)

    peer = start(tenant, "peer", filtered, fixed_ip="10.8.0.10")
    neighbour = start(stranger, "neighbour", theirs, fixed_ip="10.8.0.20", orders="reach 10.8.0.10\n")
    orders = "reach 10.8.0.10\nreach 10.8.0.20\n"
    server = start(tenant, "both", filtered, routed, fixed_ip="10.8.0.11", orders=orders)
    address = addresses(tenant, server, "routed")[4]
    views: dict[str, dict[str, str]] = {}

    # two networks on one bridge, of the same addresses
    wait_seen(tenant, peer, {"lease-eth0": "10.8.0.10/24  peer "})
    views["neighbour"] = wait_seen(stranger, neighbour, {"reach 10.8.0.10": "no"})
    views["both"] = wait_seen(
        tenant,
        server,
        {
            "lease-eth0": "10.8.0.11/24  both ",
            "lease-eth1": f"{address}/32 10.9.0.1 both ",
            "reach 10.8.0.10": "yes",
            "reach 10.8.0.20": "no",
        },
    )

    # a floating IP is one more interface of the guest
    rule = allow(tenant, protocol="icmp")
    (port,) = tenant.call_network("GET", f"/ports?device_id={peer}")["ports"]
    asked = {"floatingip": {"floating_network_id": shared_network(tenant), "port_id": port["id"]}}
    floating = tenant.call_network("POST", "/floatingips", asked)["floatingip"]
    own = floating["floating_ip_address"]
    process.wait_until(
        lambda: view(tenant, peer).get("lease-eth1", "").startswith(f"{own}/"),
        what="the floating IP has come to the guest",
        timeout=BOOT_PATIENCE,
        every=1,
    )
    views["peer, with a floating IP"] = view(tenant, peer)
    for each in (own, address):
        seconds_until(lambda each=each: _answers(cloud, each), what=f"the node reaches {each}")  # type: ignore[misc]
    tenant.call_network("PUT", f"/floatingips/{floating['id']}", {"floatingip": {"port_id": None}})
    seconds_until(lambda: not _answers(cloud, own), what="the floating IP is gone from the guest")
    _wait_down(tenant, floating["id"])
    tenant.call_network("DELETE", f"/floatingips/{floating['id']}")
    tenant.call_network("DELETE", f"/security-group-rules/{rule}")

    with capsys.disabled():
        _show(views)
    for session, each in ((tenant, server), (tenant, peer), (stranger, neighbour)):
        session.call("DELETE", f"/servers/{each}")
        session.wait(each, "GONE")
    for network in (filtered, theirs, routed):
        stranger.call_network("DELETE", f"/networks/{network}")


def _prepare(cloud: lab_cloud.LabCloud) -> None:
    """Give the node a bridge for many networks, and have it forward what routed guests send."""
    script = "ip link add br-filter type bridge && ip link set br-filter up && sysctl -q -w net.ipv4.ip_forward=1"
    cloud.cluster.run(["sh", "-c", f"{script} net.ipv6.conf.all.forwarding=1"])
    command = [sys.executable, "-m", "manage", "--config", str(cloud.config), "pool", "add"]
    subprocess.run([*command, "--mac-filtered", "br-filter", "--prefixes", "aa:01:00-aa:01:03"], check=True, timeout=60)


def _network_of_kind(
    admin: Session, name: str, kind: str, cidr: str, *, link: str | None = None, project_id: str | None = None
) -> str:
    """A network of a kind that an admin chooses; what is not routed has no gateway."""
    spec = {"name": name, "provider:network_type": kind}
    spec |= {"provider:physical_network": link} if link is not None else {}
    spec |= {"project_id": project_id} if project_id is not None else {}
    network = str(admin.call_network("POST", "/networks", {"network": spec})["network"]["id"])
    subnet: dict[str, object] = {"network_id": network, "cidr": cidr, "ip_version": 4}
    if kind != "routed":
        subnet["gateway_ip"] = None
    admin.call_network("POST", "/subnets", {"subnet": subnet})
    return network


def _answers(cloud: lab_cloud.LabCloud, address: str) -> bool:
    """Whether a guest answers the node's ping."""
    ping = f"busybox ping -c 1 -W 1 {address} >/dev/null && echo yes || echo no"
    return cloud.cluster.run(["sh", "-c", ping]).stdout.strip() == "yes"


def _wait_down(session: Session, floating: str) -> None:
    def down() -> bool:
        return session.call_network("GET", f"/floatingips/{floating}")["floatingip"]["status"] == "DOWN"

    process.wait_until(down, what="the floating IP is associated with nothing", timeout=_PATIENCE, every=0.2)


def _show(views: dict[str, dict[str, str]]) -> None:
    for name, seen in views.items():
        print(f"\n{name}:")  # noqa: T201
        for key, value in seen.items():
            print(f"    {key} {value}")  # noqa: T201
