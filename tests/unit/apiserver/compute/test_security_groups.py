"""Security groups in the Compute API: of servers, and as they were before there was a Network API."""

from __future__ import annotations

import pytest

from cloud.context import Cloud
from tests.support import networks
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import MakeServer

V21 = "/compute/v2.1"
GROUPS = f"{V21}/os-security-groups"
RULES = f"{V21}/os-security-group-rules"
NETWORK = "/network/v2.0"


@pytest.fixture
def group(demo: Asking) -> str:
    answer = demo.post(GROUPS, {"security_group": {"name": "web", "description": "Of the front"}})
    assert answer.status_code == 200, answer.text
    return str(answer.json["security_group"]["id"])


@pytest.fixture
def public(cloud: Cloud) -> str:
    return networks.add(cloud, "192.0.2.0/24")


def refused(answer: object, status: int, word: str) -> None:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    (fault,) = answer.json.values()  # type: ignore[attr-defined]
    assert word in fault["message"]


def names(demo: Asking, server_id: str) -> list[str]:
    """The names of a server's groups, which every view of it agrees on."""
    listed = demo.get(f"{V21}/servers/{server_id}/os-security-groups").json["security_groups"]
    shown = demo.get(f"{V21}/servers/{server_id}").json["server"].get("security_groups", [])
    (detailed,) = demo.get(f"{V21}/servers/detail").json["servers"]
    found = [each["name"] for each in listed]
    assert shown == detailed.get("security_groups", []) == [{"name": name} for name in found]
    return found


def test_a_server_without_a_word_is_in_the_default_group(demo: Asking, public: str, make: MakeServer) -> None:
    assert names(demo, make()) == ["default"]
    assert public


def test_a_server_without_a_port_has_no_group(demo: Asking, make: MakeServer) -> None:
    one = make()
    assert names(demo, one) == []
    refused(demo.post(f"{V21}/servers/{one}/action", {"addSecurityGroup": {"name": "default"}}), 400, "port")


def test_a_server_is_in_the_groups_that_it_names(
    demo: Asking, group: str, public: str, make: MakeServer, image: str
) -> None:
    wanted = [{"name": "web"}, {"name": "firewall-enabled"}, {"name": group}]
    assert names(demo, make(security_groups=wanted)) == ["firewall-enabled", "web"]
    body = {"name": "x", "imageRef": image, "flavorRef": "1", "security_groups": wanted[:1]}
    answer = demo.post(f"{V21}/servers", {"server": body})
    assert answer.json["server"]["security_groups"] == [{"name": "web"}]
    for wrong in ("web", ["web"], [{}], [{"name": ""}], [{"name": "nothing"}]):
        refused(demo.post(f"{V21}/servers", {"server": {**body, "security_groups": wrong}}), 400, "security_groups")
    demo.post(GROUPS, {"security_group": {"name": "web"}})
    refused(demo.post(f"{V21}/servers", {"server": body}), 409, "web")
    assert public


def test_the_groups_of_a_create_are_not_for_a_port_that_was_there(
    demo: Asking, group: str, public: str, make: MakeServer
) -> None:
    port = demo.post(f"{NETWORK}/ports", {"port": {"network_id": public}}).json["port"]["id"]
    one = make(networks=[{"port": port}], security_groups=[{"name": "web"}])
    assert names(demo, one) == ["default"]
    assert demo.delete(f"{GROUPS}/{group}").status_code == 202


def test_a_server_joins_a_group_and_leaves_it(
    demo: Asking, stranger: Asking, group: str, public: str, make: MakeServer
) -> None:
    one = make()
    action = f"{V21}/servers/{one}/action"
    for _ in range(2):
        assert demo.post(action, {"addSecurityGroup": {"name": "web"}}).status_code == 202
        assert names(demo, one) == ["default", "web"]
    refused(demo.delete(f"{GROUPS}/{group}"), 400, "in use")
    assert demo.post(action, {"removeSecurityGroup": {"name": group}}).status_code == 202
    assert demo.post(action, {"removeSecurityGroup": {"name": "default"}}).status_code == 202
    assert names(demo, one) == []
    refused(demo.post(action, {"removeSecurityGroup": {"name": "web"}}), 400, "web")
    refused(demo.post(action, {"addSecurityGroup": {"name": "nothing"}}), 404, "nothing")
    refused(demo.post(action, {"addSecurityGroup": {}}), 400, "addSecurityGroup.name")
    refused(stranger.post(action, {"addSecurityGroup": {"name": "default"}}), 404, one)
    refused(demo.get(f"{V21}/servers/nothing/os-security-groups"), 404, "nothing")
    assert public


def test_groups_are_made_listed_shown_changed_and_deleted(demo: Asking, stranger: Asking, group: str) -> None:
    shown = demo.get(f"{GROUPS}/{group}").json["security_group"]
    assert set(shown) == {"id", "name", "description", "tenant_id", "rules"}
    assert (shown["name"], shown["description"], shown["rules"]) == ("web", "Of the front", [])
    listed = demo.get(GROUPS).json["security_groups"]
    assert shown in listed
    assert demo.get(f"{GROUPS}?limit=1&offset=3").json["security_groups"] == listed[3:4]
    refused(stranger.get(f"{GROUPS}/{group}"), 404, group)

    change = {"security_group": {"name": "db", "description": ""}}
    changed = demo.put(f"{GROUPS}/{group}", change)
    assert (changed.status_code, changed.json["security_group"]["name"]) == (200, "db")
    assert demo.delete(f"{GROUPS}/{group}").status_code == 202
    refused(demo.get(f"{GROUPS}/{group}"), 404, group)


