"""Files of images: up, down, and every way in which they are refused."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import image_formats, image_importer, image_uploads
from cloud.context import Caller, Cloud
from cloud.image_settings import GIB, ImageSettings
from cloud.settings import CloudSettings
from common import names
from common.errors import Conflict, Invalid
from db import images
from db.images import Image, ImageStatus
from db.users import Role
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Standing
from tests.unit.apiserver.conftest import Clock
from tests.unit.apiserver.image.storing import PATH, RAW, download, patch, qcow2, register, upload


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def rules(store: Path) -> ImageSettings:
    return ImageSettings(store=store, keep_free=0.0)


@pytest.fixture(scope="module")
def shared_cloud(standing: Standing) -> Cloud:
    return Cloud(standing.sessions, CloudSettings(), clock=standing.clock, images=ImageSettings())


@pytest.fixture(scope="module")
def shared_app(shared_cloud: Cloud) -> flask.Flask:
    """An app whose JSON bodies may be small only."""
    return create_app(shared_cloud, ApiSettings(max_body=600), bus_ready=lambda: True)


@pytest.fixture
def storing(shared_cloud: Cloud, cloud: Cloud, rules: ImageSettings) -> Cloud:
    """The app's cloud, with the rules of the beginning."""
    assert cloud.sessions is shared_cloud.sessions
    limit(shared_cloud, **vars(rules))
    return shared_cloud


@pytest.fixture
def app(storing: Cloud, shared_app: flask.Flask) -> flask.Flask:
    return shared_app


@pytest.fixture
def limited(storing: Cloud) -> Cloud:
    """The cloud, for tests that look behind the API or change its rules."""
    return storing


def limit(cloud: Cloud, **changes: object) -> None:
    """Change a rule under the running app."""
    for key, value in changes.items():
        object.__setattr__(cloud.images, key, value)


def row(cloud: Cloud, image_id: str) -> Image:
    with cloud.sessions.read() as db:
        found = images.get(db, image_id)
    assert found is not None
    return found


def caller(cloud: Cloud, image_id: str) -> Caller:
    """Somebody who owns an image."""
    project = row(cloud, image_id).project_id or ""
    return Caller("u", "u", project, "p", (Role.MEMBER,), "req-1")


def test_a_raw_file_of_any_length_makes_the_image_active(demo: Asking, store: Path) -> None:
    image_id = register(demo)
    data = RAW * 100
    assert download(demo, image_id).status_code == 204
    assert upload(demo, image_id, data).status_code == 204
    shown = demo.get(f"{PATH}/{image_id}").json
    assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", len(data), len(data))
    assert shown["checksum"] == hashlib.md5(data).hexdigest()
    assert (shown["os_hash_algo"], shown["os_hash_value"]) == ("sha512", hashlib.sha512(data).hexdigest())
    answer = download(demo, image_id)
    assert (answer.data, answer.headers["Content-MD5"]) == (data, shown["checksum"])
    assert [path.name for path in store.iterdir()] == [f"{image_id}.raw"]


def test_a_part_of_a_file_is_served(demo: Asking) -> None:
    image_id = register(demo)
    upload(demo, image_id)
    answer = download(demo, image_id, range="bytes=510-513")
    assert (answer.status_code, answer.data) == (206, RAW[510:514])


def test_an_image_takes_one_file(demo: Asking) -> None:
    image_id = register(demo)
    assert upload(demo, image_id).status_code == 204
    assert upload(demo, image_id, b"other").status_code == 409
    assert download(demo, image_id).data == RAW


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_only_octets_are_taken(demo: Asking, kind: str) -> None:
    assert upload(demo, register(demo), kind=kind).status_code == 415


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("raw", b""),
        ("raw", qcow2()),
        ("raw", b"# Disk DescriptorFile\n"),
        ("qcow2", RAW),
        ("qcow2", b"QFI\xfb"),
        ("qcow2", qcow2(backing=100)),
        ("qcow2", qcow2(features=4)),
        ("qcow2", qcow2(encrypted=1)),
        ("vmdk", RAW),
        ("vmdk", b'# Disk DescriptorFile\nRW 100 FLAT "/etc/shadow" 0'),
        ("vmdk", b"KDMV" + b"\0" * 600),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_and_the_image_waits_on(
    demo: Asking, store: Path, form: str, data: bytes
) -> None:
    image_id = register(demo, disk_format=form)
    assert upload(demo, image_id, data).status_code == 400
    assert demo.get(f"{PATH}/{image_id}").json["status"] == "queued"
    assert list(store.iterdir()) == []


