"""A rescued server boots from the operator's CD, and afterwards from its own disk: read from its serial console."""

from __future__ import annotations

import pytest

from lab import cloud as lab_cloud
from lab import guest
from tests.lab.test_cloud import Session


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    return Session(cloud, cloud.demo)


def test_a_rescued_server_boots_from_the_cd_and_then_from_its_disk_again(
    cloud: lab_cloud.LabCloud, tenant: Session
) -> None:
    server = tenant.create("patient")
    tenant.wait(server, "ACTIVE")
    assert _greets(cloud, server, guest.GREETING)

    assert tenant.call("POST", f"/servers/{server}/action", {"rescue": {"adminPass": "given"}}) == {
        "adminPass": "given"
    }
    tenant.wait(server, "RESCUE")
    assert _greets(cloud, server, guest.RESCUE_GREETING)

    # an operator's restart is no end of it
    cloud.cluster.run(["gnt-instance", "reboot", "--type=hard", "--shutdown-timeout=0", f"syros-{server}"])
    assert _greets(cloud, server, guest.RESCUE_GREETING)
    assert tenant.status(server) == "RESCUE"

    tenant.call("POST", f"/servers/{server}/action", {"unrescue": None})
    tenant.wait(server, "ACTIVE")
    assert _greets(cloud, server, guest.GREETING)
    own = cloud.cluster.run(["gnt-instance", "list", "--no-headers", "-o", "custom_hvparams", f"syros-{server}"]).stdout
    assert "cdrom" not in own
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


def _greets(cloud: lab_cloud.LabCloud, server: str, greeting: str) -> bool:
    """Whether this is what the guest's first whole line on its serial console says, within seconds."""
    serial = f"/var/run/ganeti/kvm-hypervisor/ctrl/syros-{server}.serial"
    script = f"timeout 20 socat -u UNIX-CONNECT:{serial} - | grep -m 1 -a -o 'SYROS-[A-Z]*-READY'"
    said = cloud.cluster.run(["sh", "-c", script], check=False).stdout.strip()
    assert said in (guest.GREETING, guest.RESCUE_GREETING), said
    return said == greeting
