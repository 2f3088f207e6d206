"""Networks of a create, and the addresses that are shown of servers."""

from __future__ import annotations

import pytest

from cloud.context import Cloud
from tests.support import networks
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import MakeServer

PATH = "/compute/v2.1/servers"


@pytest.fixture
def network(cloud: Cloud) -> str:
    return networks.add(cloud, "192.0.2.0/28")


def test_a_server_shows_its_address_everywhere(demo: Asking, make: MakeServer, network: str) -> None:
    server = make(networks=[{"uuid": network, "fixed_ip": "192.0.2.9"}])

    shown = demo.get(f"{PATH}/{server}").json["server"]["addresses"]["public"]
    assert [(each["addr"], each["version"], each["OS-EXT-IPS:type"]) for each in shown] == [("192.0.2.9", 4, "fixed")]
    assert shown[0]["OS-EXT-IPS-MAC:mac_addr"].startswith("02:")
    plain = {"public": [{"version": 4, "addr": "192.0.2.9"}]}
    assert demo.get(f"{PATH}/{server}/ips").json == {"addresses": plain}
    assert demo.get(f"{PATH}/{server}/ips/public").json == plain
    assert demo.get(f"{PATH}/detail").json["servers"][0]["addresses"]["public"] == shown
    renamed = demo.put(f"{PATH}/{server}", {"server": {"name": "other"}}).json["server"]
    assert renamed["addresses"] == plain
    (port,) = demo.get(f"/network/v2.0/ports?device_id={server}").json["ports"]
    assert (port["device_owner"], port["status"]) == ("compute:nova", "ACTIVE")


@pytest.mark.parametrize("wish", [{}, {"networks": "auto"}, {"networks": []}])
def test_without_a_wish_the_only_network_is_meant(
    demo: Asking, make: MakeServer, network: str, wish: dict[str, object]
) -> None:
    server = make(**wish)
    assert list(demo.get(f"{PATH}/{server}/ips").json["addresses"]) == ["public"]
    assert network


def test_none_is_none(demo: Asking, make: MakeServer, network: str) -> None:
    assert demo.get(f"{PATH}/{make(networks='none')}/ips").json == {"addresses": {}}
    assert network


@pytest.mark.parametrize(
    ("members", "status", "word"),
    [
        ({"networks": [{"uuid": "missing"}]}, 400, "missing"),
        ({"networks": [{"port": "missing"}]}, 400, "missing"),
        ({"networks": [{}]}, 400, "networks"),
        ({"networks": [{"uuid": "a", "port": "b"}]}, 400, "networks"),
        ({"networks": [{"port": "b", "fixed_ip": "192.0.2.9"}]}, 400, "fixed_ip"),
        ({"networks": "some"}, 400, "networks"),
        ({"networks": [1]}, 400, "networks"),
        ({"networks": [{"uuid": "N", "fixed_ip": "nonsense"}]}, 400, "fixed_ip"),
        ({"networks": [{"uuid": "N", "fixed_ip": "198.51.100.1"}]}, 400, "198.51.100.1"),
        ({"networks": [{"uuid": "N", "fixed_ip": "192.0.2.9"}], "max_count": 2}, 400, "max_count"),
    ],
)
def test_a_network_that_cannot_be_meant_is_refused(
    demo: Asking, image: str, network: str, members: dict[str, object], status: int, word: str
) -> None:
    if isinstance(members["networks"], list):
        named = [
            {**each, "uuid": network} if isinstance(each, dict) and each.get("uuid") == "N" else each
            for each in members["networks"]
        ]
        members = {**members, "networks": named}
    server = {"name": "web", "imageRef": image, "flavorRef": "1", **members}
    answer = demo.post(PATH, {"server": server})
    assert answer.status_code == status, answer.text
    assert word in answer.json["badRequest"]["message"]


def test_another_projects_network_is_not_there(demo: Asking, cloud: Cloud, image: str) -> None:
    hidden = networks.add(cloud, "192.0.2.0/28", shared=False)
    body = {"server": {"name": "web", "imageRef": image, "flavorRef": "1", "networks": [{"uuid": hidden}]}}
    assert demo.post(PATH, body).status_code == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ip=192.0.2.2", ["first"]),
        ("ip=192.0.2.", ["first", "second"]),
        ("ip=192.0.2.9", []),
        ("ip=192.0.2", ["first", "second"]),
        ("ip=92.0.2.3$", ["second"]),
        ("ip=^192\\.0\\.2\\.[3-5]$", ["second"]),
        ("ip=198", []),
        ("ip6=FIRST", ["first"]),
        ("ip6=2001:db8", ["first", "second"]),
        ("ip6=192", []),
        ("ip=192&ip6=FIRST", ["first"]),
        ("ip=192.0.2.3&ip6=FIRST", []),
    ],
)
def test_servers_are_found_by_address(
    demo: Asking, stranger: Asking, make: MakeServer, cloud: Cloud, query: str, found: list[str]
) -> None:
    networks.add(cloud, "192.0.2.0/29", "2001:db8::/64")
    first = make(name="first")
    make(name="second")
    shown = demo.get(f"{PATH}/{first}").json["server"]["addresses"]["public"]
    query = query.replace("FIRST", next(each["addr"] for each in shown if each["version"] == 6))

    assert sorted(each["name"] for each in demo.get(f"{PATH}?{query}").json["servers"]) == found
    assert stranger.get(f"{PATH}?{query}").json["servers"] == []


@pytest.mark.parametrize("query", ["ip=2001:db8::5", "ip6=192.0.2.5", "ip=(", "ip=(a*)*"])
def test_an_address_that_cannot_be_meant_is_refused(demo: Asking, query: str) -> None:
    answer = demo.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json["badRequest"]["message"]