def test_without_qemu_img_only_raw_is_taken(demo: Asking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = upload(demo, register(demo, disk_format="qcow2"), qcow2())
    assert (answer.status_code, "qemu-img is not installed" in answer.json["message"]) == (400, True)
    assert upload(demo, register(demo)).status_code == 204


def test_a_file_beyond_the_size_limit_is_refused_with_and_without_a_length(demo: Asking, limited: Cloud) -> None:
    limit(limited, max_size=100 / GIB)
    image_id = register(demo)
    assert upload(demo, image_id).status_code == 413
    stream = iter([b"x" * 90, b"x" * 90, b""])
    with pytest.raises(Exception, match="more than the 100 bytes"):
        image_uploads.receive(limited, caller(limited, image_id), image_id, Pieces(stream))
    assert upload(demo, image_id, b"x" * 100).status_code == 204


def test_a_projects_images_stay_within_its_quotas_and_an_admins_do_not(
    demo: Asking, stranger: Asking, admin: Asking, limited: Cloud
) -> None:
    limit(limited, quota_size=1000 / GIB, quota_images=2)
    first, second = register(demo), register(demo)
    answer = demo.post(PATH, {"name": "third"})
    assert (answer.status_code, "quota" in answer.json["message"]) == (413, True)
    assert upload(demo, first, b"x" * 600).status_code == 204
    assert upload(demo, second, b"x" * 600).status_code == 413
    assert upload(demo, second, b"x" * 400).status_code == 204
    assert upload(stranger, register(stranger), b"x" * 600).status_code == 204
    for _ in range(3):
        assert upload(admin, register(admin), b"x" * 600).status_code == 204


def test_a_full_store_is_no_fault_of_the_request(demo: Asking, limited: Cloud) -> None:
    image_id = register(demo)
    limit(limited, keep_free=1e9)
    assert upload(demo, image_id).status_code == 503
    limit(limited, keep_free=0.0)
    assert upload(demo, image_id).status_code == 204


def test_a_store_that_is_not_there_is_said(demo: Asking, limited: Cloud) -> None:
    limit(limited, store=Path("/proc/none"))
    assert upload(demo, register(demo)).status_code == 503


def test_uploads_can_be_for_admins_alone(demo: Asking, admin: Asking, limited: Cloud) -> None:
    image_id = register(demo)
    limit(limited, uploads="admin")
    assert demo.post(PATH, {"name": "mine"}).status_code == 403
    assert upload(demo, image_id).status_code == 403
    assert upload(admin, register(admin)).status_code == 204


def test_nobody_else_uploads_or_downloads(demo: Asking, stranger: Asking, anyone: Asking) -> None:
    image_id = register(demo)
    assert upload(stranger, image_id).status_code == 404
    assert upload(demo, image_id).status_code == 204
    assert download(stranger, image_id).status_code == 404
    assert download(anyone, image_id).status_code == 401
    assert patch(demo, image_id, {"op": "replace", "path": "/visibility", "value": "community"}).status_code == 200
    assert download(stranger, image_id).data == RAW


def test_an_image_whose_file_the_operator_has_elsewhere_has_none_here(demo: Asking, image: str) -> None:
    assert demo.get(f"{PATH}/{image}/file").status_code in (204, 404)


class Pieces:
    """A request's body, piece by piece; an error in the iterator is the connection's."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int, /) -> bytes:
        return next(self._pieces)


def test_a_broken_upload_leaves_nothing_and_the_image_can_be_uploaded_again(
    demo: Asking, limited: Cloud, store: Path
) -> None:
    image_id = register(demo)

    def breaking() -> Iterator[bytes]:
        yield b"x" * 1000
        assert len(list(store.iterdir())) == 1
        assert row(limited, image_id).status is ImageStatus.SAVING
        raise Invalid("the client went away")

    with pytest.raises(Invalid):
        image_uploads.receive(limited, caller(limited, image_id), image_id, Pieces(breaking()))
    assert list(store.iterdir()) == []
    assert upload(demo, image_id).status_code == 204


def test_an_upload_that_is_shorter_than_it_said_is_refused(demo: Asking, limited: Cloud, store: Path) -> None:
    image_id = register(demo)
    with pytest.raises(Invalid, match="4 of 5 bytes"):
        body = Pieces(iter([b"four", b""]))
        image_uploads.receive(limited, caller(limited, image_id), image_id, body, length=5)
    assert demo.get(f"{PATH}/{image_id}").json["status"] == "queued"
    assert list(store.iterdir()) == []


def test_of_two_uploads_at_once_one_is_taken(demo: Asking, limited: Cloud) -> None:
    image_id = register(demo)

    def slow() -> Iterator[bytes]:
        yield b"first"
        assert upload(demo, image_id, b"second").status_code == 409
        yield b""

    image_uploads.receive(limited, caller(limited, image_id), image_id, Pieces(slow()))
    assert download(demo, image_id).data == b"first"


def test_a_crowd_uploads_to_one_image_and_one_wins(app: flask.Flask, demo: Asking) -> None:
    image_id = register(demo)
    statuses: list[int] = []

    def one(number: int) -> None:
        statuses.append(upload(Asking(app.test_client(), demo.token), image_id, b"%d" % number * 1000).status_code)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204, 409, 409, 409, 409, 409]
    shown = demo.get(f"{PATH}/{image_id}").json
    assert hashlib.md5(download(demo, image_id).data).hexdigest() == shown["checksum"]


def test_an_image_deleted_during_its_upload_stays_deleted(demo: Asking, limited: Cloud, store: Path) -> None:
    image_id = register(demo)

    def slow() -> Iterator[bytes]:
        yield b"first"
        assert demo.delete(f"{PATH}/{image_id}").status_code == 204
        yield b""

    with pytest.raises(Conflict):
        image_uploads.receive(limited, caller(limited, image_id), image_id, Pieces(slow()))
    assert row(limited, image_id).status is ImageStatus.DELETED
    assert list(store.iterdir()) == []


def test_an_upload_that_was_silent_too_long_keeps_nothing(demo: Asking, limited: Cloud, clock: Clock) -> None:
    image_id = register(demo)

    def slow() -> Iterator[bytes]:
        yield b"first"
        clock.forward(seconds=121)
        image_importer.sweep(limited)
        assert demo.get(f"{PATH}/{image_id}").json["status"] == "queued"
        assert upload(demo, image_id, b"second").status_code == 204
        yield b""

    with pytest.raises(Conflict):
        image_uploads.receive(limited, caller(limited, image_id), image_id, Pieces(slow()))
    assert download(demo, image_id).data == b"second"


def test_what_an_api_that_was_killed_left_is_swept_and_the_image_waits_again(
    demo: Asking, limited: Cloud, store: Path, clock: Clock
) -> None:
    image_id, another_claim = register(demo), names.new_id()

    def killed() -> Iterator[bytes]:
        yield b"half"
        (store / f".{image_id}.{another_claim}.part").write_bytes(b"half")
        raise Invalid("gone")

    with pytest.raises(Invalid):
        image_uploads.receive(limited, caller(limited, image_id), image_id, Pieces(killed()))
    (left,) = store.iterdir()
    with limited.sessions.begin() as db:
        held = images.lock(db, image_id)
        assert held is not None
        held.status, held.claim, held.claimed_until = ImageStatus.SAVING, "1", limited.clock()
    clock.forward(seconds=1)
    os.utime(left, (0, 0))
    assert image_importer.sweep(limited) == 1
    assert list(store.iterdir()) == []
    assert row(limited, image_id).status is ImageStatus.QUEUED


def test_the_file_of_a_deleted_image_goes_after_a_while_and_the_operators_files_stay(
    demo: Asking, limited: Cloud, store: Path, clock: Clock
) -> None:
    image_id = register(demo)
    upload(demo, image_id)
    (store / "debian.qcow2").write_bytes(b"the operator's")
    (store / "00000000-0000-4000-8000-000000000000.raw").write_bytes(b"another cloud's")
    demo.delete(f"{PATH}/{image_id}")
    assert image_importer.sweep(limited) == 0
    clock.forward(seconds=601)
    assert image_importer.sweep(limited) == 1
    assert sorted(path.name[:6] for path in store.iterdir()) == ["000000", "debian"]


def test_what_is_too_long_for_a_json_body_is_still_refused_there(demo: Asking) -> None:
    assert demo.post(PATH, {"name": "mine", "long": "x" * 600}).status_code == 413
    assert upload(demo, register(demo), b"x" * 10_000).status_code == 204


def test_the_magic_numbers_are_told_apart() -> None:
    assert [image_formats.kind_of(head) for head in (qcow2(), b"KDMV", b"# disk descriptorfile", b"")] == [
        "qcow2",
        "vmdk",
        "vmdk",
        "raw",
    ]
