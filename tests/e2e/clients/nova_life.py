"""What a program does with python-novaclient, from the first key pair to the last delete."""

from __future__ import annotations

import sys
from typing import Any

from novaclient import client, exceptions
from novaclient.v2.client import Client
from novaclient.v2.servers import Server
from openstack.config import OpenStackConfig

from tests.e2e.clients.expectations import eventually, refused

_USER_DATA = "#!/bin/sh\necho hello\n"


def main(cloud: str, other_cloud: str) -> None:
    """Live through it all; whatever is not as it should be ends in an exception."""
    nova, stranger = _client(cloud), _client(other_cloud)
    _see_what_there_is(nova)
    key = nova.keypairs.create("nova")
    assert key.private_key
    _import_key(nova, key.public_key)

    group = nova.server_groups.create("nova-apart", ["anti-affinity"])
    server = nova.servers.create(
        "nova-1",
        nova.glance.find_image("debian-12"),
        nova.flavors.find(name="m1.tiny"),
        key_name="nova",
        meta={"role": "web"},
        userdata=_USER_DATA,
        scheduler_hints={"group": group.id},
    )
    _wait(nova, server, "ACTIVE")
    shown = nova.servers.get(server)
    assert (shown.name, shown.key_name, shown.metadata) == ("nova-1", "nova", {"role": "web"})
    assert nova.server_groups.get(group.id).members == [server.id]

    _list(nova, server)
    _turn_off_and_on(nova, server)
    _resize(nova, server)
    _rebuild(nova, server)
    _note(nova, server)
    _lock(nova, server)

    actions = {action.action for action in nova.instance_action.list(server)}
    assert actions >= {"create", "stop", "start", "reboot", "resize", "revertResize", "confirmResize", "rebuild"}
    created = nova.instance_action.list(server)[-1]
    steps = nova.instance_action.get(server, created.request_id).events
    assert [step["result"] for step in steps] == ["Success"]
    _be_refused(nova, stranger)
    _delete(nova, server)
    nova.server_groups.delete(group.id)
    nova.keypairs.delete("nova")


def _client(cloud: str) -> Client:
    return client.Client("2.1", session=OpenStackConfig().get_one(cloud).get_session())


def _see_what_there_is(nova: Client) -> None:
    assert {"m1.tiny", "m1.small"} <= {flavor.name for flavor in nova.flavors.list()}
    assert len(nova.flavors.list(limit=1)) == 1
    limits = {limit.name: limit.value for limit in nova.limits.get().absolute}
    quota = nova.quotas.get(nova.client.get_project_id())
    assert limits["maxTotalInstances"] == quota.instances > 0
    assert limits["maxServerGroups"] == quota.server_groups > 0
    assert [zone.zoneName for zone in nova.availability_zones.list(detailed=False)] == ["nova"]


def _import_key(nova: Client, public_key: str) -> None:
    nova.keypairs.create("nova-imported", public_key)
    found = {key.name: key.fingerprint for key in nova.keypairs.list()}
    assert found["nova-imported"] == found["nova"] == nova.keypairs.get("nova").fingerprint
    refused(exceptions.Conflict, lambda: nova.keypairs.create("nova-imported", public_key))
    nova.keypairs.delete("nova-imported")
    refused(exceptions.NotFound, lambda: nova.keypairs.get("nova-imported"))


def _list(nova: Client, server: Server) -> None:
    second = nova.servers.create("nova-2", nova.glance.find_image("debian-12"), nova.flavors.find(name="m1.tiny"))
    ours = {"name": "^nova-"}

    # Any: the client's own arguments
    def ids(**asked: Any) -> list[str]:
        return [found.id for found in nova.servers.list(search_opts=ours, **asked)]

    assert ids() == ids(limit=-1) == [second.id, server.id]
    assert ids(sort_keys=["display_name"], sort_dirs=["asc"]) == [server.id, second.id]
    assert ids(limit=1) == [second.id]
    assert ids(limit=1, marker=second.id) == [server.id]
    assert nova.servers.list(search_opts={**ours, "status": "SHUTOFF"}) == []
    assert nova.servers.find(name="nova-1").id == server.id
    _delete(nova, second)


