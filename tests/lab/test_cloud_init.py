"""A whole Debian, uploaded by its tenant, comes up as cloud-init made it of what the create asked for."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from lab import cloud as lab_cloud
from lab import cloud_guest, process
from tests.conftest import missing
from tests.lab import direct_boot
from tests.lab.test_cloud import PATIENCE, Session
from tests.lab.test_consoles import output

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJo9WZzqzUEPSSAzlZJQ2mVzmMxVVbBYqVgmxzUUCuUn lab"
PASSWORD = "password-4f7d20aa"
FILE = "content-77e1b09c"
#: what the guest tells on its console, once all of cloud-init's stages are through with it
BEGIN, END = "GUEST-TELLS", "GUEST-TOLD"
#: seconds that Debian takes to boot without any help of the processor's
BOOT_PATIENCE = 400.0

# What it says is said in one go, so that nothing of the kernel's comes between.
_TELL = f"""#!/bin/sh
told=$(
    echo "name $(hostname)"
    echo "key $(cat /home/debian/.ssh/authorized_keys)"
    echo "file $(cat /etc/motd)"
    echo "meta $(cloud-init query ds.meta_data.meta.role)"
    sleep 1
    echo "address $(ip -o -4 address show scope global | awk '{{print $4}}')"
    echo "route $(ip -4 route show default | awk '{{print $3}}')"
    python3 -W ignore -c "
import crypt, spwd
kept = spwd.getspnam('debian').sp_pwdp
print('password', crypt.crypt('{PASSWORD}', kept) == kept)"
    # what cloud-init's own code reads of the metadata service
    python3 -W ignore -c "
import os
from cloudinit.sources.helpers import ec2, openstack
url, links = 'http://169.254.169.254', '/sys/class/net/'
found = openstack.MetadataReader(url).read_v2()
macs = dict((open(links + name + '/address').read().strip(), name) for name in os.listdir(links))
network = openstack.convert_net_json(found['networkdata'], known_macs=macs)
print('openstack', found['metadata']['uuid'], found['metadata']['meta']['role'], len(found['userdata']))
print('network', network['config'][0]['subnets'][0]['address'])
print('ec2', ec2.get_instance_metadata('latest', url)['instance-id'])" 2>&1
)
printf '%s\\n%s\\n%s\\n' {BEGIN} "$told" {END} > /dev/ttyS0
"""


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    if reason := cloud_guest.unavailable():
        missing(reason)
    direct_boot.use(cloud, cloud_guest.write_initrd)
    return Session(cloud, cloud.demo)


def test_a_debian_that_its_tenant_uploaded_is_what_the_create_asked_for(
    cloud: lab_cloud.LabCloud, tenant: Session, tmp_path: Path
) -> None:
    image = _upload(tenant, _disk(tmp_path))
    tenant.call("POST", "/os-keypairs", {"keypair": {"name": "mine", "public_key": KEY}})
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.medium")
    spec = {
        "name": "Web 1",
        "flavorRef": flavor,
        "imageRef": image,
        "key_name": "mine",
        "adminPass": PASSWORD,
        "metadata": {"role": "front"},
        "user_data": base64.b64encode(_TELL.encode()).decode(),
        "personality": [{"path": "/etc/motd", "contents": base64.b64encode(FILE.encode()).decode()}],
    }
    server = str(tenant.call("POST", "/servers", {"server": spec})["server"]["id"])
    tenant.wait(server, "ACTIVE")

    told = _told(tenant, server)
    (address,) = tenant.call("GET", f"/servers/{server}")["server"]["addresses"]["public"]
    assert told == {
        "name": "web-1",
        "key": KEY,
        "file": FILE,
        "meta": "front",
        "address": f"{address['addr']}/24",
        "route": cloud.cluster.network.address(1),
        "password": "True",
        "openstack": f"{server} front {len(_TELL)}",
        "network": address["addr"],
        "ec2": server,
    }
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


def _disk(folder: Path) -> Path:
    raw, packed = folder / "debian.img", folder / "debian.qcow2"
    cloud_guest.write_image(raw)
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(packed)]
    subprocess.run(convert, check=True, capture_output=True, timeout=300)
    return packed


def _upload(tenant: Session, disk: Path) -> str:
    images = f"{tenant.cloud.api_url}/image/v2/images"
    new = {
        "name": "debian",
        "container_format": "bare",
        "disk_format": "qcow2",
        "min_disk": cloud_guest.DISK,
        "min_ram": cloud_guest.MEMORY,
    }
    image = str(_send(tenant, "POST", images, json.dumps(new).encode(), "application/json")["id"])
    _send(tenant, "PUT", f"{images}/{image}/file", disk.read_bytes(), "application/octet-stream")

    def active() -> bool:
        tenant.cloud.programs.restart_ended()
        found = _send(tenant, "GET", f"{images}/{image}", None, "application/json")
        assert found["status"] in ("active", "importing", "saving"), found
        return bool(found["status"] == "active")

    process.wait_until(active, what="the image is active", timeout=PATIENCE, every=0.5)
    return image


def _send(tenant: Session, method: str, url: str, data: bytes | None, kind: str) -> dict[str, object]:
    headers = {"X-Auth-Token": tenant.token, "Content-Type": kind}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, method=method, data=data, headers=headers), timeout=300) as answer:
        text = answer.read()
    return dict(json.loads(text)) if text else {}


def _told(tenant: Session, server: str) -> dict[str, str]:
    """What the guest says of itself, by its first word."""
    seen = ""

    def over() -> bool:
        nonlocal seen
        tenant.cloud.programs.restart_ended()
        seen = output(tenant, server)
        return f"\n{END}" in seen.replace("\r", "")

    try:
        process.wait_until(over, what="the guest has told what it is", timeout=BOOT_PATIENCE, every=2)
    except process.LabError as err:
        err.add_note(seen[-4000:])
        raise
    lines = seen.replace("\r", "").partition(f"{BEGIN}\n")[2].partition(f"\n{END}")[0].splitlines()
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}
