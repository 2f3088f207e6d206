"""An image is made of a stopped server's disk on a real Ganeti, and what boots from it is what was on that disk."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from lab import cloud as lab_cloud
from lab import ganeti, guest, process
from tests.lab.test_cloud import PATIENCE, Session
from tests.lab.test_ganeti_bed import console_of

GREETING = "WRITTEN-AFTER-THE-CREATE"


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    return Session(cloud, cloud.demo)


def test_a_server_boots_from_the_image_of_another_with_what_that_one_had_written(
    cloud: lab_cloud.LabCloud, tenant: Session
) -> None:
    server = tenant.create("first")
    tenant.wait(server, "ACTIVE")
    assert guest.GREETING in console_of(cloud.cluster, f"syros-{server}")
    tenant.call("POST", f"/servers/{server}/action", {"os-stop": None})
    tenant.wait(server, "SHUTOFF")
    _write_onto_disk(cloud, f"syros-{server}")

    tenant.call("POST", f"/servers/{server}/action", {"createImage": {"name": "made", "metadata": {"a": "b"}}})
    (image,) = tenant.call("GET", f"/images/detail?server={server}&type=snapshot")["images"]
    assert (image["status"], image["server"]["id"], image["metadata"]["a"]) == ("SAVING", server, "b")
    _wait_for_image(tenant, image["id"])
    process.wait_until(lambda: _task(tenant, server) is None, what="the server is at rest", timeout=PATIENCE)
    assert tenant.status(server) == "SHUTOFF"

    other = _create_from(tenant, image["id"])
    tenant.wait(other, "ACTIVE")
    assert GREETING in console_of(cloud.cluster, f"syros-{other}", greeting=GREETING)
    _assert_no_copy_in_ganeti(cloud, f"syros-{server}")
    _assert_spent(cloud, image["id"])
    for each in (server, other):
        tenant.call("DELETE", f"/servers/{each}")
        tenant.wait(each, "GONE")


def test_an_export_that_the_node_has_no_room_for_ends_the_image_and_leaves_the_server_alone(
    cloud: lab_cloud.LabCloud, tenant: Session
) -> None:
    server = tenant.create("unlucky")
    tenant.wait(server, "ACTIVE")
    tenant.call("POST", f"/servers/{server}/action", {"os-stop": None})
    tenant.wait(server, "SHUTOFF")
    script = f"echo SCRATCH=/nowhere >> {lab_cloud.OS_CONFIG}"
    cloud.cluster.run(["sh", "-c", script])

    tenant.call("POST", f"/servers/{server}/action", {"createImage": {"name": "none"}})
    (image,) = tenant.call("GET", f"/images?server={server}")["images"]
    process.wait_until(
        lambda: tenant.call("GET", f"/images/{image['id']}")["image"]["status"] == "ERROR",
        what="the image fails",
        timeout=PATIENCE,
    )
    process.wait_until(lambda: _task(tenant, server) is None, what="the server is at rest", timeout=PATIENCE)
    cloud.cluster.run(["sed", "-i", "/^SCRATCH/d", lab_cloud.OS_CONFIG])
    tenant.call("POST", f"/servers/{server}/action", {"os-start": None})
    tenant.wait(server, "ACTIVE")
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


def _write_onto_disk(cloud: lab_cloud.LabCloud, name: str) -> None:
    sector = cloud.cluster.images / "sector"
    sector.write_bytes(guest.boot_sector(GREETING))
    script = f"dd if={ganeti.IMAGES}/sector of=$(ls {ganeti.SHARED_STORAGE}/{name}/*.disk0) conv=notrunc"
    cloud.cluster.run(["sh", "-c", script])


def _wait_for_image(tenant: Session, image: str) -> None:
    def active() -> bool:
        shown = tenant.call("GET", f"/images/{image}")["image"]
        assert shown["status"] in ("SAVING", "ACTIVE"), shown
        return bool(shown["status"] == "ACTIVE")

    process.wait_until(active, what="the image is active", timeout=PATIENCE, every=0.2)


def _task(tenant: Session, server: str) -> Any:  # Any: JSON
    return tenant.call("GET", f"/servers/{server}")["server"]["OS-EXT-STS:task_state"]


def _create_from(tenant: Session, image: str) -> str:
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.tiny")
    spec = {"name": "second", "flavorRef": flavor, "imageRef": image}
    return str(tenant.call("POST", "/servers", {"server": spec})["server"]["id"])


def _assert_no_copy_in_ganeti(cloud: lab_cloud.LabCloud, name: str) -> None:
    """Nothing of a disk's size is in the folder of exports, and what is there goes as an operator would make it go."""
    found = cloud.cluster.run(["find", "/var/lib/ganeti/export", "-type", "f", "-size", "+8k"]).stdout
    assert found == ""
    cloud.cluster.run(["gnt-backup", "remove", name])
    assert cloud.cluster.run(["ls", "/var/lib/ganeti/export"]).stdout == ""


def _assert_spent(cloud: lab_cloud.LabCloud, image: str) -> None:
    """The token stands in Ganeti's job files for all masters to read: it has to be worth nothing now."""
    text = cloud.cluster.run(["sh", "-c", "cat /var/lib/ganeti/queue/job-*"]).stdout
    token = text.partition('"image_token":')[2].lstrip().split('"')[1]
    assert token
    assert token not in cloud.cluster.run(["cat", "/var/lib/ganeti/config.data"]).stdout
    request = urllib.request.Request(
        f"{cloud.api_url}/guest/v1/images/{image}?disk_format=raw",
        data=json.dumps({}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"},
        method="PUT",
    )
    opener: Any = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(request, timeout=10)
    refused.value.close()
    assert refused.value.code == 401
