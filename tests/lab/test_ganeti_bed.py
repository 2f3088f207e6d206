"""The test bed itself: real Ganeti clusters, real QEMU guests, and nothing left of them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import ganeti as bed
from lab import guest, link, process, scratch
from lab import postgres as postgres_server
from tests.conftest import missing

QUICK = {"name_check": False, "ip_check": False, "conflicts_check": False}


def create(cluster: bed.Cluster, name: str, **body: Any) -> dict[str, Any]:
    """Create an instance through RAPI, wait, and give it as RAPI does."""
    defaults = {"__version__": 1, "mode": "create", "instance_name": name, "nics": [], "os_type": "plain+default"}
    small = {"beparams": {"maxmem": 16, "minmem": 16, "vcpus": 1}, "iallocator": "hail", "start": True}
    job = cluster.rapi("POST", "/2/instances", {**defaults, **small, **QUICK, **body})
    cluster.wait_job(job)
    instance: dict[str, Any] = cluster.rapi("GET", f"/2/instances/{name}")
    return instance


def create_guest(cluster: bed.Cluster, name: str, *, disk_template: str) -> dict[str, Any]:
    """Create a KVM guest that boots the smallest image, with a NIC on the lab's bridge."""
    guest.write_image(cluster.images / "smallest.img")
    return create(
        cluster,
        name,
        hypervisor="kvm",
        disk_template=disk_template,
        disks=[{"size": 4}],
        nics=[{}],
        osparams={"image": f"{bed.IMAGES}/smallest.img"},
    )


def remove(cluster: bed.Cluster, name: str) -> None:
    cluster.run(["gnt-instance", "remove", "-f", "--shutdown-timeout=0", name])


def console_of(cluster: bed.Cluster, name: str, *, node: int = 1, greeting: str = guest.GREETING) -> str:
    """What the guest says on its serial console within a few of its own seconds."""
    serial = f"/var/run/ganeti/kvm-hypervisor/ctrl/{name}.serial"
    script = f"timeout 20 socat -u UNIX-CONNECT:{serial} - | grep -m 1 -a {greeting}"
    return cluster.run(["sh", "-c", script], node=node, check=False).stdout


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[bed.Cluster]:
    if reason := bed.unavailable():
        missing(reason)
    cluster = bed.Cluster(scratch.folder("ganeti3"), nodes=3, version=os.environ.get("LAB_GANETI", ""))
    cluster.start()
    yield cluster
    cluster.stop()


def test_a_fake_instance_is_created_through_rapi_and_runs(ganeti: bed.Cluster) -> None:
    instance = create(ganeti, "fake-1", hypervisor="fake", disk_template="diskless", disks=[])
    try:
        assert instance["status"] == "running"
        assert instance["pnode"] == "node1.lab.test"
    finally:
        remove(ganeti, "fake-1")


def test_a_kvm_guest_boots_greets_and_obeys_the_power_button(ganeti: bed.Cluster) -> None:
    create_guest(ganeti, "kvm-1", disk_template="file")
    try:
        assert guest.GREETING in console_of(ganeti, "kvm-1")
        began = time.monotonic()
        ganeti.wait_job(ganeti.rapi("PUT", "/2/instances/kvm-1/shutdown", {"timeout": 60}))
        assert time.monotonic() - began < 60, "it was killed, not stopped"
        assert ganeti.rapi("GET", "/2/instances/kvm-1")["status"] == "ADMIN_down"
    finally:
        remove(ganeti, "kvm-1")


def test_a_program_in_a_node_sees_the_checkout_and_reaches_an_exposed_server(
    ganeti: bed.Cluster, rabbitmq: Any
) -> None:
    address, port = ganeti.expose(rabbitmq.port).split(":")
    script = (
        "import socket, common; s = socket.create_connection(('%s', %s)); s.sendall(b'AMQP\\0\\0\\x09\\1');"
        "print(s.recv(8)[:1] == b'\\x01')"
    )
    python = str(Path(__file__).parents[2] / ".venv/bin/python")
    done = ganeti.run([python, "-c", script % (address, port)])
    assert done.stdout == "True\n"


def test_a_killed_program_of_a_node_is_gone_at_once(ganeti: bed.Cluster) -> None:
    program = ganeti.popen(["sleep", "1000.25"])
    program.kill()
    program.wait(10)
    assert ganeti.run(["pgrep", "-f", "sleep 1000.25"], check=False).stdout == ""


def test_a_running_guest_migrates_live_to_another_node(three_nodes: bed.Cluster) -> None:
    source = create_guest(three_nodes, "kvm-2", disk_template="sharedfile")["pnode"]
    target = next(name for name in three_nodes.nodes if name != source)
    body = {"mode": "live", "target_node": target, "allow_failover": False}
    three_nodes.wait_job(three_nodes.rapi("PUT", "/2/instances/kvm-2/migrate", body))

    instance = three_nodes.rapi("GET", "/2/instances/kvm-2")
    assert (instance["pnode"], instance["status"]) == (target, "running")
    assert guest.GREETING in console_of(three_nodes, "kvm-2", node=three_nodes.nodes.index(target) + 1)
    remove(three_nodes, "kvm-2")


def test_a_killed_node_comes_back_with_its_disk(three_nodes: bed.Cluster) -> None:
    three_nodes.run(["touch", "/var/lib/left-here"], node=3)
    three_nodes.kill_node(3)
    three_nodes.boot_node(3)
    three_nodes.run(["test", "-e", "/var/lib/left-here"], node=3)
    process.wait_until(
        lambda: "node3" in three_nodes.run(["gnt-node", "list", "--no-headers", "-o", "name,mfree"]).stdout,
        what="node3 does not answer",
        timeout=60,
    )


KILLED_OWNER = """
import os, signal, sys
from pathlib import Path
from lab import ganeti, link, node, postgres, scratch
network = link.claim()
folder = scratch.folder("killed")
node.Node(node.Plan(hostname="n.lab.test", host=11, disk=folder / "n"), network).boot()
server = postgres.Postgres(folder / "postgres", durable=False)
server.start()
print(network.number, folder, server.port, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_leaves_nothing_after_the_next_one_starts() -> None:
    if reason := bed.unavailable() or postgres_server.unavailable():
        missing(reason)
    owner = subprocess.run([sys.executable, "-c", KILLED_OWNER], capture_output=True, text=True, check=False)
    assert owner.returncode == -signal.SIGKILL, owner.stderr
    number, folder, port = owner.stdout.split()

    process.wait_until(
        lambda: subprocess.run(["pgrep", "-f", folder], capture_output=True, check=False).returncode != 0,
        what="its servers end with it",
        timeout=30,
    )
    link.sweep()
    scratch.sweep(Path(folder).parent)

    assert not Path(folder).exists()
    for listing in (["ip", "netns"], ["ip", "-o", "link"]):
        assert f"{link.PREFIX}{number} " not in process.run(listing)
        assert f"{link.PREFIX}{number}@" not in process.run(listing)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(port)), timeout=5)
