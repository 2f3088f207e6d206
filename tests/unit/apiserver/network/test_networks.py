"""The Network API, as its clients use it."""

from __future__ import annotations

import pytest

from apiserver.network import unserved
from cloud import accounts, quotas
from cloud import segments as pools
from cloud.context import Cloud
from common.errors import Conflict
from db.quotas import Resource
from tests.support import networks
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.network.neutron import NETWORK, SUBNET, V2, refused


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
    other = {"port": {"fixed_ips": [{"subnet_id": subnet, "ip_address": "192.0.2.78"}]}}
    assert [each["ip_address"] for each in _fixed(demo.put(f"{V2}/ports/{port['id']}", other))] == ["192.0.2.78"]
    refused(stranger.put(f"{V2}/ports/{port['id']}", other), 404, port["id"])
    assert _fixed(demo.put(f"{V2}/ports/{port['id']}", {"port": {"fixed_ips": fixed}})) == port["fixed_ips"]
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


def _fixed(answer: object) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text  # type: ignore[attr-defined]
    return list(answer.json["port"]["fixed_ips"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"mac_address": "01:00:00:00:00:01"}, 400, "mac_address"),
        ({"mac_address": "nonsense"}, 400, "mac_address"),
        ({"fixed_ips": [{"ip_address": "198.51.100.1"}]}, 400, "198.51.100.1"),
        ({"fixed_ips": [{"subnet_id": "missing"}]}, 400, "missing"),
        ({"fixed_ips": [{}]}, 400, "fixed_ips"),
        ({"fixed_ips": "192.0.2.5"}, 400, "fixed_ips"),
        ({"security_groups": ["a"]}, 404, "security group a"),
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


def test_a_network_says_whether_its_ports_are_firewalled(admin: Asking, demo: Asking, public: str, subnet: str) -> None:
    assert demo.get(f"{V2}/networks/{public}").json["network"]["port_security_enabled"] is True
    changed = admin.put(f"{V2}/networks/{public}", {"network": {"port_security_enabled": False}})
    assert changed.json["network"]["port_security_enabled"] is False
    made = demo.post(f"{V2}/ports", {"port": {"network_id": public}}).json["port"]
    assert (made["port_security_enabled"], made["security_groups"]) == (False, [])
    body = {"network": {"name": "open", "provider:physical_network": "br9", "port_security_enabled": False}}
    assert admin.post(f"{V2}/networks", body).json["network"]["port_security_enabled"] is False
    assert subnet


def test_a_port_is_allowed_addresses_besides_its_own(admin: Asking, demo: Asking, public: str, subnet: str) -> None:
    made = demo.post(f"{V2}/ports", {"port": {"network_id": public}}).json["port"]
    port = f"{V2}/ports/{made['id']}"
    pairs = [{"ip_address": "192.0.2.99"}, {"ip_address": "10.0.0.9/8", "mac_address": "02:00:5E:00:01:07"}]
    refused(demo.put(port, {"port": {"allowed_address_pairs": pairs}}), 403, "network:write_all")
    found = admin.put(port, {"port": {"allowed_address_pairs": pairs}}).json["port"]["allowed_address_pairs"]
    assert found == [
        {"ip_address": "192.0.2.99", "mac_address": made["mac_address"]},
        {"ip_address": "10.0.0.0/8", "mac_address": "02:00:5e:00:01:07"},
    ]
    # what is shown may be sent back
    assert admin.put(port, {"port": {"allowed_address_pairs": found}}).json["port"]["allowed_address_pairs"] == found
    for bad in ("x", [{"ip_address": "x"}], [{"mac_address": "02:00:5e:00:01:07"}], [{"ip_address": "::1", "x": 1}]):
        refused(admin.put(port, {"port": {"allowed_address_pairs": bad}}), 400, "allowed_address_pairs")
    refused(
        admin.put(port, {"port": {"allowed_address_pairs": [{"ip_address": "::1", "mac_address": "x"}]}}), 400, "mac"
    )
    assert demo.put(port, {"port": {"allowed_address_pairs": None}}).json["port"]["allowed_address_pairs"] == []
    assert subnet


