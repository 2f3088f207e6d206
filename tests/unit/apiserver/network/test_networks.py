"""The Network API, as its clients use it."""

from __future__ import annotations

import pytest

from cloud.context import Cloud
from tests.support import networks
from tests.unit.apiserver.asking import Asking

V2 = "/network/v2.0"
NETWORK = {"name": "public", "shared": True, "router:external": True, "provider:physical_network": "br0"}
SUBNET = {"cidr": "192.0.2.0/24", "ip_version": 4}


@pytest.fixture
def public(admin: Asking) -> str:
    return str(admin.post(f"{V2}/networks", {"network": NETWORK}).json["network"]["id"])


@pytest.fixture
def subnet(admin: Asking, public: str) -> str:
    answer = admin.post(f"{V2}/subnets", {"subnet": {**SUBNET, "network_id": public}})
    assert answer.status_code == 201, answer.text
    return str(answer.json["subnet"]["id"])


def refused(answer: object, status: int, word: str) -> None:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    fault = answer.json["NeutronError"]  # type: ignore[attr-defined]
    assert word in fault["message"]
    assert set(fault) == {"type", "message", "detail"}


def test_the_version_is_found_without_a_token(anyone: Asking) -> None:
    for path in ("/network", "/network/"):
        (version,) = anyone.get(path).json["versions"]
        assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
        assert version["links"][0]["href"] == "http://cloud.example:8774/network/v2.0/"


def test_an_admin_makes_a_network_that_a_tenant_sees_without_its_link(
    demo: Asking, admin: Asking, public: str, subnet: str
) -> None:
    shown = demo.get(f"{V2}/networks/{public}").json["network"]
    assert (shown["name"], shown["shared"], shown["subnets"]) == ("public", True, [subnet])
    assert "provider:physical_network" not in shown
    assert admin.get(f"{V2}/networks/{public}").json["network"]["provider:physical_network"] == "br0"


def test_a_network_of_another_project_is_not_there(demo: Asking, cloud: Cloud) -> None:
    network = networks.add(cloud, "192.0.2.0/24", shared=False)

    refused(demo.get(f"{V2}/networks/{network}"), 404, network)
    assert demo.get(f"{V2}/networks").json["networks"] == []
    assert demo.get(f"{V2}/subnets").json["subnets"] == []
    refused(demo.post(f"{V2}/ports", {"port": {"network_id": network}}), 404, network)


def test_a_tenant_makes_and_removes_no_networks(demo: Asking, public: str, subnet: str) -> None:
    refused(demo.post(f"{V2}/networks", {"network": NETWORK}), 403, "network:write")
    refused(demo.delete(f"{V2}/networks/{public}"), 403, "network:write")
    refused(demo.post(f"{V2}/subnets", {"subnet": {**SUBNET, "network_id": public}}), 403, "network:write")
    refused(demo.delete(f"{V2}/subnets/{subnet}"), 403, "network:write")


def test_networks_are_filtered_chosen_sorted_and_paged(demo: Asking, cloud: Cloud) -> None:
    for name in ("a", "b", "c"):
        networks.add(cloud, name=name)

    def names(query: str) -> list[str]:
        return [each["name"] for each in demo.get(f"{V2}/networks?{query}").json["networks"]]

    assert names("name=a&name=c&sort_key=name") == ["a", "c"]
    assert names("sort_key=name&sort_dir=desc") == ["c", "b", "a"]
    assert names("router:external=True") == []
    assert names("admin_state_up=true&sort_key=name") == ["a", "b", "c"]
    page = demo.get(f"{V2}/networks?limit=2&fields=id&fields=name&sort_key=name").json
    assert [set(each) for each in page["networks"]] == [{"id", "name"}] * 2
    assert names(page["networks_links"][0]["href"].partition("?")[2]) == ["c"]


