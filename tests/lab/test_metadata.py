"""Real guests ask 169.254.169.254 what they are: two tenants' at once, with the same address."""

from __future__ import annotations

import json

import pytest

from lab import cloud as lab_cloud
from lab import network_guest
from tests.lab import direct_boot
from tests.lab.network_guests import own_network, start, view, wait_seen
from tests.lab.test_cloud import Session

ADDRESS = "10.7.0.10"
META_DATA = "ask /openstack/latest/meta_data.json"
INSTANCE_ID = "ask /2009-04-04/meta-data/instance-id"


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    """A tenant whose guests tell what they see from here on."""
    direct_boot.use(cloud, network_guest.write_initrd)
    return Session(cloud, cloud.demo)


def test_guests_with_the_same_address_read_each_their_own_metadata(cloud: lab_cloud.LabCloud, tenant: Session) -> None:
    stranger = Session(cloud, cloud.admin)
    servers = []
    for session, name in ((tenant, "Web 1"), (stranger, "Db 2")):
        network = own_network(session, f"back of {name}", "10.7.0.0/24")
        orders = f"{META_DATA}\n{INSTANCE_ID}\n"
        servers.append((session, name, start(session, name, network, fixed_ip=ADDRESS, orders=orders)))

    for session, name, server in servers:
        seen = wait_seen(session, server, {INSTANCE_ID: server})
        told = json.loads(seen[META_DATA])
        assert (told["uuid"], told["name"]) == (server, name.replace(" ", ""))
        assert told["hostname"] == name.lower().replace(" ", "-")
        assert view(session, server)["lease-eth0"].startswith(f"{ADDRESS}/24")

    for session, _, server in servers:
        session.call("DELETE", f"/servers/{server}")
        session.wait(server, "GONE")
