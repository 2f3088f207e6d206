"""Security groups and their rules, as clients of the Network API use them."""

from __future__ import annotations

import pytest

from cloud import security_groups
from cloud.context import Cloud
from tests.support import networks
from tests.unit.apiserver.asking import Asking

V2 = "/network/v2.0"
GROUPS = f"{V2}/security-groups"
RULES = f"{V2}/security-group-rules"
READY_MADE = ["firewall-disabled", "firewall-enabled", "firewall-protected"]


@pytest.fixture
def group(demo: Asking) -> str:
    answer = demo.post(GROUPS, {"security_group": {"name": "web", "description": "Of the front"}})
    assert answer.status_code == 201, answer.text
    return str(answer.json["security_group"]["id"])


@pytest.fixture
def public(cloud: Cloud) -> str:
    return networks.add(cloud, "192.0.2.0/24")


def refused(answer: object, status: int, word: str) -> None:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    assert word in answer.json["NeutronError"]["message"]  # type: ignore[attr-defined]


def rule(group: str, **more: object) -> dict[str, object]:
    return {"security_group_rule": {"security_group_id": group, "direction": "ingress", **more}}


def test_the_default_group_and_the_ready_made_ones_are_there_from_the_start(demo: Asking, stranger: Asking) -> None:
    (default,) = demo.get(f"{GROUPS}?name=default").json["security_groups"]
    assert (default["shared"], default["stateful"], len(default["security_group_rules"])) == (False, True, 4)
    assert demo.get(f"{GROUPS}/{default['id']}").json["security_group"] == default
    refused(stranger.get(f"{GROUPS}/{default['id']}"), 404, default["id"])
    for asking in (demo, stranger):
        shared = asking.get(f"{GROUPS}?shared=true&sort_key=name").json["security_groups"]
        assert [each["name"] for each in shared] == READY_MADE
        assert {each["project_id"] for each in shared} == {""}


def test_a_group_is_made_shown_changed_and_deleted(demo: Asking, group: str) -> None:
    made = demo.get(f"{GROUPS}/{group}").json["security_group"]
    assert (made["name"], made["description"], made["revision_number"]) == ("web", "Of the front", 0)
    assert {(each["direction"], each["ethertype"]) for each in made["security_group_rules"]} == {
        ("egress", "IPv4"),
        ("egress", "IPv6"),
    }

    changed = demo.put(f"{GROUPS}/{group}", {"security_group": {"name": "db"}}).json["security_group"]
    assert (changed["name"], changed["description"], changed["revision_number"]) == ("db", "Of the front", 1)
    assert demo.delete(f"{GROUPS}/{group}").status_code == 204
    refused(demo.get(f"{GROUPS}/{group}"), 404, group)


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"name": "default"}, 409, "default"),
        ({"name": "x", "stateful": False}, 400, "stateful"),
        ({"name": "x" * 256}, 400, "name"),
        ({"name": "x", "description": "x" * 256}, 400, "description"),
        ({"name": "x", "unheard": 1}, 400, "unheard"),
    ],
)
def test_a_group_that_can_not_be_is_refused(demo: Asking, body: dict[str, object], status: int, word: str) -> None:
    refused(demo.post(GROUPS, {"security_group": body}), status, word)


def test_nobody_changes_a_ready_made_group_or_removes_the_default_one(demo: Asking, admin: Asking) -> None:
    ready = security_groups.FIREWALL_ENABLED
    for asking in (demo, admin):
        refused(asking.put(f"{GROUPS}/{ready}", {"security_group": {"name": "mine"}}), 403, "ready-made")
        refused(asking.delete(f"{GROUPS}/{ready}"), 403, "ready-made")
        refused(asking.post(RULES, rule(ready)), 403, "ready-made")
    default = demo.get(f"{GROUPS}?name=default").json["security_groups"][0]["id"]
    refused(demo.delete(f"{GROUPS}/{default}"), 409, "default")
    refused(demo.put(f"{GROUPS}/{default}", {"security_group": {"name": "mine"}}), 409, "default")


def test_groups_are_filtered_chosen_sorted_and_paged(demo: Asking) -> None:
    several = [{"name": name, "description": "mine"} for name in ("c", "a", "b")]
    assert len(demo.post(GROUPS, {"security_groups": several}).json["security_groups"]) == 3

    page = demo.get(f"{GROUPS}?description=mine&limit=2&sort_key=name&fields=name&fields=id").json
    assert [each["name"] for each in page["security_groups"]] == ["a", "b"]
    assert set(page["security_groups"][0]) == {"name", "id"}
    rest = demo.get(page["security_groups_links"][0]["href"].removeprefix("http://cloud.example:8774")).json
    assert [each["name"] for each in rest["security_groups"]] == ["c"]


