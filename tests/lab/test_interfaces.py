"""Interfaces given to a guest that runs, and taken from it: what the API says is what Ganeti has, and what QEMU has."""

from __future__ import annotations

import urllib.error

import pytest

from lab import cloud as lab_cloud
from lab import linux_guest, process
from tests.lab import direct_boot
from tests.lab.test_cloud import Session


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    """A tenant whose guests boot Linux, which lets go of a NIC when it is asked to."""
    direct_boot.use(cloud, linux_guest.write_initrd)
    return Session(cloud, cloud.demo)


def test_a_running_guest_is_given_an_interface_and_loses_it_again(cloud: lab_cloud.LabCloud, tenant: Session) -> None:
    network = tenant.call_network("POST", "/networks", {"network": {"name": "back"}})["network"]["id"]
    subnet = {"network_id": network, "cidr": "10.7.0.0/24", "ip_version": 4}
    tenant.call_network("POST", "/subnets", {"subnet": subnet})
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.small")
    image = tenant.call("GET", "/images")["images"][0]["id"]
    spec = {"name": "growing", "flavorRef": flavor, "imageRef": image}
    server = str(tenant.call("POST", "/servers", {"server": spec})["server"]["id"])
    tenant.wait(server, "ACTIVE")
    process.wait_until(lambda: _has_booted(cloud, server), what="the guest has booted", timeout=120, every=1)
    before = _macs_of_ganeti(cloud, server)
    assert len(before) == 1

    asked = {"interfaceAttachment": {"net_id": network}}
    made = tenant.call("POST", f"/servers/{server}/os-interface", asked)["interfaceAttachment"]
    mac, address = made["mac_addr"], made["fixed_ips"][0]["ip_address"]
    path = f"/servers/{server}/os-interface/{made['port_id']}"
    process.wait_until(
        lambda: tenant.call("GET", path)["interfaceAttachment"]["port_state"] == "ACTIVE",
        what="the interface is attached",
        timeout=60,
        every=0.5,
    )
    (shown,) = tenant.call("GET", f"/servers/{server}")["server"]["addresses"]["back"]
    assert (shown["addr"], shown["OS-EXT-IPS-MAC:mac_addr"]) == (address, mac)
    assert _macs_of_ganeti(cloud, server) == [*before, mac]
    assert mac in _network_of_qemu(cloud, server)
    # the node was told what to tell the guest
    bound = cloud.cluster.run(["sh", "-c", f"cat $(grep -l {mac} /var/lib/nfdhcpd/*)"]).stdout
    assert f'"address": "{address}"' in bound

    _wait_at_rest(tenant, server)
    tenant.call("DELETE", path)
    process.wait_until(lambda: _is_gone(tenant, path), what="the interface is detached", timeout=60, every=0.5)
    assert list(tenant.call("GET", f"/servers/{server}")["server"]["addresses"]) == ["public"]
    assert _macs_of_ganeti(cloud, server) == before
    assert mac not in _network_of_qemu(cloud, server)
    _wait_at_rest(tenant, server)
    assert made["port_id"] not in _listed(cloud, server, "tags")

    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")
    tenant.call_network("DELETE", f"/networks/{network}")


def _listed(cloud: lab_cloud.LabCloud, server: str, field: str) -> str:
    command = ["gnt-instance", "list", "--no-headers", "-o", field, f"syros-{server}"]
    return str(cloud.cluster.run(command).stdout.strip())


def _macs_of_ganeti(cloud: lab_cloud.LabCloud, server: str) -> list[str]:
    return _listed(cloud, server, "nic.macs").split(",")


def _network_of_qemu(cloud: lab_cloud.LabCloud, server: str) -> str:
    """What the guest's own QEMU says of its network devices."""
    monitor = f"/var/run/ganeti/kvm-hypervisor/ctrl/syros-{server}.monitor"
    said = cloud.cluster.run(["sh", "-c", f"echo 'info network' | socat - UNIX-CONNECT:{monitor}"]).stdout
    assert "macaddr=" in said, said
    return str(said)


def _has_booted(cloud: lab_cloud.LabCloud, server: str) -> bool:
    """Whether the guest prints what its init does: then its kernel listens for NICs that go."""
    serial = f"/var/run/ganeti/kvm-hypervisor/ctrl/syros-{server}.serial"
    script = f"timeout 20 socat -u UNIX-CONNECT:{serial} - | grep -m 1 -a -o {linux_guest.BEGIN}"
    return linux_guest.BEGIN in cloud.cluster.run(["sh", "-c", script], check=False).stdout


def _wait_at_rest(tenant: Session, server: str) -> None:
    def rests() -> bool:
        return tenant.call("GET", f"/servers/{server}")["server"]["OS-EXT-STS:task_state"] is None

    process.wait_until(rests, what="nothing is under way", timeout=60, every=0.5)


def _is_gone(tenant: Session, path: str) -> bool:
    try:
        tenant.call("GET", path)
    except urllib.error.HTTPError as err:
        with err:
            assert err.code == 404
        return True
    return False