def test_an_admin_lists_every_projects_groups_when_asked(demo: Asking, admin: Asking, group: str) -> None:
    def ids(asking: Asking, query: str) -> list[str]:
        return [each["id"] for each in asking.get(f"{GROUPS}{query}").json["security_groups"]]

    assert group not in ids(admin, "")
    assert group in ids(admin, "?all_tenants=1")
    assert group in ids(demo, "?all_tenants=true")
    assert len(ids(demo, "?all_tenants=true")) == len(ids(demo, ""))


@pytest.mark.parametrize("body", [{"name": "default"}, {"name": ""}, {}, {"name": "x", "more": 1}, {"name": "x" * 256}])
def test_a_group_that_can_not_be_is_refused(demo: Asking, body: dict[str, object]) -> None:
    refused(demo.post(GROUPS, {"security_group": body}), 400, "")


def test_the_default_group_is_not_deleted(demo: Asking) -> None:
    (default,) = [each for each in demo.get(GROUPS).json["security_groups"] if each["name"] == "default"]
    assert [(rule["from_port"], rule["to_port"]) for rule in default["rules"]] == [(-1, -1)] * 2
    assert default["rules"][0]["group"] == {"name": "default", "tenant_id": default["tenant_id"]}
    refused(demo.delete(f"{GROUPS}/{default['id']}"), 400, "default")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            {"ip_protocol": "TCP", "from_port": 22, "to_port": "23", "cidr": "198.51.100.0/24"},
            {"ip_protocol": "tcp", "from_port": 22, "to_port": 23, "ip_range": {"cidr": "198.51.100.0/24"}},
        ),
        (
            {"ip_protocol": "icmp", "from_port": -1, "to_port": -1},
            {"ip_protocol": "icmp", "from_port": -1, "to_port": -1, "ip_range": {"cidr": "0.0.0.0/0"}},
        ),
        (
            {"ip_protocol": "icmp", "from_port": 8, "to_port": 0, "cidr": "2001:db8::/32"},
            {"ip_protocol": "ipv6-icmp", "from_port": 8, "to_port": 0, "ip_range": {"cidr": "2001:db8::/32"}},
        ),
    ],
)
def test_a_rule_is_made_and_deleted(
    demo: Asking, group: str, given: dict[str, object], shown: dict[str, object]
) -> None:
    body = {"security_group_rule": {"parent_group_id": group, **given}}
    answer = demo.post(RULES, body)
    assert answer.status_code == 200, answer.text
    made = answer.json["security_group_rule"]
    assert made == {"id": made["id"], "parent_group_id": group, "group": {}, **shown}
    assert demo.get(f"{GROUPS}/{group}").json["security_group"]["rules"] == [made]
    refused(demo.post(RULES, body), 400, "already")
    assert demo.delete(f"{RULES}/{made['id']}").status_code == 202
    refused(demo.delete(f"{RULES}/{made['id']}"), 404, made["id"])


def test_a_rule_for_a_group_is_for_all_ports_unless_it_says_which(demo: Asking, group: str) -> None:
    for protocol, ports in (("tcp", (1, 65535)), (None, (-1, -1)), ("icmp", (-1, -1))):
        wanted = {"parent_group_id": group, "group_id": group, "ip_protocol": protocol, "cidr": None}
        made = demo.post(RULES, {"security_group_rule": wanted}).json["security_group_rule"]
        assert (made["ip_protocol"], (made["from_port"], made["to_port"])) == (protocol, ports)
        assert (made["group"]["name"], made["ip_range"]) == ("web", {})


@pytest.mark.parametrize(
    ("wrong", "status", "word"),
    [
        ({"ip_protocol": None}, 400, "ip_protocol"),
        ({"ip_protocol": "gre"}, 400, "ip_protocol"),
        ({"from_port": 0}, 400, "from_port"),
        ({"from_port": None}, 400, "from_port"),
        ({"from_port": -1, "to_port": -1}, 400, "from_port"),
        ({"from_port": 81}, 400, "port_range_min"),
        ({"to_port": 65536}, 400, "to_port"),
        ({"to_port": "many"}, 400, "to_port"),
        ({"cidr": "nonsense"}, 400, "cidr"),
        ({"parent_group_id": "nothing"}, 404, "nothing"),
        ({"group_id": "nothing"}, 404, "nothing"),
        ({"more": 1}, 400, "more"),
    ],
)
def test_a_rule_that_can_not_be_is_refused(
    demo: Asking, group: str, wrong: dict[str, object], status: int, word: str
) -> None:
    wanted = {"parent_group_id": group, "ip_protocol": "tcp", "from_port": 80, "to_port": 80}
    refused(demo.post(RULES, {"security_group_rule": {**wanted, **wrong}}), status, word)


def test_quotas_and_limits_tell_of_groups(demo: Asking, admin: Asking, group: str) -> None:
    absolute = demo.get(f"{V21}/limits").json["limits"]["absolute"]
    own = demo.get(f"{GROUPS}/{group}").json["security_group"]["tenant_id"]
    found = [absolute[f"{name}"] for name in ("maxSecurityGroups", "totalSecurityGroupsUsed", "maxSecurityGroupRules")]
    assert found == [10, 2, 100]
    path = f"{V21}/os-quota-sets/{own}"
    wanted = {"security_groups": 2, "security_group_rules": 6}
    changed = admin.put(path, {"quota_set": wanted}).json["quota_set"]
    assert changed == {**changed, **wanted}
    detail = demo.get(f"{path}/detail").json["quota_set"]
    assert (detail["security_groups"]["in_use"], detail["security_group_rules"]["in_use"]) == (2, 6)
    assert demo.get(f"{path}/defaults").json["quota_set"]["security_groups"] == 10
    refused(demo.post(GROUPS, {"security_group": {"name": "more"}}), 403, "security_groups")