@pytest.mark.parametrize("name", ["floatingips", "routers"])
def test_what_there_is_none_of_yet_is_an_empty_list(demo: Asking, anyone: Asking, name: str) -> None:
    assert demo.get(f"{V2}/{name}").json == {name: []}
    assert anyone.get(f"{V2}/{name}").status_code == 401


@pytest.mark.parametrize("thing", unserved.THINGS, ids=lambda thing: str(thing.path))
def test_what_is_not_served_is_an_empty_list_and_says_why_none_is_made(
    demo: Asking, anyone: Asking, thing: unserved.Thing
) -> None:
    path = f"{V2}/{thing.path}"
    assert demo.get(f"{path}?name=x").json == {thing.key: []}
    refused(demo.post(path, {"x": {}}), 400, thing.why)
    for answer in (demo.get(f"{path}/x"), demo.put(f"{path}/x", {"x": {}}), demo.delete(f"{path}/x")):
        refused(answer, 404, f"there is no {thing.one} x")
    for answer in (anyone.get(path), anyone.post(path, {"x": {}}), anyone.get(f"{path}/x")):
        assert answer.status_code == 401


def test_there_are_no_tags_and_nothing_has_any(demo: Asking, public: str, subnet: str) -> None:
    path = f"{V2}/networks/{public}/tags"
    assert demo.get(path).json == {"tags": []}
    assert demo.put(path, {"tags": []}).json == {"tags": []}
    refused(demo.put(path, {"tags": ["red"]}), 400, "tags")
    for key in ("networks", "subnets", "ports", "floatingips", "security-groups"):
        assert list(demo.get(f"{V2}/{key}?tags=red").json.values()) == [[]]
    assert len(demo.get(f"{V2}/subnets?not-tags=red").json["subnets"]) == 1
    assert subnet


def test_ports_are_filtered_by_whose_they_are(demo: Asking, public: str, subnet: str) -> None:
    made = demo.post(f"{V2}/ports", {"port": {"network_id": public}}).json["port"]["id"]
    for owner, found in (("", [made]), ("compute:nova", []), ("network:floatingip", []), ("network:dhcp", [])):
        assert [each["id"] for each in demo.get(f"{V2}/ports?device_owner={owner}").json["ports"]] == found, owner
    refused(demo.get(f"{V2}/ports?binding:host_id=node1"), 400, "binding:host_id")
    assert subnet


def test_extensions_are_listed_and_shown(demo: Asking) -> None:
    aliases = [each["alias"] for each in demo.get(f"{V2}/extensions").json["extensions"]]
    assert "external-net" in aliases
    assert demo.get(f"{V2}/extensions/external-net").json["extension"]["alias"] == "external-net"
    refused(demo.get(f"{V2}/extensions/dvr"), 404, "dvr")


@pytest.fixture
def own(demo: Asking) -> str:
    return str(demo.get("/identity/v3/auth/projects").json["projects"][0]["id"])


def test_a_projects_quotas_are_its_own_to_see(demo: Asking, stranger: Asking, admin: Asking, own: str) -> None:
    for path in (f"{V2}/quotas/{own}", f"{V2}/quotas/{own}/default"):
        assert demo.get(path).json["quota"] | {"network": 10, "subnet": -1} == demo.get(path).json["quota"]
        assert admin.get(path).status_code == 200
        refused(stranger.get(path), 403, "")


