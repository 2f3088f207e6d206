"""Security groups: the default one, the ready-made ones, and those of one's own."""

from __future__ import annotations

import pytest

from cloud import accounts, ports, quotas, security_group_rules, security_groups
from cloud.ports import PortSpec
from cloud.security_groups import GroupChange, GroupSpec
from common.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from db import security_groups as rows
from db.quotas import Resource
from db.security_groups import Direction, Filter
from db.users import Role
from tests.support import networks
from tests.support import security_groups as groups
from tests.support.clouds import World


def listed(world: World, **wanted: object) -> list[str]:
    found = security_groups.page(world.cloud, world.fresh(), Filter(**wanted), limit=100)  # type: ignore[arg-type]
    return [view.group.name for view in found]


def used(world: World, resource: Resource) -> int:
    return quotas.standing(world.cloud, world.project.id)[resource].used


def test_a_project_has_its_default_group_and_the_ready_made_ones(world: World) -> None:
    for _ in range(2):
        assert listed(world) == ["firewall-disabled", "firewall-enabled", "firewall-protected", "default"]

    (view,) = security_groups.page(world.cloud, world.fresh(), Filter(names=["default"]), limit=10)
    assert sorted((rule.direction, rule.version, rule.remote_group_id) for rule in view.rules) == [
        ("egress", 4, None),
        ("egress", 6, None),
        ("ingress", 4, view.group.id),
        ("ingress", 6, view.group.id),
    ]
    assert (used(world, Resource.SECURITY_GROUPS), used(world, Resource.SECURITY_GROUP_RULES)) == (1, 4)


@pytest.mark.parametrize(
    ("group_id", "tcp", "echo"),
    [
        (security_groups.FIREWALL_DISABLED, [], []),
        (security_groups.FIREWALL_ENABLED, [], [("icmp", 8), ("ipv6-icmp", 128)]),
        (security_groups.FIREWALL_PROTECTED, [22, 22, 3389, 3389], [("icmp", 8), ("ipv6-icmp", 128)]),
    ],
)
def test_the_ready_made_groups_are_the_profiles_of_cyclades(
    world: World, group_id: str, tcp: list[int], echo: list[tuple[str, int]]
) -> None:
    rules = security_groups.get(world.cloud, world.fresh(), group_id).rules

    out = [rule for rule in rules if rule.direction is Direction.EGRESS]
    into = [rule for rule in rules if rule.direction is Direction.INGRESS]
    assert sorted((rule.version, rule.protocol) for rule in out) == [(4, None), (6, None)]
    assert sorted(rule.port_min or 0 for rule in into if rule.protocol == "tcp") == tcp
    assert sorted((rule.protocol, rule.port_min) for rule in into if "icmp" in (rule.protocol or "")) == echo
    assert (group_id == security_groups.FIREWALL_DISABLED) is any(rule.protocol is None for rule in into)


def test_a_new_group_lets_everything_out_and_nothing_in(world: World) -> None:
    (made,) = security_groups.create(world.cloud, world.fresh(), [GroupSpec(name="web", description="d")])

    assert [(rule.direction, rule.version) for rule in made.rules] == [("egress", 4), ("egress", 6)]
    kept = security_groups.get(world.cloud, world.fresh(), made.group.id)
    assert (kept.group.name, kept.group.description, len(kept.rules)) == ("web", "d", 2)


def test_a_change_is_counted(world: World) -> None:
    group = groups.add(world)
    changed = security_groups.update(world.cloud, world.fresh(), group.id, GroupChange(name="db", description="x"))

    assert (changed.group.name, changed.group.description, changed.group.revision) == ("db", "x", 1)
    assert groups.allow(world, group)
    assert security_groups.get(world.cloud, world.fresh(), group.id).group.revision == 2


def test_the_default_group_keeps_its_name_and_stays_and_no_other_has_its_name(world: World) -> None:
    default, other = groups.default(world), groups.add(world)

    with pytest.raises(Conflict):
        security_groups.delete(world.cloud, world.fresh(), default.id)
    with pytest.raises(Conflict):
        security_groups.update(world.cloud, world.fresh(), default.id, GroupChange(name="mine"))
    with pytest.raises(Conflict):
        security_groups.update(world.cloud, world.fresh(), other.id, GroupChange(name="default"))
    with pytest.raises(Conflict):
        groups.add(world, "default")
    kept = security_groups.update(
        world.cloud, world.fresh(), default.id, GroupChange(name="default", description="words")
    )
    assert kept.group.description == "words"


