"""An export that brings a disk to the API: once, checked, and with nothing left on the node."""

from __future__ import annotations

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
CONTENT = os.urandom(MIB) + bytes(3 * MIB)


@pytest.fixture
def node(tmp_path: Path, api: Api) -> Path:
    """A node's folder: two disks, a scratch folder, and the OS definition, which trusts the API's certificate."""
    (tmp_path / "disk0").write_bytes(CONTENT)
    (tmp_path / "disk1").write_bytes(b"seed" * MIB)
    (tmp_path / "scratch").mkdir()
    install.install_os(tmp_path / "os", tmp_path / "images")
    configure(tmp_path, f"CA={api.ca}\nSCRATCH={tmp_path}/scratch\n")
    return tmp_path


def run(
    node: Path, url: str, *, script: str = "export", index: int = 0, **env: str
) -> subprocess.CompletedProcess[str]:
    given = {
        "PATH": os.environ["PATH"],
        "INSTANCE_NAME": "syros-1",
        "EXPORT_DEVICE": str(node / f"disk{index}"),
        "EXPORT_INDEX": str(index),
        "OSP_IMAGE": "gone.img",
        "OSP_IMAGE_URL": f"{url}/guest/v1/images/i",
        "OSP_IMAGE_TOKEN": TOKEN,
        **env,
    }
    program = node / "os" / "syros" / script
    return subprocess.run([program], env=given, capture_output=True, text=True, check=False, timeout=60)


def change(node: Path, old: str, new: str) -> None:
    """Have the script find this machine otherwise than it is."""
    program = node / "os" / "syros" / "export"
    text = program.read_text()
    assert text.count(old) == 1
    program.write_text(text.replace(old, new))


def need_qemu_img() -> None:
    if shutil.which("qemu-img") is None:
        conftest.missing("qemu-img is not installed")


def path_without_qemu_img(node: Path) -> str:
    """A PATH with the interpreter alone."""
    folder = node / "bin"
    folder.mkdir()
    return str(folder)


def test_the_first_disk_arrives_compressed_and_whole_and_nothing_is_written_for_ganeti(node: Path, api: Api) -> None:
    need_qemu_img()
    done = run(node, api.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    ((path, authorization, body),) = api.asked
    assert (path, authorization) == ("/guest/v1/images/i?disk_format=qcow2", f"Bearer {TOKEN}")
    assert len(body) < 2 * MIB
    (node / "received").write_bytes(body)
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", node / "received", node / "raw"], check=True)
    assert (node / "raw").read_bytes() == CONTENT
    assert list((node / "scratch").iterdir()) == []


def test_other_disks_go_nowhere(node: Path, api: Api) -> None:
    done = run(node, api.url, index=1)
    assert (done.returncode, done.stdout, api.asked) == (0, "", [])


def test_without_qemu_img_the_disk_goes_as_it_is(node: Path, api: Api) -> None:
    done = run(node, api.url, PATH=path_without_qemu_img(node))
    assert (done.returncode, done.stderr) == (0, "")
    ((path, _, body),) = api.asked
    assert path.endswith("?disk_format=raw")
    assert body == CONTENT


def test_without_a_token_an_export_is_of_the_usual_kind(node: Path, api: Api) -> None:
    done = run(node, api.url, index=1, OSP_IMAGE_TOKEN="")
    assert (done.returncode, done.stdout, api.asked) == (0, "seed" * MIB, [])


def test_a_refusal_is_told_and_nothing_is_sent_twice(node: Path, api: Api) -> None:
    need_qemu_img()
    api.answers.append((413, {"overLimit": {"code": 413, "message": "the quota does not cover this file"}}))
    done = run(node, api.url)
    assert done.returncode == 1
    assert "the image was refused: 413 the quota does not cover this file" in done.stderr
    assert TOKEN not in done.stderr
    assert len(api.asked) == 1
    assert list((node / "scratch").iterdir()) == []


def test_a_redirect_is_not_followed(node: Path, api: Api) -> None:
    need_qemu_img()
    api.answers.append((302, {}))
    assert run(node, api.url).returncode == 1
    assert len(api.asked) == 1


def test_a_server_that_nobody_vouches_for_is_told_nothing(node: Path, api: Api) -> None:
    need_qemu_img()
    (node / "os.conf").write_text(f"SCRATCH={node}/scratch\n")
    done = run(node, api.url)
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert api.asked == []


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"OSP_IMAGE_URL": "http://127.0.0.1/guest/v1/images/i"}, "is not https://"),
        ({"OSP_IMAGE_URL": ""}, "is not https://"),
        ({"OSP_IMAGE_TOKEN": "a b"}, "image_token is no token"),
    ],
)
def test_what_may_not_be_used_is_refused_before_anything_is_copied(
    node: Path, api: Api, env: dict[str, str], reason: str
) -> None:
    for script in ("export", "verify"):
        done = run(node, api.url, script=script, **env)
        assert done.returncode == 1
        assert reason in done.stderr


def test_a_node_without_room_says_so(node: Path, api: Api) -> None:
    need_qemu_img()
    change(node, "_EXPORT_SPARE = 1024 * _MIB", "_EXPORT_SPARE = 2**60")
    done = run(node, api.url)
    assert f"{node}/scratch on this node has no room" in done.stderr
    assert api.asked == []


def test_a_disk_that_does_not_fit_is_not_sent_in_part(node: Path, api: Api) -> None:
    need_qemu_img()
    # less than the megabyte of noise
    change(node, "room = shutil.disk_usage(folder).free - _EXPORT_SPARE", "room = 400_000")
    done = run(node, api.url)
    assert "could not copy the disk within" in done.stderr
    assert api.asked == []
    assert list((node / "scratch").iterdir()) == []


def test_verify_does_not_ask_for_the_image_that_an_imaged_instance_was_installed_from(node: Path, api: Api) -> None:
    assert run(node, api.url, script="verify").returncode == 0
    assert run(node, api.url, script="verify", OSP_IMAGE_TOKEN="").returncode == 0
    assert run(node, api.url, script="verify", OSP_IMAGE_TOKEN="", OSP_IMAGE_URL="").returncode == 1
