"""Checks and conversions by the real qemu-img: what becomes an image, what is refused, and what a crash leaves."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from cloud import image_changes, image_formats, image_importer, image_uploads
from cloud.context import Cloud
from cloud.image_changes import NewImage
from cloud.image_settings import GIB, ImageSettings
from db import images
from db.images import DiskFormat, Image, ImageStatus
from tests.support.clouds import World

pytestmark = pytest.mark.skipif(
    not image_formats.available() and not os.environ.get("CI"), reason="qemu-img is not installed"
)

_MIB = 1024 * 1024
DATA = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def cloud(world: World, tmp_path: Path) -> Cloud:
    rules = ImageSettings(store=tmp_path / "store", keep_free=0.0)
    return dataclasses.replace(world.cloud, images=rules)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    path.write_bytes(DATA)
    return path


def made(raw: Path, form: str, *options: str) -> Path:
    path = raw.with_suffix(f".{form}")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, *options, str(raw), str(path)], check=True)
    return path


def uploaded(world: World, cloud: Cloud, path: Path, form: DiskFormat) -> str:
    image = image_changes.create(cloud, world.fresh(), NewImage(name="mine", disk_format=form))
    with path.open("rb") as file:
        image_uploads.receive(cloud, world.fresh(), image.id, file)
    return image.id


def row(cloud: Cloud, image_id: str) -> Image:
    with cloud.sessions.read() as db:
        found = images.get(db, image_id)
    assert found is not None
    return found


def files(cloud: Cloud) -> list[str]:
    return sorted(path.name for path in cloud.images.store.iterdir())


def test_a_qcow2_is_checked_and_kept_as_it_came(world: World, cloud: Cloud, raw: Path) -> None:
    source = made(raw, "qcow2")
    image_id = uploaded(world, cloud, source, DiskFormat.QCOW2)
    assert (row(cloud, image_id).status, files(cloud)) == (ImageStatus.IMPORTING, [f"{image_id}.upload"])
    assert image_importer.import_one(cloud)
    found = row(cloud, image_id)
    assert (found.status, found.file, found.virtual_size) == (ImageStatus.ACTIVE, f"{image_id}.qcow2", _MIB)
    assert found.checksum == hashlib.md5(source.read_bytes()).hexdigest()
    assert files(cloud) == [f"{image_id}.qcow2"]
    assert not image_importer.import_one(cloud)


@pytest.mark.parametrize("kind", ["monolithicSparse", "streamOptimized"])
def test_a_vmdk_that_stands_alone_becomes_a_qcow2(world: World, cloud: Cloud, raw: Path, kind: str) -> None:
    image_id = uploaded(world, cloud, made(raw, "vmdk", "-o", f"subformat={kind}"), DiskFormat.VMDK)
    image_importer.import_one(cloud)
    found, path = row(cloud, image_id), cloud.images.store / f"{image_id}.qcow2"
    assert (found.status, found.disk_format, found.virtual_size) == (ImageStatus.ACTIVE, DiskFormat.QCOW2, _MIB)
    assert (found.size, found.checksum) == (path.stat().st_size, hashlib.md5(path.read_bytes()).hexdigest())
    subprocess.run(["qemu-img", "compare", "-q", str(path), str(raw)], check=True)
    assert files(cloud) == [f"{image_id}.qcow2"]


@pytest.mark.parametrize("form", [DiskFormat.QCOW2, DiskFormat.VMDK])
def test_an_image_with_an_enormous_disk_is_refused_with_the_reason(
    world: World, cloud: Cloud, raw: Path, form: DiskFormat
) -> None:
    object.__setattr__(cloud.images, "max_disk", 0.5 * _MIB / GIB)
    image_id = uploaded(world, cloud, made(raw, form.value), form)
    image_importer.import_one(cloud)
    found = row(cloud, image_id)
    assert (found.status, found.file, "are allowed" in (found.fault or "")) == (ImageStatus.KILLED, None, True)
    assert files(cloud) == []


def test_a_vmdk_that_has_a_parent_is_refused(world: World, cloud: Cloud, raw: Path, tmp_path: Path) -> None:
    parent, path = made(raw, "vmdk"), tmp_path / "child.vmdk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", "-b", str(parent), "-F", "vmdk", str(path)], check=True)
    image_id = uploaded(world, cloud, path, DiskFormat.VMDK)
    image_importer.import_one(cloud)
    found = row(cloud, image_id)
    assert (found.status, found.fault) == (ImageStatus.KILLED, "the image refers to another file")


def test_rubbish_behind_a_good_header_is_refused(world: World, cloud: Cloud, raw: Path) -> None:
    path = made(raw, "qcow2")
    path.write_bytes(path.read_bytes()[:104] + b"\xff" * 5000)
    image_id = uploaded(world, cloud, path, DiskFormat.QCOW2)
    image_importer.import_one(cloud)
    assert row(cloud, image_id).status is ImageStatus.KILLED
    assert str(cloud.images.store) not in (row(cloud, image_id).fault or "")


def test_a_refusal_is_seen_before_any_other_program_opens_the_file(tmp_path: Path) -> None:
    path = tmp_path / "evil.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "1M"], check=True)
    content = bytearray(path.read_bytes())
    content[72:80] = struct.pack(">Q", 1 << 2)
    path.write_bytes(content)
    with pytest.raises(image_formats.Refused, match="another file"):
        image_formats.virtual_size(path, DiskFormat.QCOW2, most=_MIB)


def test_a_raw_file_is_as_large_as_it_is(raw: Path) -> None:
    assert image_formats.virtual_size(raw, DiskFormat.RAW, most=_MIB) == _MIB


def test_two_importers_do_not_take_the_same_image(world: World, cloud: Cloud, raw: Path) -> None:
    image_id = uploaded(world, cloud, made(raw, "qcow2"), DiskFormat.QCOW2)
    with cloud.sessions.begin() as db:
        held = images.lock(db, image_id)
        assert held is not None
        held.claim, held.claimed_until = "another", world.clock.tick(100)
    world.clock.tick(-100)
    assert not image_importer.import_one(cloud)
    world.clock.tick(200)
    assert image_importer.import_one(cloud)
    assert row(cloud, image_id).status is ImageStatus.ACTIVE


def test_an_importer_that_stops_leaves_the_image_to_the_next(world: World, cloud: Cloud, raw: Path) -> None:
    image_id = uploaded(world, cloud, made(raw, "vmdk"), DiskFormat.VMDK)
    stop = threading.Event()
    stop.set()
    assert image_importer.import_one(cloud, stop=stop)
    assert (row(cloud, image_id).status, files(cloud)) == (ImageStatus.IMPORTING, [f"{image_id}.upload"])
    world.clock.tick(1)
    assert image_importer.import_one(cloud)
    assert row(cloud, image_id).status is ImageStatus.ACTIVE


def test_a_crash_after_the_file_got_its_name_is_found_done(world: World, cloud: Cloud, raw: Path) -> None:
    source = made(raw, "qcow2")
    image_id = uploaded(world, cloud, source, DiskFormat.QCOW2)
    store = cloud.images.store
    (store / f"{image_id}.upload").replace(store / f"{image_id}.qcow2")
    image_importer.import_one(cloud)
    found = row(cloud, image_id)
    assert (found.status, found.checksum) == (ImageStatus.ACTIVE, hashlib.md5(source.read_bytes()).hexdigest())


def test_a_file_that_is_gone_is_said(world: World, cloud: Cloud, raw: Path) -> None:
    image_id = uploaded(world, cloud, made(raw, "qcow2"), DiskFormat.QCOW2)
    (cloud.images.store / f"{image_id}.upload").unlink()
    image_importer.import_one(cloud)
    assert "gone" in (row(cloud, image_id).fault or "")


def test_an_image_deleted_while_it_is_imported_stays_deleted(
    world: World, cloud: Cloud, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = uploaded(world, cloud, made(raw, "vmdk"), DiskFormat.VMDK)
    convert = image_formats.convert

    def deleting(*args: object, **kwargs: object) -> None:
        image_changes.delete(cloud, world.fresh(), image_id)
        convert(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(image_formats, "convert", deleting)
    assert image_importer.import_one(cloud)
    assert row(cloud, image_id).status is ImageStatus.DELETED
    world.clock.tick(1000)
    image_importer.sweep(cloud)
    assert files(cloud) == []


def test_a_conversion_without_end_is_ended(raw: Path, tmp_path: Path) -> None:
    source = made(raw, "vmdk")
    with pytest.raises(image_formats.Failed):
        image_formats.convert(source, DiskFormat.VMDK, tmp_path / "out", tick=lambda _percent: None, seconds=0)


def test_the_progress_is_told_and_shown(raw: Path, tmp_path: Path) -> None:
    told: list[int] = []
    source = made(raw, "vmdk")
    image_formats.convert(source, DiskFormat.VMDK, tmp_path / "out", tick=told.append, seconds=60)
    assert told == sorted(told)
    assert told[-1] > 0


def test_the_thread_imports_when_it_is_woken(world: World, cloud: Cloud, raw: Path) -> None:
    done = threading.Event()
    importer = image_importer.Importer(cloud)
    awake = dataclasses.replace(cloud, wake_importer=importer.wake)
    importer.start()
    image_id = uploaded(world, awake, made(raw, "qcow2"), DiskFormat.QCOW2)
    for _ in range(200):
        if row(cloud, image_id).status is ImageStatus.ACTIVE or done.wait(0.05):
            break
    importer.stop()
    assert row(cloud, image_id).status is ImageStatus.ACTIVE
