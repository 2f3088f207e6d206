"""What a program does with openstacksdk, from the first key pair to the last delete."""

from __future__ import annotations

import sys

import openstack
from openstack import exceptions
from openstack.compute.v2.server import Server
from openstack.connection import Connection

from tests.e2e.clients.expectations import PATIENCE, eventually, refused


def main(cloud: str, other_cloud: str) -> None:
    """Live through it all; whatever is not as it should be ends in an exception."""
    user, stranger = openstack.connect(cloud=cloud), openstack.connect(cloud=other_cloud)
    compute = user.compute
    image = user.image.find_image("debian-12", ignore_missing=False)
    assert compute.create_keypair(name="sdk").private_key
    group = compute.create_server_group(name="sdk-apart", policies=["anti-affinity"])
    server = compute.create_server(
        name="sdk",
        flavor_id=compute.find_flavor("m1.tiny").id,
        image_id=image.id,
        key_name="sdk",
        metadata={"role": "web"},
        user_data="IyEvYmluL3NoCg==",
        scheduler_hints={"group": group.id},
        networks="none",
    )
    server = _wait(user, server)
    assert (server.key_name, server.metadata) == ("sdk", {"role": "web"})
    assert compute.get_server_group(group).member_ids == [server.id]
    assert [found.id for found in compute.servers(name="^sdk$", status="ACTIVE", limit=1)] == [server.id]

    _turn_off_and_on(user, server)
    _resize(user, server)
    compute.rebuild_server(server, image=image.id, name="sdk-again")
    server = _wait(user, server)
    assert server.name == "sdk-again"
    _note(user, server)
    compute.lock_server(server)
    refused(exceptions.ConflictException, lambda: compute.stop_server(server))
    compute.unlock_server(server)
    _keep_images(user)
    _let_in(user, image.id)
    _be_refused(user, stranger)

    actions = {action.action for action in compute.server_actions(server)}
    assert actions >= {"create", "stop", "start", "reboot", "resize", "revertResize", "confirmResize", "rebuild"}
    compute.delete_server(server)
    compute.wait_for_delete(server, wait=PATIENCE)
    compute.delete_server_group(group)
    compute.delete_keypair("sdk")
    assert "sdk" not in [key.name for key in compute.keypairs()]


def _turn_off_and_on(user: Connection, server: Server) -> None:
    compute = user.compute
    compute.stop_server(server)
    _wait(user, server, "SHUTOFF")
    compute.start_server(server)
    _wait(user, server)
    for kind in ("SOFT", "HARD"):
        compute.reboot_server(server, kind)
        _wait(user, server)


def _resize(user: Connection, server: Server) -> None:
    compute, small = user.compute, user.compute.find_flavor("m1.small")
    compute.resize_server(server, small.id)
    _wait(user, server, "VERIFY_RESIZE")
    compute.revert_server_resize(server)
    _wait(user, server)
    compute.resize_server(server, small.id)
    _wait(user, server, "VERIFY_RESIZE")
    compute.confirm_server_resize(server)
    _wait(user, server)


def _note(user: Connection, server: Server) -> None:
    compute = user.compute
    compute.set_server_metadata(server, tier="front")
    assert compute.get_server_metadata(server).metadata == {"role": "web", "tier": "front"}
    compute.delete_server_metadata(server, ["role"])
    assert compute.get_server_metadata(server).metadata == {"tier": "front"}


def _keep_images(user: Connection) -> None:
    made = user.image.create_image(name="sdk-image", data=b"small" * 1000, disk_format="raw", container_format="bare")
    eventually(lambda: user.image.get_image(made).status == "active", "the image is active")
    user.image.delete_image(made)
    refused(exceptions.NotFoundException, lambda: user.image.get_image(made))


def _let_in(user: Connection, image_id: str) -> None:
    network, compute = user.network, user.compute
    group = network.create_security_group(name="sdk-web")
    wanted = {"security_group_id": group.id, "direction": "ingress", "protocol": "tcp"}
    http = network.create_security_group_rule(**wanted, port_range_min=80, port_range_max=80)
    refused(
        exceptions.ConflictException,
        lambda: network.create_security_group_rule(**wanted, port_range_min=80, port_range_max=80),
    )
    assert http.id in [rule["id"] for rule in network.get_security_group(group).security_group_rules]
    server = compute.create_server(
        name="sdk-web",
        flavor_id=compute.find_flavor("m1.tiny").id,
        image_id=image_id,
        networks="auto",
        security_groups=[{"name": "sdk-web"}],
    )
    server = _wait(user, server)
    assert server.security_groups == [{"name": "sdk-web"}]
    (port,) = network.ports(device_id=server.id, security_group_ids=[group.id])
    assert (port.security_group_ids, port.is_port_security_enabled) == ([group.id], True)
    default = network.find_security_group("default", ignore_missing=False)
    port = network.update_port(port, security_group_ids=[group.id, default.id])
    assert sorted(port.security_group_ids) == sorted([group.id, default.id])
    compute.remove_security_group_from_server(server, group)
    compute.fetch_server_security_groups(server)
    assert [each["name"] for each in server.security_groups] == ["default"]
    compute.delete_server(server)
    compute.wait_for_delete(server, wait=PATIENCE)
    network.delete_security_group_rule(http)
    network.delete_security_group(group, ignore_missing=False)


def _be_refused(user: Connection, stranger: Connection) -> None:
    image, tiny = user.image.find_image("debian-12"), user.compute.find_flavor("m1.tiny")
    wanted = {"name": "sdk-none", "image_id": image.id, "networks": "none"}
    refused(exceptions.BadRequestException, lambda: user.compute.create_server(**wanted, flavor_id="m9.none"))
    many = {"min_count": 100, "max_count": 100}
    refused(exceptions.ForbiddenException, lambda: user.compute.create_server(**wanted, flavor_id=tiny.id, **many))
    theirs = stranger.compute.create_server(**wanted, flavor_id=tiny.id)
    refused(exceptions.NotFoundException, lambda: user.compute.get_server(theirs.id))
    refused(exceptions.NotFoundException, lambda: user.compute.stop_server(theirs.id))
    stranger.compute.delete_server(theirs)
    stranger.compute.wait_for_delete(theirs, wait=PATIENCE)


def _wait(user: Connection, server: Server, status: str = "ACTIVE") -> Server:
    # the client believes what it was told last, so it is told anew
    return user.compute.wait_for_server(user.compute.get_server(server), status=status, wait=PATIENCE)


if __name__ == "__main__":
    main(*sys.argv[1:])
