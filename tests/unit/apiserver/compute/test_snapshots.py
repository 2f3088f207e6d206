"""createImage and createBackup over HTTP: answers, refusals, how the image is shown, and the node's end of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import image_copies
from cloud.context import Cloud
from cloud.image_settings import ImageSettings
from db.instances import State
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, MakeServer, Standing
from tests.unit.apiserver.conftest import Clock
from tests.unit.apiserver.image.storing import BINARY, RAW, download

PATH = "/compute/v2.1"


@pytest.fixture(scope="module")
def shared_cloud(standing: Standing) -> Cloud:
    return dataclasses.replace(standing.cloud, images=ImageSettings(keep_free=0.0))


@pytest.fixture(scope="module")
def shared_app(shared_cloud: Cloud) -> flask.Flask:
    return create_app(shared_cloud, ApiSettings(public_url="http://cloud.example:8774"), bus_ready=lambda: True)


@pytest.fixture
def served(shared_cloud: Cloud, cloud: Cloud, tmp_path: Path) -> Cloud:
    """The cloud as the app has it: with the key, a URL for nodes, and a store."""
    assert cloud.sessions is shared_cloud.sessions
    object.__setattr__(shared_cloud.images, "store", tmp_path)
    return shared_cloud


@pytest.fixture
def app(served: Cloud, shared_app: flask.Flask) -> flask.Flask:
    return shared_app


@pytest.fixture
def stopped(make: MakeServer, become: Become) -> str:
    """The id of a server that is stopped, and somewhere."""
    server = make()
    become(server, State.STOPPED, node="node1")
    return server


def create_image(asking: Asking, server: str, body: object | None = None, *, version: str = "v2.1") -> Any:
    wanted = {"createImage": {"name": "made", "metadata": {"os": "debian"}}} if body is None else body
    return asking.post(f"/compute/{version}/servers/{server}/action", wanted)


def made(asking: Asking, server: str) -> str:
    answer = create_image(asking, server)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"].rsplit("/", 1)[-1])


def bring(anyone: Asking, image: str, token: str, query: str = "?disk_format=raw", *, kind: str = BINARY) -> Any:
    path = f"/guest/v1/images/{image}{query}"
    return anyone.send("PUT", path, data=RAW, content_type=kind, authorization=f"Bearer {token}")


def token_for(cloud: Cloud, image: str) -> str:
    ticket = image_copies.issue(cloud, image)
    assert ticket is not None
    return ticket.token


@pytest.mark.parametrize("version", ["v2.1", "v2", "v1.1"])
def test_the_answer_says_where_the_image_is(demo: Asking, stopped: str, version: str) -> None:
    answer = create_image(demo, stopped, version=version)
    assert (answer.status_code, answer.data) == (202, b"")
    url = answer.headers["Location"]
    assert url.startswith(f"http://cloud.example:8774/compute/{version}/images/")
    assert demo.get(url.removeprefix("http://cloud.example:8774")).status_code == 200
    assert ("X-OpenStack-Nova-API-Version" in answer.headers) == (version == "v2.1")


def test_the_image_is_shown_with_its_server_while_it_is_made(demo: Asking, stopped: str) -> None:
    image = made(demo, stopped)
    shown = demo.get(f"{PATH}/images/{image}").json["image"]
    assert (shown["status"], shown["progress"], shown["minDisk"]) == ("SAVING", 0, 1)
    assert shown["server"]["id"] == stopped
    assert shown["server"]["links"][0]["href"].endswith(f"/servers/{stopped}")
    assert shown["metadata"].items() >= {("os", "debian"), ("image_type", "snapshot"), ("instance_uuid", stopped)}
    server = demo.get(f"{PATH}/servers/{stopped}").json["server"]
    assert (server["status"], server["OS-EXT-STS:task_state"]) == ("SHUTOFF", "image_snapshot")
    assert demo.get(f"/image/v2/images/{image}").json["status"] == "saving"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=snapshot", {"made"}),
        ("type=BASE", {"debian-12"}),
        ("type=none", set()),
        ("server={}", {"made"}),
        ("server=http://cloud.example:8774/compute/v2.1/servers/{}", {"made"}),
        ("server=another", set()),
        ("type=base&server={}", set()),
        ("", {"made", "debian-12"}),
    ],
)
def test_lists_find_images_by_the_server_that_they_were_made_of(
    demo: Asking, stopped: str, query: str, found: set[str]
) -> None:
    made(demo, stopped)
    listed = demo.get(f"{PATH}/images?{query.format(stopped)}").json["images"]
    assert {image["name"] for image in listed} == found


@pytest.mark.parametrize(
    "body",
    [
        {"createImage": None},
        {"createImage": {}},
        {"createImage": {"name": ""}},
        {"createImage": {"name": " "}},
        {"createImage": {"name": "x" * 256}},
        {"createImage": {"name": "a", "metadata": []}},
        {"createImage": {"name": "a", "metadata": {"k": 1}}},
        {"createImage": {"name": "a", "metadata": {str(number): "" for number in range(200)}}},
        {"createImage": {"name": "a", "rotation": 1}},
    ],
)
def test_a_body_that_can_not_be_meant_is_refused(demo: Asking, stopped: str, body: object) -> None:
    assert create_image(demo, stopped, body).status_code == 400
    assert demo.get(f"{PATH}/servers/{stopped}").json["server"]["OS-EXT-STS:task_state"] is None


def test_a_running_server_has_to_be_stopped_first(demo: Asking, stopped: str, become: Become) -> None:
    become(stopped, State.ACTIVE)
    answer = create_image(demo, stopped)
    assert answer.status_code == 409
    assert "stop it first" in answer.json["conflictingRequest"]["message"]


def test_a_strangers_server_is_not_there(stranger: Asking, stopped: str) -> None:
    assert create_image(stranger, stopped).status_code == 404


def test_a_node_brings_the_file_once(demo: Asking, anyone: Asking, stopped: str, served: Cloud) -> None:
    image = made(demo, stopped)
    token = token_for(served, image)
    assert bring(anyone, image, token).status_code == 204
    assert demo.get(f"{PATH}/images/{image}").json["image"]["status"] == "ACTIVE"
    assert download(demo, image).data == RAW
    assert bring(anyone, image, token).status_code == 410


def test_a_node_with_another_token_or_none_brings_nothing(
    demo: Asking, anyone: Asking, stopped: str, served: Cloud
) -> None:
    image = made(demo, stopped)
    for token in ("", "another", demo.token or ""):
        assert bring(anyone, image, token).status_code == 401
    assert bring(anyone, "no-image", token_for(served, image)).status_code == 401


def test_a_file_without_a_format_or_of_another_type_is_refused_and_costs_no_token(
    demo: Asking, anyone: Asking, stopped: str, served: Cloud
) -> None:
    image = made(demo, stopped)
    token = token_for(served, image)
    assert bring(anyone, image, token, "").status_code == 400
    assert bring(anyone, image, token, "?disk_format=vmdk").status_code == 400
    assert bring(anyone, image, token, kind="text/plain").status_code == 415
    assert bring(anyone, image, token).status_code == 204


def test_a_file_that_is_refused_shows_its_reason_to_the_owner(
    demo: Asking, anyone: Asking, stopped: str, served: Cloud
) -> None:
    image = made(demo, stopped)
    assert bring(anyone, image, token_for(served, image), "?disk_format=qcow2").status_code == 400
    shown = demo.get(f"/image/v2/images/{image}").json
    assert shown["status"] == "killed"
    assert "not qcow2" in shown["os_glance_import_fault"]
    assert demo.get(f"{PATH}/images/{image}").json["image"]["status"] == "ERROR"


@pytest.fixture
def back_up(
    demo: Asking, anyone: Asking, stopped: str, served: Cloud, become: Become, clock: Clock
) -> Callable[..., str]:
    """Makes a backup of the server whose disk its node has brought, and gives the image's id."""

    def _back_up(*, series: str = "daily", rotation: int = 2, brings: str = "?disk_format=raw") -> str:
        become(stopped, State.STOPPED, node="node1")
        clock.forward(minutes=1)
        asked = {"name": "kept", "backup_type": series, "rotation": rotation}
        answer = create_image(demo, stopped, {"createBackup": asked})
        assert answer.status_code == 202, answer.text
        image = str(answer.headers["Location"].rsplit("/", 1)[-1])
        bring(anyone, image, token_for(served, image), brings)
        return image

    return _back_up


