"""From the API down to the guests: two tenants with a network each of the same addresses, and one that all share."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lab import cloud as lab_cloud
from lab import network_guest, process
from tests.lab import direct_boot
from tests.lab.network_guests import BOOT_PATIENCE, own_network, start, view, wait_seen
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


def default_group(session: Session) -> str:
    (group,) = session.call_network("GET", "/security-groups?name=default")["security_groups"]
    return str(group["id"])


def allow(session: Session, group: str, **rule: object) -> str:
    wanted = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", **rule}
    made = session.call_network("POST", "/security-group-rules", {"security_group_rule": wanted})
    return str(made["security_group_rule"]["id"])


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

    web = start(tenant, "web", back, shared, fixed_ip="10.7.0.10", orders="serve 80\n")
    outside = addresses(tenant, web, "public")[4]
    tries = f"reach {outside}\nfetch {outside} 80\n"
    neighbour = start(stranger, "neighbour", theirs, shared, fixed_ip="10.7.0.20", orders=f"reach 10.7.0.10\n{tries}")
    orders = "reach 10.7.0.10\nfetch 10.7.0.10 80\nreach 10.7.0.20\npose 10.7.0.10 as 10.7.0.77\n"
    worker = start(tenant, "Worker 1", back, orders=orders)
    own = addresses(tenant, worker, "back")
    views: dict[str, dict[str, str]] = {}

    # what each was given, whom it reaches, and in whose name it can't speak
    views["web"] = wait_seen(tenant, web, {"lease-eth0": "10.7.0.10/24 10.7.0.1 web 192.0.2.53"})
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
    rule = allow(tenant, default_group(tenant), protocol="tcp", port_range_min=80, port_range_max=80)
    until_known = seconds_until(lambda: _node_knows(cloud, web, "i4:tcp:80-80:*"), what="the node has the rule")
    opened = {f"reach {outside}": "no", f"fetch {outside} 80": "yes"}
    views["neighbour, with the rule"] = wait_seen(stranger, neighbour, opened)
    tenant.call_network("DELETE", f"/security-group-rules/{rule}")
    wait_seen(stranger, neighbour, closed)

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
        for name, seen in views.items():
            print(f"{name}:")  # noqa: T201
            for key, value in seen.items():
                print(f"    {key} {value}")  # noqa: T201

    for session, each in ((tenant, web), (tenant, worker), (stranger, neighbour)):
        session.call("DELETE", f"/servers/{each}")
        session.wait(each, "GONE")


def _node_knows(cloud: lab_cloud.LabCloud, server: str, rule: str) -> bool:
    """Whether the firewall of one of a guest's taps has a rule."""
    return rule in cloud.cluster.run(["sh", "-c", f"cat $(grep -l {server} /run/syros/nics/*)"], check=False).stdout