def test_a_rule_is_made_shown_found_and_deleted(demo: Asking, stranger: Asking, group: str) -> None:
    wanted = {"protocol": "tcp", "port_range_min": 22, "port_range_max": "23", "remote_ip_prefix": "198.51.100.7/24"}
    answer = demo.post(RULES, rule(group, **wanted, description="ssh"))
    assert answer.status_code == 201, answer.text
    made = answer.json["security_group_rule"]
    expected = {**wanted, "port_range_max": 23, "remote_ip_prefix": "198.51.100.0/24", "ethertype": "IPv4"}
    assert made == {**made, **expected, "remote_group_id": None, "description": "ssh"}

    one = f"{RULES}/{made['id']}"
    assert demo.get(one).json["security_group_rule"] == made
    assert made in demo.get(f"{GROUPS}/{group}").json["security_group"]["security_group_rules"]
    for query in (
        "protocol=tcp",
        "port_range_min=22",
        "remote_ip_prefix=198.51.100.0/24",
        f"security_group_id={group}&direction=ingress",
        "description=ssh&ethertype=IPv4",
    ):
        found = demo.get(f"{RULES}?{query}&project_id={made['project_id']}").json["security_group_rules"]
        assert [each["id"] for each in found if each["remote_group_id"] is None] == [made["id"]], query
        assert made not in stranger.get(f"{RULES}?{query}").json["security_group_rules"], query
    refused(demo.post(RULES, rule(group, **wanted)), 409, made["id"])
    refused(stranger.delete(one), 404, made["id"])
    assert demo.delete(one).status_code == 204
    refused(demo.get(one), 404, made["id"])


def test_a_protocol_may_be_a_number_and_stays_one(demo: Asking, group: str) -> None:
    made = demo.post(RULES, rule(group, protocol=17)).json["security_group_rule"]
    assert made["protocol"] == "17"
    refused(demo.post(RULES, rule(group, protocol="udp")), 409, "already")


@pytest.mark.parametrize(
    ("more", "status", "word"),
    [
        ({"direction": "sideways"}, 400, "direction"),
        ({"direction": None}, 400, "direction"),
        ({"ethertype": "ARP"}, 400, "ethertype"),
        ({"protocol": "carrier-pigeon"}, 400, "protocol"),
        ({"protocol": True}, 400, "protocol"),
        ({"protocol": "icmp", "port_range_max": 1}, 400, "port_range_min"),
        ({"protocol": "tcp", "port_range_min": 9, "port_range_max": 8}, 400, "port_range_min"),
        ({"protocol": "tcp", "port_range_min": -1, "port_range_max": 8}, 400, "port_range_min"),
        ({"port_range_min": 9, "port_range_max": 9}, 400, "protocol"),
        ({"remote_ip_prefix": "nonsense"}, 400, "remote_ip_prefix"),
        ({"remote_ip_prefix": "fe80::1%eth0", "ethertype": "IPv6"}, 400, "remote_ip_prefix"),
        ({"remote_ip_prefix": "::/0"}, 400, "remote_ip_prefix"),
        ({"remote_address_group_id": "a"}, 400, "remote_address_group_id"),
        ({"remote_group_id": "missing"}, 404, "missing"),
        ({"security_group_id": "missing"}, 404, "missing"),
        ({"description": "x" * 256}, 400, "description"),
        ({"unheard": 1}, 400, "unheard"),
    ],
)
def test_a_rule_that_can_not_be_is_refused(
    demo: Asking, group: str, more: dict[str, object], status: int, word: str
) -> None:
    refused(demo.post(RULES, rule(group, **more)), status, word)


def test_several_rules_are_made_at_once_or_none(demo: Asking, group: str) -> None:
    one = rule(group, protocol="tcp")["security_group_rule"]
    two = rule(group, protocol="udp", remote_group_id=group)["security_group_rule"]
    refused(demo.post(RULES, {"security_group_rules": [one, two, one]}), 409, "already")
    made = demo.post(RULES, {"security_group_rules": [one, two]}).json["security_group_rules"]
    assert [each["protocol"] for each in made] == ["tcp", "udp"]
    assert len(demo.get(f"{GROUPS}/{group}").json["security_group"]["security_group_rules"]) == 4


