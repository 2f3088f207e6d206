"""What tests of images with files share: the Image API's paths, and files of each kind, small and hostile."""

from __future__ import annotations

import json
import struct

from werkzeug.test import TestResponse

from tests.unit.apiserver.asking import Asking

PATH = "/image/v2/images"
BINARY = "application/octet-stream"
PATCH = "application/openstack-images-v2.1-json-patch"
RAW = b"\0" * 511 + b"\x55\xaa" + b"disk" * 100


def qcow2(*, backing: int = 0, encrypted: int = 0, features: int = 0, version: int = 3) -> bytes:
    """A header, with nothing behind it."""
    head = struct.pack(">4sIQIIQIIQQII", b"QFI\xfb", version, backing, 8, 16, 1 << 20, encrypted, 1, 0, 0, 0, 0)
    return head.ljust(72, b"\0") + struct.pack(">Q", features) + b"\0" * 100


def register(asking: Asking, **members: object) -> str:
    answer = asking.post(PATH, {"name": "mine", "disk_format": "raw", "container_format": "bare", **members})
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def upload(asking: Asking, image_id: str, data: bytes = RAW, *, kind: str = BINARY) -> TestResponse:
    return asking.send("PUT", f"{PATH}/{image_id}/file", data=data, content_type=kind)


def download(asking: Asking, image_id: str, **headers: str) -> TestResponse:
    """Read a file to its end, and let go of it."""
    answer = asking.get(f"{PATH}/{image_id}/file", **headers)
    answer.get_data()
    answer.close()
    return answer


def patch(asking: Asking, image_id: str, *steps: object, kind: str = PATCH) -> TestResponse:
    return asking.send("PATCH", f"{PATH}/{image_id}", data=json.dumps(list(steps)), content_type=kind)


def change(op: str, path: str, *value: object) -> dict[str, object]:
    return {"op": op, "path": path, **({"value": value[0]} if value else {})}
