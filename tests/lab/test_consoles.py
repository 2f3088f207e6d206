"""What a guest prints on its serial console is read by its owner, and nobody's console is lost by it."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator

import pytest

from lab import cloud as lab_cloud
from lab import guest, process
from tests.conftest import missing
from tests.lab.test_cloud import Session

CTRL = "/var/run/ganeti/kvm-hypervisor/ctrl"
GREETING = guest.GREETING


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    return Session(cloud, cloud.demo)


@pytest.fixture
def server(tenant: Session) -> Iterator[str]:
    made = tenant.create("talker")
    tenant.wait(made, "ACTIVE")
    yield made
    tenant.call("DELETE", f"/servers/{made}")
    tenant.wait(made, "GONE")


def output(tenant: Session, server: str, length: int | None = None) -> str:
    """What the API tells; while a node does not answer, nothing."""
    body = {"os-getConsoleOutput": {"length": length}}
    try:
        return str(tenant.call("POST", f"/servers/{server}/action", body)["output"])
    except urllib.error.HTTPError as err:
        with err:
            assert err.code == 503
        return ""


def wait_greeted(tenant: Session, server: str, times: int = 1) -> None:
    def greeted() -> bool:
        tenant.cloud.programs.restart_ended()
        return output(tenant, server).count(GREETING) >= times

    process.wait_until(greeted, what=f"{times} greetings are kept", timeout=60, every=0.2)


def sockets(cloud: lab_cloud.LabCloud, server: str, node: int = 1) -> list[str]:
    listed = cloud.cluster.run(["ls", CTRL], node).stdout.split()
    return [name.removeprefix(f"syros-{server}") for name in sorted(listed) if server in name and ".serial" in name]


def test_the_owner_reads_what_the_guest_prints_and_operators_have_the_console_meanwhile(
    cloud: lab_cloud.LabCloud, tenant: Session, server: str
) -> None:
    wait_greeted(tenant, server)
    assert output(tenant, server, 2).count(GREETING) == 1
    command = cloud.cluster.run(["gnt-instance", "console", "--show-cmd", f"syros-{server}"]).stdout
    assert f"{CTRL}/syros-{server}.serial" in command
    script = f"timeout 20 socat -u UNIX-CONNECT:{CTRL}/syros-{server}.serial - | grep -m 1 -a {GREETING}"
    assert GREETING in cloud.cluster.run(["sh", "-c", script]).stdout
    wait_greeted(tenant, server, output(tenant, server).count(GREETING) + 1)


def test_the_log_outlives_its_keeper(cloud: lab_cloud.LabCloud, tenant: Session, server: str) -> None:
    wait_greeted(tenant, server, 2)
    before = output(tenant, server)
    cloud.programs.kill("seriald-node1")
    assert output(tenant, server) == ""
    wait_greeted(tenant, server, before.count(GREETING) + 2)
    assert output(tenant, server).startswith(before)
    assert sockets(cloud, server) == [".serial", ".serial.qemu"]


def test_stops_starts_and_reboots_go_on_as_before(cloud: lab_cloud.LabCloud, tenant: Session, server: str) -> None:
    wait_greeted(tenant, server)
    tenant.call("POST", f"/servers/{server}/action", {"os-stop": None})
    tenant.wait(server, "SHUTOFF")
    process.wait_until(lambda: sockets(cloud, server) == [], what="the sockets are gone", timeout=10)
    stopped = output(tenant, server)
    assert GREETING in stopped
    for action in ({"os-start": None}, {"reboot": {"type": "HARD"}}, {"reboot": {"type": "SOFT"}}):
        before = output(tenant, server)
        tenant.call("POST", f"/servers/{server}/action", action)
        tenant.wait(server, "ACTIVE")
        wait_greeted(tenant, server, before.count(GREETING) + 1)
        assert output(tenant, server).startswith(before)
        assert sockets(cloud, server) == [".serial", ".serial.qemu"]


def test_nothing_is_left_of_a_console_when_its_server_is_gone(cloud: lab_cloud.LabCloud, tenant: Session) -> None:
    made = tenant.create("short")
    tenant.wait(made, "ACTIVE")
    wait_greeted(tenant, made)
    tenant.call("DELETE", f"/servers/{made}")
    tenant.wait(made, "GONE")
    process.wait_until(lambda: sockets(cloud, made) == [], what="its sockets are gone", timeout=10)


def test_a_guest_that_moves_is_heard_where_it_is() -> None:
    if reason := lab_cloud.unavailable():
        missing(reason)
    lab = lab_cloud.LabCloud(nodes=3)
    lab.start()
    try:
        tenant, admin = Session(lab, lab.demo), Session(lab, lab.admin)
        made = tenant.create("traveller")
        tenant.wait(made, "ACTIVE")
        wait_greeted(tenant, made)
        before = _host(admin, made)
        body = {"os-migrateLive": {"host": None, "block_migration": False, "disk_over_commit": False}}
        admin.call("POST", f"/servers/{made}/action", body)
        process.wait_until(lambda: _host(admin, made) != before, what="it has moved", timeout=120, every=0.2)
        tenant.wait(made, "ACTIVE")
        wait_greeted(tenant, made)
        after = _host(admin, made)
        wanted = {name: [".serial", ".serial.qemu"] if name == after else [] for name in lab.cluster.nodes}

        def settled() -> bool:
            numbered = enumerate(lab.cluster.nodes, start=1)
            return {name: sockets(lab, made, number) for number, name in numbered} == wanted

        process.wait_until(settled, what="the console is on its new node alone", timeout=10)
    finally:
        lab.stop()


def _host(admin: Session, server: str) -> str:
    return str(admin.call("GET", f"/servers/{server}")["server"]["OS-EXT-SRV-ATTR:host"])
