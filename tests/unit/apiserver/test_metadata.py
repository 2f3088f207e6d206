"""The metadata service's face to the nodes: whom it believes."""

import hashlib
import hmac
from collections.abc import Iterator

import flask
import pytest
from werkzeug.test import TestResponse

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import instances
from common import names
from tests.support import clouds
from tests.support.clouds import World
from tests.unit.apiserver.asking import Asking

SECRET = "between-node-and-api"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all of these tests: making an app takes longer than any of them."""
    sessions = clouds.sqlite_sessions(tmp_path_factory.mktemp("metadata"))
    yield clouds.world(sessions)
    sessions.close()


@pytest.fixture(scope="module")
def server(world: World) -> str:
    return world.create_one("Web 1")


def app_with(world: World, secret: str) -> flask.Flask:
    return create_app(world.cloud, ApiSettings(metadata_secret=secret), bus_ready=lambda: True)


@pytest.fixture(scope="module")
def node(world: World) -> Asking:
    return Asking(app_with(world, SECRET).test_client())


def signed(instance_id: str, secret: str = SECRET) -> dict[str, str]:
    signature = hmac.new(secret.encode(), instance_id.encode(), hashlib.sha256).hexdigest()
    return {"X_Instance_ID": instance_id, "X_Instance_ID_Signature": signature}


def ask(node: Asking, path: str = "/metadata/openstack/latest/meta_data.json", **headers: str) -> TestResponse:
    return node.get(path, **headers)


def test_a_signed_id_is_told_its_metadata(node: Asking, server: str) -> None:
    answer = ask(node, **signed(server))
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json is not None
    assert answer.json["uuid"] == server
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/metadata/", "/metadata/latest/meta-data/", "/metadata/openstack", "/metadata/openstack/"]
)
def test_lists_are_text(node: Asking, server: str, path: str) -> None:
    answer = ask(node, path, **signed(server))
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert answer.text


def test_each_is_told_its_own(node: Asking, world: World, server: str) -> None:
    other = world.create_one("other")
    told = [ask(node, "/metadata/latest/meta-data/instance-id", **signed(each)).text for each in (server, other)]
    assert told == [server, other]


@pytest.mark.parametrize("left_out", ["X_Instance_ID", "X_Instance_ID_Signature"])
def test_a_missing_header_is_named(node: Asking, server: str, left_out: str) -> None:
    headers = signed(server)
    del headers[left_out]
    answer = ask(node, **headers)
    assert answer.status_code == 400
    assert f"{left_out.replace('_', '-')}: " in answer.text


@pytest.mark.parametrize("signature", ["", "0" * 64, "é" * 64, "\xff", "x" * 9999])
def test_a_wrong_signature_opens_nothing(node: Asking, server: str, signature: str) -> None:
    answer = ask(node, **{**signed(server), "X_Instance_ID_Signature": signature})
    assert answer.status_code == (403 if signature else 400)
    assert server not in answer.text


def test_the_signature_of_another_id_or_secret_opens_nothing(node: Asking, server: str) -> None:
    others = signed(names.new_id())["X_Instance_ID_Signature"]
    assert ask(node, X_Instance_ID=server, X_Instance_ID_Signature=others).status_code == 403
    assert ask(node, **signed(server, "another")).status_code == 403


@pytest.mark.parametrize("instance_id", ["f8b0c3a3-889c-425b-99f4-ed180e19d176", "syros-1", "é", "../..", "'; --"])
def test_an_unknown_id_is_not_found_even_when_it_is_signed(node: Asking, world: World, instance_id: str) -> None:
    assert ask(node, **signed(instance_id)).status_code == 404


def test_a_path_with_nothing_is_not_found(node: Asking, server: str) -> None:
    for path in ("/metadata/latest/nothing", "/metadata/openstack/latest/user_data", "/metadata/%00", "/metadata/%ff"):
        assert ask(node, path, **signed(server)).status_code == 404, path


def test_it_is_read_only(node: Asking, server: str) -> None:
    answer = node.send("POST", "/metadata/openstack/latest/password", data="x", **signed(server))
    assert answer.status_code == 405


def test_without_a_secret_nobody_is_told_anything(world: World, server: str) -> None:
    node = Asking(app_with(world, "").test_client())
    assert ask(node, **signed(server, "")).status_code == 404


def test_a_deleted_server_is_not_found(node: Asking, world: World) -> None:
    server = world.create_one()
    world.finish(server)
    instances.delete(world.cloud, world.fresh(), server)
    world.finish(server)
    assert ask(node, **signed(server)).status_code == 404