def test_an_admin_says_how_many_networks_a_project_may_have(
    demo: Asking, admin: Asking, own: str, segments: list[str]
) -> None:
    path = f"{V2}/quotas/{own}"
    refused(demo.put(path, {"quota": {"network": 1}}), 403, "quota")
    assert admin.put(path, {"quota": {"network": 1, "subnet": -1, "force": False}}).json["quota"]["network"] == 1
    refused(admin.put(path, {"quota": {"subnet": 5}}), 400, "network")
    assert demo.post(f"{V2}/networks", {"network": {}}).status_code == 201
    refused(demo.post(f"{V2}/networks", {"network": {}}), 409, "quota exceeded for networks")
    details = demo.get(f"{path}/details").json["quota"]
    assert details["network"] == {"limit": 1, "used": 1, "reserved": 0}
    assert admin.delete(path).status_code == 204
    assert demo.get(path).json["quota"]["network"] == 10


@pytest.fixture
def segments(cloud: Cloud) -> list[str]:
    links = ["prv1", "prv2", "prv3"]
    pools.add(cloud, links)
    return links


def test_a_tenant_makes_a_network_that_nobody_else_sees(
    demo: Asking, stranger: Asking, admin: Asking, segments: list[str]
) -> None:
    answer = demo.post(f"{V2}/networks", {"network": {"name": "back"}})
    assert answer.status_code == 201, answer.text
    made = answer.json["network"]
    assert (made["shared"], made["router:external"], made["status"]) == (False, False, "ACTIVE")
    assert "provider:physical_network" not in made
    assert admin.get(f"{V2}/networks/{made['id']}").json["network"]["provider:physical_network"] == "prv1"
    subnet = {"network_id": made["id"], "cidr": "10.0.0.0/24", "ip_version": 4}
    assert demo.post(f"{V2}/subnets", {"subnet": subnet}).status_code == 201
    again = demo.post(f"{V2}/subnets", {"subnet": subnet})
    refused(again, 400, "overlaps with another subnet")
    refused(stranger.get(f"{V2}/networks/{made['id']}"), 404, "there is no network")
    refused(stranger.post(f"{V2}/subnets", {"subnet": {**subnet, "cidr": "10.1.0.0/24"}}), 404, "there is no network")
    refused(stranger.post(f"{V2}/ports", {"port": {"network_id": made["id"]}}), 404, "there is no network")
    refused(stranger.delete(f"{V2}/networks/{made['id']}"), 404, "there is no network")
    assert demo.put(f"{V2}/networks/{made['id']}", {"network": {"name": "inner"}}).json["network"]["name"] == "inner"
    assert demo.delete(f"{V2}/networks/{made['id']}").status_code == 204
    assert demo.post(f"{V2}/networks", {"network": {}}).status_code == 201


@pytest.mark.parametrize(
    "more", [{"shared": True}, {"router:external": True}, {"is_default": True}, {"provider:physical_network": "br0"}]
)
def test_a_tenant_shares_no_network_and_says_not_what_it_is_on_the_nodes(
    demo: Asking, segments: list[str], more: dict[str, object]
) -> None:
    refused(demo.post(f"{V2}/networks", {"network": more}), 403, "network:write_all")
    made = demo.post(f"{V2}/networks", {"network": {}}).json["network"]["id"]
    if "provider:physical_network" not in more:
        refused(demo.put(f"{V2}/networks/{made}", {"network": more}), 403, "network:write_all")


def test_a_shared_network_is_not_its_users_to_change(demo: Asking, public: str, subnet: str) -> None:
    refused(demo.put(f"{V2}/networks/{public}", {"network": {"name": "mine"}}), 403, "network:write_all")
    refused(demo.delete(f"{V2}/networks/{public}"), 403, "network:write_all")
    refused(demo.put(f"{V2}/subnets/{subnet}", {"subnet": {"name": "mine"}}), 403, "network:write_all")
    refused(demo.delete(f"{V2}/subnets/{subnet}"), 403, "network:write_all")


def test_without_a_segment_there_is_no_network_and_none_is_counted(demo: Asking, own: str) -> None:
    refused(demo.post(f"{V2}/networks", {"network": {}}), 409, "segments")
    assert demo.get(f"{V2}/quotas/{own}/details").json["quota"]["network"]["used"] == 0


