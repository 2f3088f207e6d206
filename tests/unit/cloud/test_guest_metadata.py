"""What a guest is told of itself when it asks."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from cloud import creations, guest_metadata, guests, keypairs
from cloud.settings import CloudSettings
from common import names
from common.errors import NotFound, Unavailable
from db import instances as instance_rows
from db import ports
from db.sessions import Sessions
from tests.support import clouds, networks
from tests.support.clouds import World

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJo9WZzqzUEPSSAzlZJQ2mVzmMxVVbBYqVgmxzUUCuUn me"
USER_DATA = b"#!/bin/sh\n\xff"


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = clouds.world(sessions, settings=CloudSettings(guest_url="https://api.example:8774"))
    made.cloud = replace(made.cloud, vault=made.vault)
    return made


@pytest.fixture
def server(world: World) -> str:
    """A server with a key, user data, and an interface of two addresses."""
    keypairs.add(world.cloud, world.fresh(), "mine", public_key=KEY)
    networks.add(world.cloud, "10.7.0.0/24", "fd00:7::/64", is_default=True)
    spec = creations.CreateSpec(
        name="Web 1",
        flavor_id=world.flavor.id,
        image_id=world.image.id,
        key_name="mine",
        metadata={"role": "front"},
        guest=guests.GuestSpec(password="pa55-word", user_data=USER_DATA, files=(guests.File("/etc/motd", b"h1dden"),)),
    )
    return creations.create(world.cloud, world.fresh(), spec)[0].id


def body(world: World, server: str, path: str) -> bytes:
    return guest_metadata.find(world.cloud, server, path).body


def lines(world: World, server: str, path: str) -> list[str]:
    return body(world, server, path).decode().splitlines()


def document(world: World, server: str, name: str, version: str = "latest") -> Any:
    found = guest_metadata.find(world.cloud, server, f"openstack/{version}/{name}")
    assert found.media_type == "application/json"
    return json.loads(found.body)


@pytest.mark.parametrize("version", guest_metadata.OPENSTACK_VERSIONS)
def test_openstack_s_metadata_names_the_server(world: World, server: str, version: str) -> None:
    assert document(world, server, "meta_data.json", version) == {
        "uuid": server,
        "name": "Web 1",
        "hostname": "web-1",
        "project_id": world.project.id,
        "availability_zone": "nova",
        "launch_index": 0,
        "meta": {"role": "front"},
        "public_keys": {"mine": KEY},
        "keys": [{"name": "mine", "type": "ssh", "data": KEY}],
        "devices": [],
    }


def test_user_data_comes_as_it_was_given(world: World, server: str) -> None:
    assert body(world, server, "openstack/2012-08-10/user_data") == USER_DATA
    assert body(world, server, "2009-04-04/user-data") == USER_DATA


def test_the_network_is_the_one_of_the_disk(world: World, server: str) -> None:
    with world.cloud.sessions.read() as db:
        (port,) = ports.of_instance(db, server)
    world.submit()
    token = world.rapi.created[-1].osparams["guest_token"]
    disk = guests.redeem(world.cloud, token, ganeti_name=world.instance(server).ganeti_name)["network"]["ethernets"]
    found = document(world, server, "network_data.json")
    (link,) = found["links"]
    assert (link["id"], link["ethernet_mac_address"], link["type"]) == ("port0", port.mac, "phy")
    assert disk["port0"]["match"]["macaddress"] == port.mac
    assert disk["port0"]["mtu"] == link["mtu"]
    four, six = found["networks"]
    assert (four["type"], four["link"], four["netmask"]) == ("ipv4", "port0", "255.255.255.0")
    assert disk["port0"]["addresses"][0] == f"{four['ip_address']}/24"
    assert four["routes"] == [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.7.0.1"}]
    assert disk["port0"]["routes"][0] == {"to": "0.0.0.0/0", "via": "10.7.0.1"}
    assert six["type"] == "ipv6_slaac"


def test_ec2_s_metadata_says_the_same(world: World, server: str) -> None:
    meta = "2009-04-04/meta-data"
    assert body(world, server, f"{meta}/instance-id").decode() == server
    assert body(world, server, f"{meta}/local-hostname") == b"web-1"
    assert body(world, server, f"{meta}/public-keys/0/openssh-key").decode() == KEY
    assert body(world, server, f"{meta}/local-ipv4").startswith(b"10.7.0.")
    assert body(world, server, f"{meta}/placement/availability-zone") == b"nova"


def test_lists_show_what_there_is(world: World, server: str) -> None:
    assert lines(world, server, "openstack") == list(guest_metadata.OPENSTACK_VERSIONS)
    assert lines(world, server, "/") == list(guest_metadata.EC2_VERSIONS)
    wanted = ["meta_data.json", "network_data.json", "password", "vendor_data.json", "user_data"]
    assert lines(world, server, "openstack/latest/") == wanted
    assert lines(world, server, "latest") == ["meta-data/", "user-data"]
    assert {"placement/", "public-keys/", "instance-id"} <= set(lines(world, server, "latest/meta-data/"))
    assert lines(world, server, "latest/meta-data/public-keys/") == ["0=mine"]


def test_neither_password_nor_file_is_anywhere(world: World, server: str) -> None:
    def walk(path: str) -> bytes:
        said = body(world, server, path)
        names = [each.partition("=")[0].rstrip("/") for each in said.decode(errors="replace").splitlines()]
        return said + b"".join(walk(f"{path}/{name}") for name in names if exists(f"{path}/{name}"))

    def exists(path: str) -> bool:
        try:
            return bool(body(world, server, path) or True)
        except NotFound:
            return False

    everything = walk("latest") + walk("openstack/latest")
    assert KEY.encode() in everything
    assert b"pa55-word" not in everything
    assert b"h1dden" not in everything


def test_a_server_of_which_nothing_is_kept_still_has_its_name(world: World) -> None:
    world.cloud = replace(world.cloud, settings=CloudSettings(), vault=None)
    server = world.create_one()
    assert document(world, server, "meta_data.json")["hostname"] == "web"
    assert lines(world, server, "latest") == ["meta-data/"]
    with pytest.raises(NotFound):
        body(world, server, "openstack/latest/user_data")


def test_a_changed_name_is_told_at_once(world: World, server: str) -> None:
    with world.cloud.sessions.begin() as db:
        row = instance_rows.get(db, server)
        assert row is not None
        row.name, row.meta = "Db 2", {"role": "back"}
    found = document(world, server, "meta_data.json")
    assert (found["hostname"], found["meta"]) == ("db-2", {"role": "back"})


@pytest.mark.parametrize(
    "path", ["1999-01-01", "openstack/2012-08-10/other", "latest/meta-data/instance-id/more", "..", "latest/../latest"]
)
def test_where_there_is_nothing_nothing_is_told(world: World, server: str, path: str) -> None:
    with pytest.raises(NotFound):
        body(world, server, path)


def test_an_unknown_and_a_deleted_server_are_told_nothing(world: World, server: str) -> None:
    with pytest.raises(NotFound, match="no such instance"):
        body(world, names.new_id(), "openstack")
    world.finish(server)
    world.delete(server)
    world.finish(server)
    with pytest.raises(NotFound, match="no such instance"):
        body(world, server, "openstack")


def test_without_the_key_what_is_sealed_is_unavailable(world: World, server: str) -> None:
    world.cloud = replace(world.cloud, vault=None)
    with pytest.raises(Unavailable):
        body(world, server, "openstack")


@pytest.mark.parametrize("path", ["openstack", "openstack/latest/meta_data.json", "latest/meta-data/", "nothing"])
def test_three_statements_are_enough(world: World, server: str, path: str) -> None:
    def ask() -> None:
        try:
            guest_metadata.find(world.cloud, server, path)
        except NotFound:
            assert path == "nothing"

    assert len(clouds.count_statements(world.cloud.sessions, partial(ask))) == 3
