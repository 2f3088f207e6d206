"""What a list costs the database does not depend on how long it is."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from cloud import (
    flavors,
    floating_ips,
    instances,
    migrations,
    nodes,
    ports,
    security_group_rules,
    security_groups,
    server_groups,
    usage,
)
from cloud.context import Caller
from cloud.floating_ips import FloatingSpec
from cloud.security_groups import GroupSpec
from db.floating_ips import Filter as FloatingFilter
from db.instances import Filter, Instance
from db.jobs import MoveFilter
from db.ports import Filter as PortFilter
from db.security_groups import Filter as GroupFilter
from db.security_groups import RuleFilter
from db.server_groups import Policy
from db.sorting import Order
from db.users import Role
from tests.support import clouds, networks
from tests.support.clouds import World

LISTS: dict[str, tuple[Callable[[World, Caller], object], int]] = {
    "flavors": (lambda world, who: flavors.page(world.cloud, who, limit=100), 1),
    "nodes": (lambda world, who: nodes.all_nodes(world.cloud, who), 3),
    "servers of nodes": (lambda world, who: nodes.servers(world.cloud, who, "node"), 4),
    "groups": (lambda world, who: server_groups.page(world.cloud, who, limit=100, offset=0, everybody=True), 2),
    "migrations": (lambda world, who: migrations.page(world.cloud, who, MoveFilter(node="n"), limit=100), 1),
    "usage": (
        lambda world, who: usage.everybody(
            world.cloud, who, start=world.clock() - timedelta(days=1), end=world.clock(), detailed=True
        ),
        2,
    ),
    "servers by tags": (
        lambda world, who: instances.page(
            world.cloud,
            who,
            Filter(project_id=None, tags=("a", "b"), tags_any=("c",), not_tags=("d", "e"), not_tags_any=("f",)),
            limit=100,
        ),
        1,
    ),
    "floating IPs": (lambda world, who: floating_ips.page(world.cloud, who, FloatingFilter(), limit=100), 1),
    "security groups": (
        lambda world, who: security_groups.page(world.cloud, who, GroupFilter(), limit=100),
        3,
    ),
    "rules": (lambda world, who: security_group_rules.page(world.cloud, who, RuleFilter(), limit=100), 2),
    "ports": (lambda world, who: ports.page(world.cloud, who, PortFilter(), limit=100), 3),
    "sorted servers": (
        lambda world, who: instances.page(
            world.cloud, who, Filter(project_id=None), limit=100, orders=(Order(Instance.name),)
        ),
        1,
    ),
}


def more(world: World, first: int, last: int) -> None:
    outside = networks.add(world.cloud, "203.0.113.0/28", external=True, is_default=True)
    for number in range(first, last):
        floating_ips.create(world.cloud, world.fresh(), FloatingSpec(outside))
        flavors.add(world.cloud, flavors.FlavorSpec(id=f"f{number}", name=f"f{number}", vcpus=1, ram=1, disk=1))
        server_groups.create(world.cloud, world.fresh(), name="g", policy_of=Policy.AFFINITY)
        world.create_one()
        security_groups.create(world.cloud, world.fresh(), [GroupSpec(name="g")])
    with world.cloud.sessions.begin() as db:
        nodes.keep(db, world.backend.id, [{"name": f"node{number}"} for number in range(last)])


@pytest.mark.parametrize("name", LISTS)
def test_the_number_of_statements_is_fixed(world: World, name: str) -> None:
    listing, at_most = LISTS[name]
    who = world.fresh(roles=(Role.ADMIN,))
    networks.add(world.cloud, "10.0.0.0/24")
    counts = []
    for first, last in ((0, 2), (2, 6)):
        more(world, first, last)
        counts.append(len(clouds.count_statements(world.cloud.sessions, partial(listing, world, who))))
    assert counts[0] == counts[1] <= at_most
