"""How much of an image is written shows in the server while a real Ganeti deploys it."""

import os
from collections.abc import Iterator

import pytest

from lab import cloud as lab_cloud
from lab import guest, process, seed
from tests.lab.test_cloud import Session

MIB = 1024 * 1024
#: first in the PATH that Ganeti gives an OS definition; `-r` is the bytes a second that are written
THROTTLED = """#!/bin/sh
[ "$1" = convert ] && { shift; exec /usr/bin/qemu-img convert -r 10M "$@"; }
exec /usr/bin/qemu-img "$@"
"""


@pytest.fixture
def slow_image(cloud: lab_cloud.LabCloud) -> Iterator[None]:
    """An image that takes some seconds to write."""
    cloud.cluster.run(["sh", "-c", "cat > /usr/sbin/qemu-img && chmod 755 /usr/sbin/qemu-img"], stdin=THROTTLED)
    image = cloud.cluster.images / seed.IMAGE_FILE
    image.write_bytes(guest.boot_sector() + os.urandom(64 * MIB))
    yield
    guest.write_image(image)
    cloud.cluster.run(["rm", "/usr/sbin/qemu-img"])


@pytest.mark.usefixtures("slow_image")
def test_a_create_and_a_rebuild_show_how_far_they_are(cloud: lab_cloud.LabCloud) -> None:
    tenant = Session(cloud, cloud.demo)
    server = tenant.create("slow")
    _assert_progress_in_between(tenant, server, "BUILD")
    tenant.wait(server, "ACTIVE")
    assert tenant.call("GET", f"/servers/{server}")["server"]["progress"] == 100

    image = tenant.call("GET", "/images")["images"][0]["id"]
    tenant.call("POST", f"/servers/{server}/action", {"rebuild": {"imageRef": image}})
    _assert_progress_in_between(tenant, server, "REBUILD")
    tenant.wait(server, "ACTIVE")
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


def _assert_progress_in_between(tenant: Session, server: str, status: str) -> None:
    seen = [0]

    def in_between() -> bool:
        shown = tenant.call("GET", f"/servers/{server}")["server"]
        assert shown["status"] == status, f"{shown['status']} after {seen}"
        seen.append(shown["progress"])
        return 0 < seen[-1] < 100

    process.wait_until(in_between, what=f"{status} shows a progress", timeout=60, every=0.2)
    assert seen == sorted(seen)