def _turn_off_and_on(nova: Client, server: Server) -> None:
    server.stop()
    _wait(nova, server, "SHUTOFF")
    refused(exceptions.Conflict, server.stop)
    server.start()
    _wait(nova, server, "ACTIVE")
    server.reboot("SOFT")
    _wait(nova, server, "ACTIVE")
    server.reboot("HARD")
    _wait(nova, server, "ACTIVE")


def _resize(nova: Client, server: Server) -> None:
    refused(exceptions.Conflict, server.confirm_resize)
    small = nova.flavors.find(name="m1.small")
    server.resize(small)
    _wait(nova, server, "VERIFY_RESIZE")
    server.revert_resize()
    _wait(nova, server, "ACTIVE")
    assert nova.servers.get(server).flavor["id"] != small.id
    server.resize(small)
    _wait(nova, server, "VERIFY_RESIZE")
    server.confirm_resize()
    _wait(nova, server, "ACTIVE")
    assert nova.servers.get(server).flavor["id"] == small.id


def _rebuild(nova: Client, server: Server) -> None:
    image = nova.glance.find_image("debian-12")
    assert server.rebuild(image, name="nova-again").id == server.id
    _wait(nova, server, "ACTIVE")
    assert nova.servers.get(server).name == "nova-again"
    assert nova.servers.update(server, name="nova-1").name == "nova-1"


def _note(nova: Client, server: Server) -> None:
    nova.servers.set_meta(server, {"tier": "front"})
    assert nova.servers.get(server).metadata == {"role": "web", "tier": "front"}
    nova.servers.delete_meta(server, ["role"])
    assert nova.servers.get(server).metadata == {"tier": "front"}
    refused(exceptions.NotFound, lambda: nova.servers.delete_meta(server, ["role"]))


def _lock(nova: Client, server: Server) -> None:
    server.lock()
    refused(exceptions.Conflict, server.stop)
    refused(exceptions.Conflict, server.delete)
    server.unlock()


def _be_refused(nova: Client, stranger: Client) -> None:
    image, tiny = nova.glance.find_image("debian-12"), nova.flavors.find(name="m1.tiny")
    refused(exceptions.NotFound, lambda: nova.flavors.get("m9.none"))
    refused(exceptions.BadRequest, lambda: nova.servers.create("nova-none", image, "m9.none"))
    refused(exceptions.BadRequest, lambda: nova.servers.create("nova-none", image, tiny, key_name="nova-none"))
    refused(exceptions.Forbidden, lambda: nova.servers.create("nova-many", image, tiny, min_count=100, max_count=100))
    refused(exceptions.Forbidden, lambda: nova.servers.list(search_opts={"all_tenants": 1}))

    theirs = stranger.servers.create("nova-theirs", image, tiny)
    refused(exceptions.NotFound, lambda: nova.servers.get(theirs.id))
    refused(exceptions.NotFound, lambda: nova.servers.delete(theirs.id))
    refused(exceptions.BadRequest, lambda: nova.servers.list(marker=theirs.id))
    _delete(stranger, theirs)


def _wait(nova: Client, server: Server, status: str) -> None:
    def reached() -> bool:
        found = nova.servers.get(server).status
        assert found != "ERROR", nova.servers.get(server).fault
        return bool(found == status)

    eventually(reached, f"{server.name} is {status}")


def _delete(nova: Client, server: Server) -> None:
    nova.servers.delete(server)

    def gone() -> bool:
        try:
            nova.servers.get(server)
        except exceptions.NotFound:
            return True
        return False

    # by its id: what the client has not read of a server it would fetch now, and that server may be gone
    eventually(gone, f"the server {server.id} is gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
