"""Who had which address: a row for each time that somebody did, whatever became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from cloud import creations, floating_ips, instances, interfaces, ports, sweeper
from cloud.creations import CreateSpec
from cloud.floating_ips import FloatingChange, FloatingSpec, Target
from cloud.ports import Interface, Interfaces, PortSpec
from db import address_history
from db.address_history import Holding
from tests.support import networks
from tests.support.clouds import World


def holders(world: World, ip: str, at: datetime | None = None) -> Sequence[Holding]:
    with world.cloud.sessions.read() as db:
        return address_history.page(db, ip, limit=100, at=at)


@pytest.fixture
def network(world: World) -> str:
    return networks.add(world.cloud, "192.0.2.0/30", "2001:db8::/64")


def test_an_address_has_a_row_for_each_server_that_had_it(world: World, network: str) -> None:
    first = world.active("first")
    port = interfaces.page(world.cloud, world.caller, first)[0].view
    world.clock.tick(60)
    ended = world.clock()
    instances.delete(world.cloud, world.fresh(), first)
    world.run_out(first)
    gone = world.clock()
    world.clock.tick(60)
    second = world.create_one("second")

    later, earlier = holders(world, "192.0.2.2")
    assert (earlier.instance_id, later.instance_id, later.until) == (first, second, None)
    assert (earlier.port_id, earlier.mac, earlier.network_id) == (port.port.id, port.port.mac, network)
    assert (earlier.project_id, earlier.subnet_id) == (world.project.id, port.addresses[0].subnet_id)
    assert earlier.until is not None
    assert ended <= earlier.until <= gone < later.since
    for at, who in ((earlier.since, [first]), (earlier.until, []), (later.since, [second]), (world.clock(), [second])):
        assert [each.instance_id for each in holders(world, "192.0.2.2", at)] == who
    assert holders(world, "192.0.2.2", earlier.since - timedelta(seconds=1)) == []
    six = port.addresses[1].ip
    assert [(each.instance_id, each.until) for each in holders(world, six)] == [(first, earlier.until)]


def test_a_port_is_told_from_the_servers_that_have_it(world: World, network: str) -> None:
    (made,) = ports.create(world.cloud, world.fresh(), [PortSpec(network)])
    world.clock.tick(60)
    wanted = Interfaces(automatic=False, wanted=(Interface(port_id=made.port.id),))
    spec = CreateSpec(name="web", flavor_id=world.flavor.id, image_id=world.image.id, interfaces=wanted)
    server = creations.create(world.cloud, world.fresh(), spec)[0].id
    world.clock.tick(60)
    world.delete(server)
    world.run_out(server)
    world.clock.tick(60)
    interfaces.delete_port(world.cloud, world.fresh(), made.port.id)

    rows = holders(world, "192.0.2.2")[::-1]
    assert [row.instance_id for row in rows] == [None, server, None]
    assert [row.until for row in rows[:-1]] == [row.since for row in rows[1:]]
    assert rows[-1].until is not None
    assert rows[-1].since < rows[-1].until <= world.clock()


def test_a_floating_ip_is_told_from_server_to_server(world: World) -> None:
    networks.add(world.cloud, "10.0.0.0/24", name="inside", is_default=True)
    outside = networks.add(world.cloud, "203.0.113.0/29", name="outside", external=True)
    one, two = world.active("one"), world.active("two")
    floating = ""
    for server in (one, two):
        port = interfaces.page(world.cloud, world.caller, server)[0].view.port.id
        world.clock.tick(60)
        if not floating:
            spec = FloatingSpec(outside, target=Target(port))
            floating = floating_ips.create(world.cloud, world.fresh(), spec).floating.id
        else:
            change = FloatingChange(associates=True, target=Target(port))
            floating_ips.update(world.cloud, world.fresh(), floating, change)
        world.run_out(server)
        world.clock.tick(60)
        floating_ips.update(world.cloud, world.fresh(), floating, FloatingChange(associates=True))
        world.run_out(server)
    world.clock.tick(60)
    floating_ips.delete(world.cloud, world.fresh(), floating)
    rows = holders(world, "203.0.113.2")[::-1]
    assert [row.instance_id for row in rows] == [one, None, two, None]
    assert all(row.until is not None for row in rows)


def test_what_ended_long_ago_is_forgotten_and_what_is_held_is_not(world: World, network: str) -> None:
    (gone,) = ports.create(world.cloud, world.fresh(), [PortSpec(network)])
    interfaces.delete_port(world.cloud, world.fresh(), gone.port.id)
    (kept,) = ports.create(world.cloud, world.fresh(), [PortSpec(network)])
    assert len(holders(world, "192.0.2.2")) == 2
    world.clock.tick(399 * 86400)
    sweeper.forget_expired(world.cloud)
    assert len(holders(world, "192.0.2.2")) == 2
    world.clock.tick(2 * 86400)
    sweeper.forget_expired(world.cloud)
    assert [row.port_id for row in holders(world, "192.0.2.2")] == [kept.port.id]


def test_it_is_listed_in_pages(world: World, network: str) -> None:
    for _ in range(5):
        (made,) = ports.create(world.cloud, world.fresh(), [PortSpec(network)])
        interfaces.delete_port(world.cloud, world.fresh(), made.port.id)
    seen: list[int] = []
    before = None
    with world.cloud.sessions.read() as db:
        while page := address_history.page(db, "192.0.2.2", limit=2, before=before):
            seen += [row.id for row in page]
            before = page[-1]
    assert (len(seen), seen) == (5, sorted(seen, reverse=True))
