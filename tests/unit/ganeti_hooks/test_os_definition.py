"""The OS definition's scripts, run as Ganeti runs them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from ganeti_hooks import install, os_definition
from tests import conftest

MIB = 1024 * 1024


@pytest.fixture
def images(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    install.install_os(tmp_path / "os", images)
    return images


@pytest.fixture
def qemu_img() -> str:
    found = shutil.which("qemu-img")
    return found or conftest.missing("qemu-img is not installed")


def run(images: Path, script: str, *, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    folder = images.parent / "os" / "syros"
    return subprocess.run(
        [str(folder / script)],
        env={"PATH": os.environ["PATH"], "OS_API_VERSION": "20", **env},
        cwd=folder,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
    )


def disk(images: Path, mib: int = 4) -> Path:
    path = images.parent / "disk0"
    path.write_bytes(b"\xaa" * (mib * MIB))
    return path


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "is not a file name"),
        ({"OSP_IMAGE": ""}, "is not a file name"),
        ({"OSP_IMAGE": "../etc/shadow"}, "is not a file name"),
        ({"OSP_IMAGE": "/etc/shadow"}, "is not a file name"),
        ({"OSP_IMAGE": ".."}, "is not a file name"),
        ({"OSP_IMAGE": "a\n"}, "is not a file name"),
        ({"OSP_IMAGE": "a" * 201}, "is not a file name"),
        ({"OSP_IMAGE": "ok.img", "OSP_IMAGE_FORMAT": "vmdk"}, "neither raw nor qcow2"),
        ({"OSP_IMAGE": "absent.img"}, "is not in"),
        ({"OSP_IMAGE": "folder"}, "is not in"),
    ],
)
def test_verify_refuses_parameters_that_can_not_work(images: Path, parameters: dict[str, str], reason: str) -> None:
    (images / "ok.img").write_bytes(b"x")
    (images / "folder").mkdir()
    done = run(images, "verify", stdin=b"", **parameters)
    assert done.returncode == 1
    assert reason in done.stderr.decode()


def test_verify_accepts_an_image_that_is_there(images: Path) -> None:
    (images / "ok.img").write_bytes(b"x")
    done = run(images, "verify", OSP_IMAGE="ok.img", OSP_IMAGE_FORMAT="raw")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_create_writes_the_image_onto_the_disk(images: Path, qemu_img: str, form: str) -> None:
    content = os.urandom(MIB) + bytes(MIB)
    (images / "raw.img").write_bytes(content)
    subprocess.run([qemu_img, "convert", "-O", form, images / "raw.img", images / "the.img"], check=True)
    target = disk(images)
    done = run(images, "create", OSP_IMAGE="the.img", OSP_IMAGE_FORMAT=form, DISK_0_PATH=str(target), DISK_0_SIZE="4")
    assert (done.returncode, done.stderr) == (0, b"")
    assert target.stat().st_size == 4 * MIB
    assert target.read_bytes()[: 2 * MIB] == content


def test_create_refuses_a_disk_that_is_too_small(images: Path) -> None:
    (images / "big.img").write_bytes(bytes(3 * MIB))
    target = disk(images, 2)
    done = run(images, "create", OSP_IMAGE="big.img", DISK_0_PATH=str(target), DISK_0_SIZE="2")
    assert done.returncode == 1
    assert "needs 3 MiB, the disk has 2 MiB" in done.stderr.decode()


def test_create_refuses_an_image_that_would_show_another_file_of_the_host(images: Path, qemu_img: str) -> None:
    (images / "base.img").write_bytes(bytes(MIB))
    subprocess.run(
        [qemu_img, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", images / "base.img", images / "evil.img"],
        check=True,
    )
    target = disk(images)
    done = run(
        images, "create", OSP_IMAGE="evil.img", OSP_IMAGE_FORMAT="qcow2", DISK_0_PATH=str(target), DISK_0_SIZE="4"
    )
    assert done.returncode == 1
    assert "refers to another file" in done.stderr.decode()


def test_create_says_what_is_wrong_with_a_broken_image(images: Path, qemu_img: str) -> None:
    (images / "broken.img").write_bytes(b"not a qcow2 file")
    target = disk(images)
    done = run(
        images, "create", OSP_IMAGE="broken.img", OSP_IMAGE_FORMAT="qcow2", DISK_0_PATH=str(target), DISK_0_SIZE="4"
    )
    assert done.returncode == 1
    assert "not readable as qcow2" in done.stderr.decode()


def test_an_exported_disk_can_be_imported(images: Path) -> None:
    source = disk(images)
    exported = run(images, "export", EXPORT_DEVICE=str(source))
    target = images.parent / "disk1"
    target.write_bytes(bytes(4 * MIB))
    done = run(images, "import", stdin=exported.stdout, IMPORT_DEVICE=str(target))
    assert done.returncode == 0
    assert target.read_bytes() == source.read_bytes()


def test_rename_has_nothing_to_do(images: Path) -> None:
    assert run(images, "rename", OLD_INSTANCE_NAME="a").returncode == 0


def test_the_configuration_file_says_where_images_are(tmp_path: Path) -> None:
    config = tmp_path / "os.conf"
    assert os_definition.image_directory(config) == os_definition.IMAGES
    config.write_text("# a comment\nIMAGES=/elsewhere\n")
    assert os_definition.image_directory(config) == Path("/elsewhere")


def test_the_parameters_are_documented() -> None:
    assert json.dumps(os_definition.PARAMETERS).isascii()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_reports_have_two_seconds_and_five_percent_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    class Opener:
        def open(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
            assert timeout <= 2
            sent.append(json.loads(request.data)["percent"])  # type: ignore[arg-type]  # bytes here
            return io.BytesIO()

    monkeypatch.setattr(os_definition, "_opener", Opener)
    clock = Clock()
    told = os_definition.Reporter({"OSP_GUEST_URL": "https://x", "OSP_GUEST_TOKEN": "t"}, clock).tell
    for seconds, percent in ((0.5, 50), (2.0, 51), (2.5, 60), (4.1, 55), (4.2, 56), (60.0, 60), (60.1, 61), (62, 99)):
        clock.now = 100 + seconds
        told(percent)
    assert sent == [51, 56, 61]


def test_an_api_that_is_away_is_asked_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    clock = Clock()

    class Opener:
        def open(self, _request: urllib.request.Request, timeout: float) -> io.BytesIO:
            asked.append(clock.now - 100)
            raise TimeoutError(f"after {timeout}")

    monkeypatch.setattr(os_definition, "_opener", Opener)
    told = os_definition.Reporter({"OSP_GUEST_URL": "https://x", "OSP_GUEST_TOKEN": "t"}, clock).tell
    for second in range(100):
        clock.now = 100 + second
        told(second)
    assert asked == [5, 10, 18, 34, 66]


def test_a_qemu_img_that_prints_much_and_fails_is_quoted() -> None:
    script = "import sys; sys.stdout.write('  (1.00/100%)\\r' * 50_000); sys.stderr.write('broken'); sys.exit(1)"
    told: list[int] = []
    assert os_definition.convert(["python3", "-c", script], told.append) == "broken"
    assert set(told) == {1}