def test_the_ready_made_groups_stay_as_they_are_even_for_an_admin(world: World) -> None:
    one = security_groups.FIREWALL_ENABLED
    for caller in (world.fresh(), world.fresh(roles=(Role.ADMIN,))):
        with pytest.raises(Forbidden):
            security_groups.update(world.cloud, caller, one, GroupChange(name="mine"))
        with pytest.raises(Forbidden):
            security_groups.delete(world.cloud, caller, one)


def test_a_group_that_a_port_has_is_not_deleted(world: World) -> None:
    group = groups.add(world)
    spec = PortSpec(network_id=networks.add(world.cloud, "192.0.2.0/29"), groups=(group.id,))
    (port,) = ports.create(world.cloud, world.fresh(), [spec])

    with pytest.raises(Conflict, match="in use"):
        security_groups.delete(world.cloud, world.fresh(), group.id)

    ports.delete(world.cloud, world.fresh(), port.port.id)
    security_groups.delete(world.cloud, world.fresh(), group.id)
    with pytest.raises(NotFound):
        security_groups.get(world.cloud, world.fresh(), group.id)


def test_the_rules_that_name_a_group_go_with_it_and_are_counted(world: World) -> None:
    web, db = groups.add(world, "web"), groups.add(world, "db")
    rule = groups.allow(world, db, remote_group_id=web.id)
    assert (used(world, Resource.SECURITY_GROUPS), used(world, Resource.SECURITY_GROUP_RULES)) == (3, 9)

    security_groups.delete(world.cloud, world.fresh(), web.id)

    with pytest.raises(NotFound):
        security_group_rules.get(world.cloud, world.fresh(), rule.id)
    assert (used(world, Resource.SECURITY_GROUPS), used(world, Resource.SECURITY_GROUP_RULES)) == (2, 6)
    assert quotas.audit(world.cloud) == []


def test_another_projects_groups_are_not_there(world: World) -> None:
    group, stranger = groups.add(world), world.stranger_caller()

    for attempt in (
        lambda: security_groups.get(world.cloud, stranger, group.id),
        lambda: security_groups.update(world.cloud, stranger, group.id, GroupChange(name="x")),
        lambda: security_groups.delete(world.cloud, stranger, group.id),
    ):
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(Invalid, match="marker"):
        security_groups.page(world.cloud, stranger, Filter(), limit=10, marker=group.id)
    seen = security_groups.page(world.cloud, stranger, Filter(), limit=10)
    assert group.id not in [view.group.id for view in seen]
    admin = world.stranger_caller(roles=(Role.ADMIN,))
    assert security_groups.get(world.cloud, admin, group.id).group.name == "web"


def test_a_reader_changes_nothing(world: World) -> None:
    reader = world.fresh(roles=(Role.READER,))
    assert security_groups.page(world.cloud, reader, Filter(), limit=10)
    with pytest.raises(Forbidden):
        security_groups.create(world.cloud, reader, [GroupSpec(name="web")])


def test_the_quotas_count_the_default_group_and_all_rules(world: World) -> None:
    groups.default(world)
    world.set_quota(security_groups=2, security_group_rules=7)
    group = groups.add(world)

    with pytest.raises(QuotaExceeded, match="security_groups"):
        groups.add(world, "more")
    groups.allow(world, group)
    with pytest.raises(QuotaExceeded, match="security_group_rules"):
        groups.allow(world, group, port_max=81)
    security_groups.delete(world.cloud, world.fresh(), group.id)
    assert (used(world, Resource.SECURITY_GROUPS), used(world, Resource.SECURITY_GROUP_RULES)) == (1, 4)


def test_what_is_counted_wrong_is_found_and_put_right(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29")
    world.create(count=2)
    assert used(world, Resource.PORTS) == 2
    assert quotas.audit(world.cloud) == []
    with world.cloud.sessions.begin() as db:
        for resource in (Resource.PORTS, Resource.SECURITY_GROUPS, Resource.SECURITY_GROUP_RULES):
            quotas.count_up(db, project_id=world.project.id, resource=resource, amount=5)

    found = quotas.audit(world.cloud, repair=True)

    assert {(drift.resource, drift.recorded, drift.actual) for drift in found} == {
        (Resource.PORTS, 7, 2),
        (Resource.SECURITY_GROUPS, 6, 1),
        (Resource.SECURITY_GROUP_RULES, 9, 4),
    }
    assert quotas.audit(world.cloud) == []


def test_a_project_is_deleted_with_its_groups(world: World) -> None:
    stranger = world.stranger_caller()
    groups.add(world, caller=stranger)

    accounts.remove_project(world.cloud, stranger.project_id)

    with world.cloud.sessions.read() as db:
        assert stranger.project_id not in rows.counts(db)
    assert quotas.audit(world.cloud) == []