def kept(demo: Asking) -> set[str]:
    listed = demo.get(f"{PATH}/images/detail").json["images"]
    return {image["id"] for image in listed if image["metadata"].get("image_type") == "backup"}


def test_the_newest_of_a_series_are_kept(demo: Asking, back_up: Callable[..., str]) -> None:
    other = back_up(series="weekly")
    images = [back_up() for _ in range(3)]
    assert kept(demo) == {other, *images[1:]}


def test_a_backup_that_fails_takes_no_older_one_away(demo: Asking, back_up: Callable[..., str]) -> None:
    good = back_up(rotation=1)
    broken = back_up(rotation=1, brings="?disk_format=qcow2")
    assert kept(demo) == {good, broken}
    assert demo.get(f"/image/v2/images/{good}").json["status"] == "active"
    assert demo.get(f"/image/v2/images/{broken}").json["status"] == "killed"


def test_images_that_are_no_backups_or_are_protected_are_not_rotated(
    demo: Asking, anyone: Asking, back_up: Callable[..., str], stopped: str, served: Cloud
) -> None:
    plain = made(demo, stopped)
    bring(anyone, plain, token_for(served, plain))
    protected = back_up(rotation=1)
    patch = [{"op": "replace", "path": "/protected", "value": True}]
    kind = "application/openstack-images-v2.1-json-patch"
    demo.send("PATCH", f"/image/v2/images/{protected}", data=json.dumps(patch), content_type=kind)
    newest = back_up(rotation=1)
    assert kept(demo) == {protected, newest}
    assert demo.get(f"/image/v2/images/{plain}").json["status"] == "active"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rotation": -1}, "rotation"),
        ({"rotation": "many"}, "rotation"),
        ({"rotation": None}, "rotation"),
        ({"backup_type": None}, "backup_type"),
        ({"backup_type": 1}, "backup_type"),
        ({"name": ""}, "name"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_backup_that_can_not_be_meant_is_refused(
    demo: Asking, stopped: str, change: dict[str, object], named: str
) -> None:
    asked = {"name": "kept", "backup_type": "daily", "rotation": 1, **change}
    answer = create_image(demo, stopped, {"createBackup": asked})
    assert answer.status_code == 400
    assert named in answer.json["badRequest"]["message"]
