"""What a port's rules look like on their way to the node: within Ganeti's limits, and read there as they were meant."""

from __future__ import annotations

import ipaddress
import re

import pytest

from cloud import firewall_tags, nic_tags
from common import names
from db.security_groups import Allowed, Direction
from ganeti_hooks import firewall
from ganeti_hooks.refused import Refused

#: ganeti.objects.TaggableObject
_TAG = re.compile(r"[\w.+*/:@-]{1,128}", re.ASCII)
_MANY = tuple(str(each) for each in ipaddress.ip_network("10.0.0.0/16").subnets(new_prefix=24))
_MANY6 = tuple(str(each) for each in ipaddress.ip_network("fd00:1234:5678:9abc::/64").subnets(new_prefix=70))


@pytest.mark.parametrize(
    "rule",
    [
        Allowed(Direction.EGRESS, 4, None, None, None, None),
        Allowed(Direction.INGRESS, 6, "tcp", 22, 22, None),
        Allowed(Direction.INGRESS, 4, "udp", 1, 65535, ("192.0.2.7/32",)),
        Allowed(Direction.INGRESS, 4, "icmp", 8, None, ("192.0.2.0/24",)),
        Allowed(Direction.INGRESS, 6, "ipv6-icmp", 1, 4, None),
        Allowed(Direction.EGRESS, 4, "112", None, None, ("224.0.0.18/32",)),
        Allowed(Direction.INGRESS, 4, "tcp", 65000, 65535, _MANY),
        Allowed(Direction.INGRESS, 6, "udplite", 65000, 65535, _MANY6),
    ],
)
def test_a_rule_is_read_as_it_was_meant_and_every_tag_is_one_of_ganetis(rule: Allowed) -> None:
    values = firewall_tags.of([rule], generation=1234567890)
    tags = [nic_tags.tag(names.new_id(), firewall_tags.KEY, value) for value in values]
    assert all(_TAG.fullmatch(tag) for tag in tags)
    rules = firewall.current(values)
    assert rules is not None
    read = [firewall.parsed(each) for each in rules]
    assert {(each.ingress, each.version, each.protocol, each.first, each.last) for each in read} == {
        (rule.direction is Direction.INGRESS, rule.version, rule.protocol, rule.port_min, rule.port_max)
    }
    far = None if rule.remotes is None else sorted(rule.remotes)
    assert (None if read[0].far is None else sorted(cidr for each in read for cidr in each.far or ())) == far


def test_a_port_without_rules_is_closed_and_one_without_a_firewall_is_open() -> None:
    assert firewall.current(firewall_tags.of([], generation=3)) == []
    assert firewall.current(firewall_tags.of(None, generation=3)) is None
    assert firewall.current([]) is None


def test_the_highest_generation_counts_whole() -> None:
    old = firewall_tags.of([Allowed(Direction.INGRESS, 4, "tcp", 22, 22, None)], generation=9)
    new = firewall_tags.of([Allowed(Direction.INGRESS, 4, "tcp", 80, 80, None)], generation=10)
    assert firewall.current([*new, *old]) == ["i4:tcp:80-80:*"]


@pytest.mark.parametrize(
    "value",
    ["on", "x:on", "1:i5:tcp:22-22:*", "1:i4:tcp:22:*", "1:i4:tcp:22-22:", "1:i4:tcp:22-22:fd00::/8", "1:i4:tcp;:*:*"],
)
def test_what_can_not_be_meant_is_refused(value: str) -> None:
    with pytest.raises(Refused):
        for rule in firewall.current([value]) or ():
            firewall.parsed(rule)


def test_tags_go_in_portions_that_a_call_has_room_for() -> None:
    tags = [nic_tags.tag(names.new_id(), firewall_tags.KEY, f"1:i4:tcp:{number}-{number}:*") for number in range(200)]
    portions = nic_tags.portions(tags)
    assert [tag for portion in portions for tag in portion] == tags
    assert all(len("".join(f"&tag={tag}" for tag in portion)) < 7000 for portion in portions)
    assert nic_tags.portions([]) == []
