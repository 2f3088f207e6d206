"""What a member of a project does with its floating IPs, and what it sees of them."""

from __future__ import annotations

import ipaddress

from cloud import floating_ips, interfaces, ports
from cloud.floating_ips import FloatingChange, FloatingSpec, Target
from db import quotas as quota_rows
from db.floating_ips import FloatingView
from db.quotas import Resource
from tests.support.clouds import World

IP = ipaddress.ip_address


def fixed_port(world: World, server: str) -> str:
    return interfaces.page(world.cloud, world.fresh(), server)[0].view.port.id


def take(world: World, network: str, **wanted: object) -> FloatingView:
    world.clock.tick()
    return floating_ips.create(world.cloud, world.fresh(), FloatingSpec(network, **wanted))  # type: ignore[arg-type]


def associate(world: World, floating: str, port: str | None, ip: str | None = None) -> FloatingView:
    world.clock.tick()
    target = Target(port, IP(ip) if ip else None) if port else None
    return floating_ips.update(world.cloud, world.fresh(), floating, FloatingChange(associates=True, target=target))


def show(world: World, floating: str) -> FloatingView:
    return floating_ips.get(world.cloud, world.fresh(), floating)


def used(world: World) -> int:
    with world.cloud.sessions.read() as db:
        return quota_rows.usages(db, world.project.id).get(Resource.FLOATING_IPS, 0)


def ips(world: World, server: str) -> list[tuple[str, bool]]:
    return [(each.ip, each.floating) for each in ports.shown(world.cloud, [server]).get(server, ())]