def test_several_are_made_at_once_or_none(demo: Asking, segments: list[str]) -> None:
    answer = demo.post(f"{V2}/networks", {"networks": [{"name": "one"}, {"name": "two"}]})
    assert answer.status_code == 201, answer.text
    ids = [each["id"] for each in answer.json["networks"]]
    refused(demo.post(f"{V2}/networks", {"networks": [{"name": "three"}, {"name": "four"}]}), 409, "segments")
    assert {each["name"] for each in demo.get(f"{V2}/networks").json["networks"]} == {"one", "two"}

    subnets = [{"network_id": each, "cidr": "10.0.0.0/24", "ip_version": 4} for each in ids]
    made = demo.post(f"{V2}/subnets", {"subnets": subnets}).json["subnets"]
    assert [each["network_id"] for each in made] == ids
    wanted = [{"network_id": each, "name": f"in-{number}"} for number, each in enumerate(ids)]
    ports = demo.post(f"{V2}/ports", {"ports": wanted}).json["ports"]
    assert [(each["network_id"], each["name"]) for each in ports] == list(zip(ids, ["in-0", "in-1"], strict=True))
    assert [each["fixed_ips"][0]["subnet_id"] for each in ports] == [each["id"] for each in made]
    refused(demo.post(f"{V2}/ports", {"ports": []}), 400, "ports")
    refused(demo.post(f"{V2}/ports", {"ports": [wanted[0]], "port": wanted[1]}), 400, "port")


@pytest.fixture
def prefixes(cloud: Cloud) -> list[str]:
    found = pools.prefixes("aa:00:01-aa:00:02")
    pools.add_prefixes(cloud, "br-prv", found)
    return found


def test_an_admin_chooses_the_kind_of_a_network(admin: Asking, segments: list[str], prefixes: list[str]) -> None:
    def made(kind: str, link: str | None = None) -> tuple[object, ...]:
        body = {"provider:network_type": kind, "provider:physical_network": link}
        shown = admin.post(f"{V2}/networks", {"network": body}).json["network"]
        return shown["provider:network_type"], shown["provider:physical_network"]

    assert made("flat", "br0") == ("flat", "br0")
    assert made("routed", "public") == ("routed", "public")
    assert made("bridge") == ("bridge", segments[0])
    assert [made("mac-filtered") for _ in prefixes] == [("mac-filtered", "br-prv")] * 2
    refused(admin.post(f"{V2}/networks", {"network": {"provider:network_type": "mac-filtered"}}), 409, "mac-filtered")


@pytest.mark.parametrize(
    ("more", "status", "word"),
    [
        ({"provider:network_type": "vxlan"}, 400, "provider:network_type"),
        ({"provider:network_type": "flat"}, 400, "provider:physical_network"),
        ({"provider:network_type": "routed"}, 400, "provider:physical_network"),
        ({"provider:network_type": "bridge", "provider:physical_network": "br9"}, 400, "provider:physical_network"),
        ({"provider:network_type": "mac-filtered", "provider:physical_network": "br9"}, 400, "physical_network"),
        ({"provider:physical_network": "br-prv"}, 409, "provider:physical_network"),
        ({"provider:physical_network": "prv1"}, 409, "provider:physical_network"),
        ({"provider:physical_network": "a" * 16}, 400, "provider:physical_network"),
        ({"provider:physical_network": "a" * 300}, 400, "provider:physical_network"),
        ({"provider:physical_network": "a bridge"}, 400, "provider:physical_network"),
        ({"provider:physical_network": ""}, 400, "provider:physical_network"),
        ({"provider:network_type": "routed", "provider:physical_network": "a" * 16}, 400, "routing table"),
    ],
)
def test_a_kind_that_cannot_be_is_refused(
    admin: Asking, segments: list[str], prefixes: list[str], more: dict[str, object], status: int, word: str
) -> None:
    refused(admin.post(f"{V2}/networks", {"network": more}), status, word)


def test_a_tenant_does_not_choose_the_kind(demo: Asking, prefixes: list[str]) -> None:
    body = {"network": {"provider:network_type": "mac-filtered"}}
    refused(demo.post(f"{V2}/networks", body), 403, "network:write_all")


