"""How a deployment fetches what its guest is given, and writes it where cloud-init looks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ganeti_hooks import install
from tests import conftest
from tests.integration.ganeti_hooks.serving import Api, configure

MIB = 1024 * 1024
TOKEN = "t0ken-t0ken"
DATA = {
    "instance_id": "11111111-2222-4333-8444-555555555555",
    "hostname": "web-1",
    "metadata": {"role": "front"},
    "public_keys": ["ssh-ed25519 AAAA me"],
    "password": "pa55-word",
    "user_data": "IyEvYmluL3NoCg==",
    "files": [{"path": "/etc/motd", "content": "aGk="}],
    "network": None,
}


@pytest.fixture
def node(tmp_path: Path, api: Api) -> Path:
    """A node's folder: images, the two disks, and the OS definition, which trusts the API's certificate."""
    if shutil.which("xorriso") is None or shutil.which("qemu-img") is None:
        conftest.missing("xorriso or qemu-img is not installed")
    api.document = DATA
    images = tmp_path / "images"
    images.mkdir()
    (images / "the.img").write_bytes(b"image".ljust(512, b"\0"))
    for name, mib in (("disk0", 4), ("disk1", 8)):
        (tmp_path / name).write_bytes(b"\xaa" * (mib * MIB))
    install.install_os(tmp_path / "os", images)
    configure(tmp_path, f"CA={api.ca}\n")
    return tmp_path


def run(node: Path, script: str, url: str, **changes: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "INSTANCE_NAME": "syros-1",
        "OSP_IMAGE": "the.img",
        "OSP_GUEST_URL": url,
        "OSP_GUEST_TOKEN": TOKEN,
        "DISK_COUNT": "2",
        "DISK_0_PATH": str(node / "disk0"),
        "DISK_0_SIZE": "4",
        "DISK_0_NAME": "root",
        "DISK_1_PATH": str(node / "disk1"),
        "DISK_1_SIZE": "8",
        "DISK_1_NAME": "seed",
        **changes,
    }
    program = node / "os" / "syros" / script
    return subprocess.run([program], env=env, capture_output=True, text=True, check=False, timeout=60)


def files_on(disk: Path) -> dict[str, str]:
    out = disk.with_name("extracted")
    command = ["xorriso", "-osirrox", "on", "-indev", f"stdio:{disk}", "-extract", "/", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return {path.name: path.read_text() for path in out.iterdir()}


def test_the_seed_disk_has_what_cloud_init_reads_under_its_label(node: Path, api: Api) -> None:
    done = run(node, "create", api.url)
    assert (done.returncode, done.stderr) == (0, "")
    disk = node / "disk1"
    assert disk.stat().st_size == 8 * MIB
    assert disk.read_bytes()[0x8028:0x8048].rstrip() == b"cidata"
    files = files_on(disk)
    assert set(files) == {"meta-data", "user-data", "vendor-data"}
    assert json.loads(files["meta-data"]) == {
        "instance-id": DATA["instance_id"],
        "local-hostname": "web-1",
        "public-keys": ["ssh-ed25519 AAAA me"],
        "meta": {"role": "front"},
    }
    assert files["user-data"] == "#!/bin/sh\n"
    kind, _, vendor = files["vendor-data"].partition("\n")
    assert kind == "#cloud-config"
    assert json.loads(vendor) == {
        "write_files": [{"path": "/etc/motd", "content": "aGk=", "encoding": "b64"}],
        "password": "pa55-word",
        "chpasswd": {"expire": False},
        "ssh_pwauth": False,
    }
    assert (node / "disk0").read_bytes()[:5] == b"image"


def test_the_token_goes_in_a_header_and_nothing_secret_is_printed(node: Path, api: Api) -> None:
    done = run(node, "create", api.url)
    assert api.asked == [("/guest/v1/redeem", f"Bearer {TOKEN}", {"instance": "syros-1"})]
    assert not any(secret in done.stdout + done.stderr for secret in (TOKEN, "pa55-word", "aGk="))


def test_without_a_key_the_password_opens_ssh(node: Path, api: Api) -> None:
    api.answers = [(200, {**DATA, "public_keys": []})]
    assert run(node, "create", api.url).returncode == 0
    assert '"ssh_pwauth": true' in files_on(node / "disk1")["vendor-data"]


def test_a_network_configuration_is_written_when_there_is_one(node: Path, api: Api) -> None:
    api.answers = [(200, {**DATA, "network": {"version": 2}})]
    assert run(node, "create", api.url).returncode == 0
    assert json.loads(files_on(node / "disk1")["network-config"]) == {"version": 2}


def test_a_refused_token_fails_the_deployment_with_the_reason(node: Path, api: Api) -> None:
    api.answers = [(410, {"computeFault": {"code": 410, "message": "the token has been redeemed"}})]
    done = run(node, "create", api.url)
    assert done.returncode == 1
    assert done.stderr == "syros: the guest's data was refused: 410 the token has been redeemed\n"
    assert len(api.asked) == 1
    assert (node / "disk0").read_bytes()[:5] != b"image"


def test_an_api_that_is_not_ready_is_asked_again(node: Path, api: Api) -> None:
    api.answers = [(503, {"computeFault": {"message": "later"}})]
    assert run(node, "create", api.url).returncode == 0
    assert len(api.asked) == 2


def test_the_token_is_not_taken_elsewhere(node: Path, api: Api) -> None:
    api.answers = [(302, {})]
    done = run(node, "create", api.url)
    assert done.returncode == 1
    assert [path for path, _, _ in api.asked] == ["/guest/v1/redeem"]


def test_an_api_that_the_node_has_no_reason_to_trust_is_told_nothing(node: Path, api: Api) -> None:
    (node / "os.conf").write_text("")
    done = run(node, "create", api.url)
    assert done.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert api.asked == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"OSP_GUEST_URL": "http://127.0.0.1:1"}, "is not https://"),
        ({"OSP_GUEST_URL": "file:///etc/passwd"}, "is not https://"),
        ({"OSP_GUEST_URL": ""}, "is not https://"),
        ({"OSP_GUEST_TOKEN": "a b"}, "is no token"),
    ],
)
def test_what_can_not_work_is_refused_before_anything_exists(
    node: Path, api: Api, changes: dict[str, str], reason: str
) -> None:
    done = run(node, "verify", api.url, **changes)
    assert done.returncode == 1
    assert reason in done.stderr


def test_a_node_without_xorriso_says_so_before_anything_exists(node: Path, api: Api, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").symlink_to("/usr/bin/python3")
    done = run(node, "verify", api.url, PATH=str(tools))
    assert done.returncode == 1
    assert "xorriso is not installed" in done.stderr


def test_an_instance_without_a_disk_for_it_is_refused(node: Path, api: Api) -> None:
    done = run(node, "create", api.url, DISK_COUNT="1")
    assert done.returncode == 1
    assert "no disk named seed" in done.stderr


def test_without_a_token_nobody_is_asked_and_the_seed_stays(node: Path, api: Api) -> None:
    assert run(node, "create", api.url, OSP_GUEST_TOKEN="").returncode == 0
    assert api.asked == []
    assert (node / "disk1").read_bytes()[:4] == b"\xaa" * 4


def slow_qemu_img(node: Path, *printed: str) -> Path:
    """A folder for PATH with a qemu-img that says of its own accord how far it is, and more slowly."""
    tools = node / "bin"
    tools.mkdir()
    lines = "".join(f"printf '    ({percent}/100%%)\\r'; sleep 0.1; " for percent in printed)
    (tools / "qemu-img").write_text(f'#!/bin/sh\n{lines}\nPATH={os.environ["PATH"]} exec qemu-img "$@"\n')
    (tools / "qemu-img").chmod(0o755)
    program = node / "os" / "syros" / "create"
    program.write_text(program.read_text().replace("_REPORT_PAUSE = 2.0", "_REPORT_PAUSE = 0.01"))
    return tools


def test_the_deployment_reports_how_much_of_the_image_is_written(node: Path, api: Api) -> None:
    tools = slow_qemu_img(node, "0.00", "33.37", "34.99", "71.20")
    done = run(node, "create", api.url, PATH=f"{tools}:{os.environ['PATH']}")
    assert (done.returncode, done.stderr) == (0, "")
    bearer = f"Bearer {TOKEN}"
    assert api.asked[1:3] == [
        ("/guest/v1/progress", bearer, {"instance": "syros-1", "percent": percent}) for percent in (33, 71)
    ]
    assert (node / "disk0").read_bytes()[:5] == b"image"


@pytest.mark.parametrize("status", [404, 410])
def test_a_report_that_is_refused_is_the_last_and_fails_nothing(node: Path, api: Api, status: int) -> None:
    api.answers = [(200, DATA), (status, {}), (204, {})]
    tools = slow_qemu_img(node, "0.00", "33.37", "71.20")
    done = run(node, "create", api.url, PATH=f"{tools}:{os.environ['PATH']}")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path for path, _, _ in api.asked] == ["/guest/v1/redeem", "/guest/v1/progress"]