def test_a_subnet_has_a_gateway_and_a_pool_of_all_the_rest(demo: Asking, subnet: str) -> None:
    shown = demo.get(f"{V2}/subnets/{subnet}").json["subnet"]
    assert shown["gateway_ip"] == "192.0.2.1"
    assert shown["allocation_pools"] == [{"start": "192.0.2.2", "end": "192.0.2.254"}]
    assert (shown["ip_version"], shown["enable_dhcp"], shown["dns_nameservers"]) == (4, True, [])


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"cidr": "192.0.2.1/24"}, 400, "cidr"),
        ({"cidr": "nonsense"}, 400, "cidr"),
        ({"ip_version": 6}, 400, "ip_version"),
        ({"network_id": "missing"}, 404, "missing"),
        ({"gateway_ip": "2001:db8::1"}, 400, "gateway_ip"),
        ({"gateway_ip": "fe80::1%eth0"}, 400, "gateway_ip"),
        ({"allocation_pools": [{"start": "192.0.2.9", "end": "192.0.2.2"}]}, 400, "allocation_pools"),
        ({"allocation_pools": [{"start": "192.0.2.0", "end": "192.0.2.9"}]}, 400, "allocation_pools"),
        ({"allocation_pools": [{"start": "192.0.2.1", "end": "192.0.2.9"}]}, 409, "gateway"),
        ({"allocation_pools": [{"start": "192.0.2.5", "end": "192.0.2.9"}] * 2}, 409, "overlap"),
        ({"ipv6_address_mode": "slaac"}, 400, "ipv6_address_mode"),
        ({"dns_nameservers": ["192.0.2.1"] * 6}, 400, "dns_nameservers"),
        ({"host_routes": [{"destination": "::/0", "nexthop": "192.0.2.1"}]}, 400, "host_routes"),
        ({"unheard": 1}, 400, "unheard"),
    ],
)
def test_a_subnet_that_cannot_be_is_refused(
    admin: Asking, public: str, change: dict[str, object], status: int, word: str
) -> None:
    body = {"subnet": {**SUBNET, "network_id": public, **change}}
    refused(admin.post(f"{V2}/subnets", body), status, word)


def test_two_subnets_of_a_network_do_not_overlap(admin: Asking, public: str, subnet: str) -> None:
    body = {"subnet": {**SUBNET, "network_id": public, "cidr": "192.0.2.128/25"}}
    refused(admin.post(f"{V2}/subnets", body), 409, subnet)


def test_pools_that_touch_are_one_stock(admin: Asking, demo: Asking, public: str) -> None:
    pools = [{"start": "192.0.2.10", "end": "192.0.2.10"}, {"start": "192.0.2.11", "end": "192.0.2.11"}]
    body = {"subnet": {**SUBNET, "network_id": public, "allocation_pools": pools}}
    assert admin.post(f"{V2}/subnets", body).json["subnet"]["allocation_pools"] == [
        {"start": "192.0.2.10", "end": "192.0.2.11"}
    ]
    made = [demo.post(f"{V2}/ports", {"port": {"network_id": public}}) for _ in range(3)]
    assert [each.json["port"]["fixed_ips"][0]["ip_address"] for each in made[:2]] == ["192.0.2.10", "192.0.2.11"]
    refused(made[2], 409, "no free address")