def test_ports_of_a_mac_filtered_network_have_its_prefix(admin: Asking, prefixes: list[str]) -> None:
    network = admin.post(f"{V2}/networks", {"network": {"provider:network_type": "mac-filtered"}}).json["network"]
    macs = [admin.post(f"{V2}/ports", {"port": {"network_id": network["id"]}}).json["port"] for _ in range(5)]
    assert len({each["mac_address"] for each in macs}) == 5
    assert all(each["mac_address"].startswith("aa:00:01:") for each in macs)
    own = {"network_id": network["id"], "mac_address": "AA:00:01:00:00:07"}
    assert admin.post(f"{V2}/ports", {"port": own}).json["port"]["mac_address"] == "aa:00:01:00:00:07"
    refused(admin.post(f"{V2}/ports", {"port": own}), 409, "mac_address")
    refused(admin.post(f"{V2}/ports", {"port": {**own, "mac_address": "aa:00:02:00:00:07"}}), 400, "mac_address")


def test_what_somebody_has_is_no_free_segment(admin: Asking, demo: Asking, public: str, cloud: Cloud) -> None:
    """A MAC below a prefix, which its owner chose on another network, keeps that from being taken."""
    pools.add_prefixes(cloud, "br-prv", ["aa:00:01"])
    port = {"network_id": public, "mac_address": "aa:00:01:00:00:07"}
    made = demo.post(f"{V2}/ports", {"port": port}).json["port"]["id"]
    body = {"network": {"provider:network_type": "mac-filtered"}}
    refused(admin.post(f"{V2}/networks", body), 409, "pool")
    with pytest.raises(Conflict, match="aa:00:01"):
        pools.remove(cloud, "aa:00:01")
        pools.add_prefixes(cloud, "br-prv", ["aa:00:01"])
    pools.add_prefixes(cloud, "br-prv", ["aa:00:02"])
    demo.delete(f"{V2}/ports/{made}")
    assert admin.post(f"{V2}/networks", body).status_code == 201


def test_what_was_given_back_is_taken_again_last(admin: Asking, segments: list[str]) -> None:
    def taken() -> tuple[str, str]:
        made = admin.post(f"{V2}/networks", {"network": {"provider:network_type": "bridge"}}).json["network"]
        return made["id"], made["provider:physical_network"]

    first, link = taken()
    assert admin.delete(f"{V2}/networks/{first}").status_code == 204
    assert [taken()[1] for _ in segments] == [*segments[1:], link]


def test_an_admin_makes_things_for_another_project_and_nobody_else_does(
    admin: Asking, demo: Asking, cloud: Cloud, public: str, subnet: str
) -> None:
    assert subnet
    project = demo.get(f"{V2}/security-groups?name=default").json["security_groups"][0]["project_id"]
    made = admin.post(f"{V2}/ports", {"port": {"network_id": public, "project_id": project}}).json["port"]
    assert made["project_id"] == project
    assert demo.get(f"{V2}/ports/{made['id']}").status_code == 200
    assert quotas.standing(cloud, project)[Resource.PORTS].used == 1

    spec = {"name": "theirs", "provider:network_type": "flat", "provider:physical_network": "br9"}
    theirs = admin.post(f"{V2}/networks", {"networks": [{**spec, "tenant_id": project}]}).json["networks"][0]
    assert theirs["tenant_id"] == project
    assert demo.get(f"{V2}/networks/{theirs['id']}").status_code == 200

    other = accounts.add_project(cloud, "other").id
    refused(demo.post(f"{V2}/ports", {"port": {"network_id": public, "project_id": other}}), 403, "network:write_all")
    refused(admin.post(f"{V2}/networks", {"network": {**spec, "project_id": "nobody"}}), 400, "project_id")
    several = [{**spec, "project_id": project}, spec]
    refused(admin.post(f"{V2}/networks", {"networks": several}), 400, "one project at a time")
