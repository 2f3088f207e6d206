"""Many hands on the security groups of one project: one default group, no rule twice, and nobody waits in a circle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sqlalchemy as sa

from cloud import creations, interfaces, ports, quotas, security_group_rules, security_groups
from cloud.ports import Interface, Interfaces, PortChange, PortSpec
from cloud.security_group_rules import RuleSpec
from cloud.security_groups import GroupSpec
from common.errors import Conflict, NotFound
from db import ports as port_rows
from db.security_groups import Direction, Filter, RuleFilter, SecurityGroup
from tests.integration.cloud.test_concurrency import together
from tests.support import networks
from tests.support import security_groups as groups
from tests.support.clouds import World


def test_the_default_group_is_made_once_by_whoever_needs_it_first(postgres_world: World) -> None:
    world = postgres_world
    network = networks.add(world.cloud, "10.0.0.0/16")

    def make_port() -> None:
        ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network)])

    def look() -> None:
        security_groups.page(world.cloud, world.fresh(), Filter(), limit=10)

    def make_group() -> None:
        security_groups.create(world.cloud, world.fresh(), [GroupSpec(name="web")])

    assert together([make_port, look, world.create_one, make_group] * 4) == []

    with world.cloud.sessions.read() as db:
        defaults = db.scalars(sa.select(SecurityGroup.id).where(SecurityGroup.is_default)).all()
    (default,) = defaults
    assert {tuple(view.groups) for view in ports.page(world.cloud, world.fresh(), port_rows.Filter(), limit=50)} == {
        (default,)
    }
    assert quotas.audit(world.cloud) == []


def test_a_rule_that_several_make_at_once_is_there_once(postgres_world: World) -> None:
    world = postgres_world
    group = groups.add(world)

    raised = together([partial(groups.allow, world, group)] * 8)

    assert [type(err) for err in raised] == [Conflict] * 7
    found = security_group_rules.page(world.cloud, world.fresh(), RuleFilter(group_ids=[group.id]), limit=50)
    assert len([rule for rule in found if rule.direction is Direction.INGRESS]) == 1
    assert quotas.audit(world.cloud) == []


def test_a_group_is_deleted_or_used_and_never_both(postgres_world: World) -> None:
    world = postgres_world
    network = networks.add(world.cloud, "10.0.0.0/16")
    for _ in range(5):
        group = groups.add(world)
        spec = PortSpec(network_id=network, groups=(group.id,))
        raised = together(
            [
                partial(ports.create, world.cloud, world.fresh(), [spec]),
                partial(security_groups.delete, world.cloud, world.fresh(), group.id),
                partial(groups.allow, world, group, remote_group_id=group.id),
            ]
        )
        assert {type(err) for err in raised} <= {Conflict, NotFound}
        assert raised
    assert quotas.audit(world.cloud) == []


def test_servers_ports_and_rules_that_change_together_do_not_wait_in_a_circle(postgres_world: World) -> None:
    world = postgres_world
    network = networks.add(world.cloud, "10.0.0.0/16")
    web, db = groups.add(world, "web"), groups.add(world, "db")
    groups.allow(world, web, remote_group_id=db.id)
    groups.allow(world, db, remote_group_id=web.id)
    members = [_create(world, network, group.id) for group in (web, db) * 4]
    with world.cloud.sessions.read() as session:
        attached = [port.id for one in members for port in port_rows.of_instance(session, one)]
    specs = [PortSpec(network_id=network, groups=(web.id, db.id)) for _ in range(4)]
    loose = [view.port.id for view in ports.create(world.cloud, world.fresh(), specs)]

    def swap(port_id: str, *wanted: str) -> None:
        ports.update(world.cloud, world.fresh(), port_id, PortChange(groups=wanted))

    def open_port(number: int) -> None:
        spec = RuleSpec(
            group_id=(web if number % 2 else db).id,
            direction=Direction.INGRESS,
            protocol="tcp",
            port_min=number,
            port_max=number,
        )
        security_group_rules.create(world.cloud, world.fresh(), [spec])

    calls: list[Callable[[], object]] = [partial(world.delete, one) for one in members[:4]]
    calls += [partial(swap, port_id, db.id) for port_id in attached[4:6]]
    calls += [partial(swap, port_id, web.id, db.id) for port_id in attached[6:]]
    calls += [partial(_create, world, network, web.id, port_id=port_id) for port_id in loose]
    calls += [partial(swap, port_id, db.id) for port_id in loose]
    calls += [partial(open_port, number) for number in range(1, 5)]
    calls += [partial(interfaces.change_group, world.cloud, world.fresh(), members[5], "web", joins=True)]
    calls += [world.create_one] * 2

    assert together(calls) == []
    assert quotas.audit(world.cloud) == []


def _create(world: World, network: str, group: str, *, port_id: str | None = None) -> str:
    wanted = Interface(port_id=port_id) if port_id is not None else Interface(network_id=network)
    spec = creations.CreateSpec(
        name="web",
        flavor_id=world.flavor.id,
        image_id=world.image.id,
        interfaces=Interfaces(automatic=False, wanted=(wanted,)),
        security_groups=(group,),
    )
    return creations.create(world.cloud, world.fresh(), spec)[0].id