def test_a_port_is_in_the_default_group_or_in_those_it_names(demo: Asking, group: str, public: str) -> None:
    default = demo.get(f"{GROUPS}?name=default").json["security_groups"][0]["id"]
    made = demo.post(f"{V2}/ports", {"port": {"network_id": public}}).json["port"]
    assert (made["security_groups"], made["port_security_enabled"]) == ([default], True)
    port = f"{V2}/ports/{made['id']}"

    changed = demo.put(port, {"port": {"security_groups": [group, security_groups.FIREWALL_ENABLED]}}).json["port"]
    assert changed["security_groups"] == sorted([group, security_groups.FIREWALL_ENABLED])
    assert demo.get(port).json["port"] == changed
    found = demo.get(f"{V2}/ports?security_groups={group}").json["ports"]
    assert [each["id"] for each in found] == [made["id"]]
    assert demo.get(f"{V2}/ports?security_groups={default}").json["ports"] == []
    refused(demo.delete(f"{GROUPS}/{group}"), 409, "in use")
    assert demo.put(port, {"port": {"security_groups": []}}).json["port"]["security_groups"] == []
    assert demo.delete(f"{GROUPS}/{group}").status_code == 204
    refused(demo.put(port, {"port": {"security_groups": [group]}}), 404, group)
    refused(demo.put(port, {"port": {"security_groups": "web"}}), 400, "security_groups")


def test_only_the_networks_owner_takes_the_firewall_off_a_port(
    demo: Asking, admin: Asking, group: str, public: str
) -> None:
    made = demo.post(f"{V2}/ports", {"port": {"network_id": public, "security_groups": [group]}}).json["port"]
    port = f"{V2}/ports/{made['id']}"
    off = {"port": {"port_security_enabled": False}}
    refused(demo.put(port, {"port": {**off["port"], "security_groups": []}}), 403, "network:write_all")
    refused(demo.post(f"{V2}/ports", {"port": {"network_id": public, **off["port"]}}), 403, "network:write_all")

    refused(admin.put(port, off), 409, "security groups")
    opened = admin.put(port, {"port": {**off["port"], "security_groups": []}}).json["port"]
    assert (opened["port_security_enabled"], opened["security_groups"]) == (False, [])
    assert demo.get(f"{V2}/ports?port_security_enabled=false").json["ports"] == [opened]
    refused(demo.put(port, {"port": {"security_groups": [group]}}), 400, "security_groups")
    body = {"network_id": public, "port_security_enabled": False, "security_groups": [group]}
    refused(admin.post(f"{V2}/ports", {"port": body}), 400, "security_groups")


def test_groups_rules_and_ports_are_counted(demo: Asking, admin: Asking, group: str, public: str) -> None:
    own = demo.get(f"{GROUPS}/{group}").json["security_group"]["project_id"]
    path = f"{V2}/quotas/{own}"
    limits = {"security_group": 2, "security_group_rule": 6, "port": 1}
    defaults = {"security_group": 10, "security_group_rule": 100, "port": 500}
    assert demo.get(path).json["quota"] == {**demo.get(path).json["quota"], **defaults}
    assert admin.put(path, {"quota": limits}).status_code == 200

    refused(demo.post(GROUPS, {"security_group": {"name": "more"}}), 409, "security_groups")
    refused(demo.post(RULES, rule(group)), 409, "security_group_rules")
    one = {"port": {"network_id": public}}
    port = demo.post(f"{V2}/ports", one).json["port"]["id"]
    refused(demo.post(f"{V2}/ports", one), 409, "ports")
    details = demo.get(f"{path}/details").json["quota"]
    assert {name: details[name]["used"] for name in limits} == limits
    assert demo.delete(f"{V2}/ports/{port}").status_code == 204
    assert demo.delete(f"{GROUPS}/{group}").status_code == 204
    details = demo.get(f"{path}/details").json["quota"]
    assert [details[name]["used"] for name in limits] == [1, 4, 0]


def test_a_reader_looks_and_changes_nothing(anyone: Asking, group: str) -> None:
    watcher = anyone.as_user("watcher")
    assert group in [each["id"] for each in watcher.get(GROUPS).json["security_groups"]]
    refused(watcher.delete(f"{GROUPS}/{group}"), 403, "security_group:write")
    refused(watcher.post(RULES, rule(group)), 403, "security_group:write")
    for path in (GROUPS, RULES):
        assert anyone.get(path).status_code == 401
