"""A guest is really given what was asked for, and nobody else is: on a real Ganeti, in a Linux that QEMU boots."""

import base64
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import cloud as lab_cloud
from lab import ganeti, linux_guest, process
from tests.lab import direct_boot
from tests.lab.test_cloud import Session

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJo9WZzqzUEPSSAzlZJQ2mVzmMxVVbBYqVgmxzUUCuUn lab"
PASSWORD = "password-9b1f7c2e"
USER_DATA = "#cloud-config\n# user-data-51d0e88a\n"
FILE = b"content-c7a4410f\n"
SECRETS = (PASSWORD, "user-data-51d0e88a", "content-c7a4410f", base64.b64encode(FILE).decode())
_SEARCH = ("grep", "-rlaF", *(word for secret in SECRETS for word in ("-e", secret)))
CONSOLES = "/var/lib/syros/serial"
CHECKOUT = Path(__file__).parents[2]
#: where Ganeti and our programs on its nodes keep and say things; the guests' disks are elsewhere
NODE_FOLDERS = ("/var/lib/ganeti", "/var/log", "/var/lib/syros", "/run/ganeti", "/tmp")


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    """A tenant whose guests boot Linux from here on."""
    direct_boot.use(cloud, linux_guest.write_initrd)
    return Session(cloud, cloud.demo)


def test_a_guest_reads_its_name_key_password_user_data_and_file_and_nobody_else_does(
    cloud: lab_cloud.LabCloud, tenant: Session
) -> None:
    tenant.call("POST", "/os-keypairs", {"keypair": {"name": "mine", "public_key": KEY}})
    server = _create(tenant)
    seen_running: set[str] = set()

    def processes() -> bool:
        seen_running.update(line for line in _processes(cloud) if any(secret in line for secret in SECRETS))
        return tenant.status(server) != "BUILD"

    process.wait_until(processes, what="the server is built", timeout=60, every=0.2)
    tenant.wait(server, "ACTIVE")
    files = _printed(cloud, f"syros-{server}")

    meta = json.loads(files["meta-data"])
    assert (meta["instance-id"], meta["local-hostname"], meta["public-keys"]) == (server, "web-1.example", [KEY])
    assert meta["meta"] == {"role": "front"}
    assert files["user-data"] == USER_DATA.strip()
    kind, _, vendor = files["vendor-data"].partition("\n")
    assert kind == "#cloud-config"
    given = json.loads(vendor)
    assert given["password"] == PASSWORD
    assert [(each["path"], base64.b64decode(each["content"])) for each in given["write_files"]] == [("/etc/motd", FILE)]

    assert seen_running == set()
    assert _showing_secrets(cloud, (ganeti.SHARED_STORAGE,)) != [], "not even where they have to be"
    assert _showing_secrets(cloud, NODE_FOLDERS) + _showing_on_host(cloud) == []
    _assert_spent(cloud, f"syros-{server}")
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


def _create(tenant: Session) -> str:
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.small")
    spec = {
        "name": "Web 1.example",
        "flavorRef": flavor,
        "imageRef": tenant.call("GET", "/images")["images"][0]["id"],
        "key_name": "mine",
        "adminPass": PASSWORD,
        "metadata": {"role": "front"},
        "config_drive": True,
        "user_data": base64.b64encode(USER_DATA.encode()).decode(),
        "personality": [{"path": "/etc/motd", "contents": base64.b64encode(FILE).decode()}],
    }
    return str(tenant.call("POST", "/servers", {"server": spec})["server"]["id"])


def _printed(cloud: lab_cloud.LabCloud, name: str) -> dict[str, str]:
    """What the guest prints of its disk, by file."""
    serial = f"/var/run/ganeti/kvm-hypervisor/ctrl/{name}.serial"
    script = (
        f"timeout 60 socat -u UNIX-CONNECT:{serial} - | tr -d '\\r'"
        f" | sed -un '/^{linux_guest.BEGIN}/,/^{linux_guest.END}/{{p;/^{linux_guest.END}/q}}'"
    )
    text = cloud.cluster.run(["sh", "-c", script], check=False).stdout
    assert linux_guest.END in text, f"the guest printed: {text!r}"
    body = text.partition(linux_guest.BEGIN)[2].partition(linux_guest.END)[0]
    parts = [part.partition("\n") for part in body.split("--- ")[1:]]
    return {name: content.strip() for name, _, content in parts}


def _processes(cloud: lab_cloud.LabCloud) -> list[str]:
    return cloud.cluster.run(["ps", "-eo", "args", "-ww"]).stdout.splitlines()


def _showing_secrets(cloud: lab_cloud.LabCloud, folders: Sequence[str]) -> list[str]:
    """The files on the node that show any of it in clear.

    Not this very file, should the checkout lie there, and not what the guest itself prints.
    """
    found = cloud.cluster.run([*_SEARCH, *folders], check=False).stdout.splitlines()
    return [file for file in found if not any(Path(file).is_relative_to(each) for each in (CHECKOUT, CONSOLES))]


def _showing_on_host(cloud: lab_cloud.LabCloud) -> list[str]:
    """The files of the database, the broker and the programs that show any of it in clear."""
    folders = [str(folder) for folder in (cloud.logs, cloud.folder / "postgres", cloud.folder / "rabbitmq")]
    done = subprocess.run([*_SEARCH, *folders], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def _assert_spent(cloud: lab_cloud.LabCloud, name: str) -> None:
    """The token stands in Ganeti's files for all masters to read: it has to be worth nothing now."""
    script = "cat /var/lib/ganeti/queue/job-* /var/lib/ganeti/config.data"
    text = cloud.cluster.run(["sh", "-c", script]).stdout
    token = text.partition('"guest_token":')[2].lstrip().split('"')[1]
    request = urllib.request.Request(
        f"{cloud.api_url}/guest/v1/redeem",
        data=json.dumps({"instance": name}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="POST",
    )
    opener: Any = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(request, timeout=10)
    refused.value.close()
    assert refused.value.code == 410
    assert token not in "".join(log.read_text(errors="replace") for log in Path(cloud.logs).glob("*.log"))