def test_a_port_is_made_shown_renamed_found_and_deleted(
    demo: Asking, stranger: Asking, public: str, subnet: str
) -> None:
    fixed = [{"ip_address": "192.0.2.77"}]
    made = demo.post(f"{V2}/ports", {"port": {"network_id": public, "name": "mine", "fixed_ips": fixed}})
    assert made.status_code == 201
    port = made.json["port"]
    assert port["fixed_ips"] == [{"subnet_id": subnet, "ip_address": "192.0.2.77"}]
    assert (port["status"], port["device_id"], port["device_owner"]) == ("DOWN", "", "")
    assert port["mac_address"].startswith("02:53:79:")

    renamed = demo.put(f"{V2}/ports/{port['id']}", {"port": {"name": "yours"}}).json["port"]
    assert renamed["name"] == "yours"
    for query in (
        "name=yours",
        f"network_id={public}",
        "fixed_ips=ip_address=192.0.2.77",
        f"fixed_ips=subnet_id={subnet}",
        f"mac_address={port['mac_address'].upper()}",
        "status=DOWN",
        "device_id=",
    ):
        assert [each["id"] for each in demo.get(f"{V2}/ports?{query}").json["ports"]] == [port["id"]], query
        assert stranger.get(f"{V2}/ports?{query}").json["ports"] == [], query
    for query in ("name=mine", "status=ACTIVE", "device_id=other", "fixed_ips=ip_address=192.0.2.78"):
        assert demo.get(f"{V2}/ports?{query}").json["ports"] == [], query
    refused(stranger.delete(f"{V2}/ports/{port['id']}"), 404, port["id"])
    assert demo.delete(f"{V2}/ports/{port['id']}").status_code == 204
    refused(demo.get(f"{V2}/ports/{port['id']}"), 404, port["id"])


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"mac_address": "01:00:00:00:00:01"}, 400, "mac_address"),
        ({"mac_address": "nonsense"}, 400, "mac_address"),
        ({"fixed_ips": [{"ip_address": "198.51.100.1"}]}, 400, "198.51.100.1"),
        ({"fixed_ips": [{"subnet_id": "missing"}]}, 400, "missing"),
        ({"fixed_ips": [{}]}, 400, "fixed_ips"),
        ({"fixed_ips": "192.0.2.5"}, 400, "fixed_ips"),
        ({"security_groups": ["a"]}, 400, "security_groups"),
        ({"device_id": "a"}, 400, "device_id"),
    ],
)
def test_a_port_that_cannot_be_is_refused(
    demo: Asking, public: str, subnet: str, change: dict[str, object], status: int, word: str
) -> None:
    refused(demo.post(f"{V2}/ports", {"port": {"network_id": public, **change}}), status, word)
    assert subnet


def test_what_is_in_use_is_not_deleted(admin: Asking, demo: Asking, public: str, subnet: str) -> None:
    port = demo.post(f"{V2}/ports", {"port": {"network_id": public}}).json["port"]["id"]
    refused(admin.delete(f"{V2}/networks/{public}"), 409, "ports")
    refused(admin.delete(f"{V2}/subnets/{subnet}"), 409, "in use")

    demo.delete(f"{V2}/ports/{port}")
    assert admin.delete(f"{V2}/subnets/{subnet}").status_code == 204
    assert admin.delete(f"{V2}/networks/{public}").status_code == 204
    assert demo.get(f"{V2}/networks").json["networks"] == []


def test_a_network_takes_no_new_ports_while_it_is_down(admin: Asking, demo: Asking, public: str, subnet: str) -> None:
    changed = admin.put(f"{V2}/networks/{public}", {"network": {"admin_state_up": False}})
    assert changed.json["network"]["status"] == "DOWN"
    refused(demo.post(f"{V2}/ports", {"port": {"network_id": public}}), 409, "down")
    assert subnet


def test_guests_of_a_subnet_are_told_other_nameservers_and_routes(admin: Asking, subnet: str) -> None:
    change = {
        "dns_nameservers": ["192.0.2.53"],
        "host_routes": [{"destination": "198.51.100.0/24", "nexthop": "192.0.2.9"}],
    }
    changed = admin.put(f"{V2}/subnets/{subnet}", {"subnet": change}).json["subnet"]
    assert {key: changed[key] for key in change} == change


@pytest.mark.parametrize("name", ["floatingips", "routers", "security-groups"])
def test_what_there_is_none_of_yet_is_an_empty_list(demo: Asking, anyone: Asking, name: str) -> None:
    assert demo.get(f"{V2}/{name}").json == {name.replace("-", "_"): []}
    assert anyone.get(f"{V2}/{name}").status_code == 401


def test_extensions_are_listed_and_shown(demo: Asking) -> None:
    aliases = [each["alias"] for each in demo.get(f"{V2}/extensions").json["extensions"]]
    assert "external-net" in aliases
    assert demo.get(f"{V2}/extensions/external-net").json["extension"]["alias"] == "external-net"
    refused(demo.get(f"{V2}/extensions/dvr"), 404, "dvr")


def test_a_projects_quotas_have_no_limits(demo: Asking, stranger: Asking, admin: Asking) -> None:
    own = demo.get("/identity/v3/auth/projects").json["projects"][0]["id"]
    for path in (f"{V2}/quotas/{own}", f"{V2}/quotas/{own}/default"):
        assert demo.get(path).json["quota"]["port"] == -1
        assert admin.get(path).status_code == 200
        refused(stranger.get(path), 403, "")
