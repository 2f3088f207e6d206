"""Floating IPs, as clients of the Network API use them: here, where there are servers to give them to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud import floating_moves
from cloud.context import Cloud
from db.instances import State
from tests.support import networks
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, MakeServer
from tests.unit.apiserver.compute.endings import end_jobs
from tests.unit.apiserver.conftest import Clock
from tests.unit.apiserver.network.test_networks import refused

PATH = "/network/v2.0/floatingips"
SERVERS = "/compute/v2.1/servers"


@pytest.fixture
def port(demo: Asking, server: str) -> str:
    """The id of the server's port."""
    return str(demo.get(f"/network/v2.0/ports?device_id={server}").json["ports"][0]["id"])


@pytest.fixture
def second(cloud: Cloud, demo: Asking, make: MakeServer, become: Become, port: str) -> str:
    """The id of another server in the same network."""
    network = demo.get(f"/network/v2.0/ports/{port}").json["port"]["network_id"]
    made = make("second", networks=[{"uuid": network}])
    end_jobs(cloud, made)
    become(made, State.ACTIVE)
    return made


def take(asking: Asking, network: str, **more: object) -> dict[str, object]:
    answer = asking.post(PATH, {"floatingip": {"floating_network_id": network, **more}})
    assert answer.status_code == 201, answer.text
    return dict(answer.json["floatingip"])


def test_one_is_taken_shown_described_and_given_back(demo: Asking, stranger: Asking, outside: str) -> None:
    made = take(demo, outside, description="web")
    assert (
        made
        | {
            "floating_ip_address": "203.0.113.2",
            "floating_network_id": outside,
            "fixed_ip_address": None,
            "port_id": None,
            "port_details": None,
            "router_id": None,
            "status": "DOWN",
            "description": "web",
            "tags": [],
        }
        == made
    )
    one = f"{PATH}/{made['id']}"
    assert demo.get(one).json == {"floatingip": made}
    assert demo.get(f"{one}?fields=id").json == {"floatingip": {"id": made["id"]}}
    assert demo.put(one, {"floatingip": {"description": "db"}}).json["floatingip"]["description"] == "db"
    refused(stranger.get(one), 404, "floating IP")
    refused(stranger.put(one, {"floatingip": {"description": "x"}}), 404, "floating IP")
    refused(stranger.delete(one), 404, "floating IP")
    assert demo.delete(one).status_code == 204
    refused(demo.get(one), 404, "floating IP")
    assert demo.get(PATH).json == {"floatingips": []}


def test_one_is_associated_with_a_port_and_disassociated(
    demo: Asking, cloud: Cloud, outside: str, server: str, port: str
) -> None:
    one = f"{PATH}/{take(demo, outside)['id']}"
    answer = demo.put(one, {"floatingip": {"port_id": port, "fixed_ip_address": "10.0.0.2"}})
    assert answer.status_code == 200, answer.text
    found = answer.json["floatingip"]
    assert (found["port_id"], found["fixed_ip_address"], found["status"]) == (port, "10.0.0.2", "ACTIVE")
    details = found["port_details"]
    assert (details["device_id"], details["device_owner"], details["status"]) == (server, "compute:nova", "ACTIVE")
    end_jobs(cloud, server)

    (carrier,) = demo.get(f"/network/v2.0/ports?network_id={outside}").json["ports"]
    assert (carrier["device_owner"], carrier["device_id"]) == ("network:floatingip", server)
    refused(demo.delete(f"/network/v2.0/ports/{carrier['id']}"), 409, "floating IP")
    refused(demo.delete(f"/network/v2.0/ports/{port}"), 409, "disassociate")
    shown = demo.get(f"{SERVERS}/{server}").json["server"]["addresses"]
    assert {(each["addr"], each["OS-EXT-IPS:type"]) for found in shown.values() for each in found} == {
        ("10.0.0.2", "fixed"),
        ("203.0.113.2", "floating"),
    }

    assert demo.put(one, {"floatingip": {"port_id": None}}).status_code == 200
    end_jobs(cloud, server)
    found = demo.get(one).json["floatingip"]
    assert (found["port_id"], found["fixed_ip_address"], found["status"]) == (None, None, "DOWN")


@pytest.mark.parametrize("by_compute", [False, True])
def test_one_moves_from_one_server_to_another(
    demo: Asking, cloud: Cloud, outside: str, server: str, port: str, second: str, by_compute: bool
) -> None:
    (target,) = demo.get(f"/network/v2.0/ports?device_id={second}").json["ports"]
    one = f"{PATH}/{take(demo, outside, port_id=port)['id']}"
    end_jobs(cloud, server)
    if by_compute:
        body = {"addFloatingIp": {"address": "203.0.113.2"}}
        assert demo.post(f"{SERVERS}/{second}/action", body).status_code == 202
    else:
        assert demo.put(one, {"floatingip": {"port_id": target["id"]}}).status_code == 200
    found = demo.get(one).json["floatingip"]
    assert (found["port_id"], found["fixed_ip_address"], found["status"]) == (target["id"], "10.0.0.3", "DOWN")
    assert found["port_details"]["device_id"] == second
    for query in (f"port_id={target['id']}", "fixed_ip_address=10.0.0.3"):
        assert len(demo.get(f"{PATH}?{query}").json["floatingips"]) == 1
    assert demo.get(f"{PATH}?port_id={port}").json["floatingips"] == []

    end_jobs(cloud, server)
    assert demo.get(one).json["floatingip"]["status"] == "DOWN"
    assert floating_moves.plan(cloud) == 1
    end_jobs(cloud, second)
    found = demo.get(one).json["floatingip"]
    assert (found["port_id"], found["status"]) == (target["id"], "ACTIVE")


def test_they_are_filtered_sorted_and_paged(
    demo: Asking, stranger: Asking, clock: Clock, outside: str, port: str
) -> None:
    made = []
    for word in ("a", "b", "c"):
        clock.now += timedelta(seconds=1)
        made.append(take(demo, outside, description=word, **({"port_id": port} if word == "c" else {})))

    def words(query: str, asking: Asking = demo) -> str:
        return "".join(each["description"] for each in asking.get(f"{PATH}?{query}").json["floatingips"])

    for query, expected in (
        ("", "abc"),
        ("sort_key=created_at&sort_dir=desc", "cba"),
        ("floating_ip_address=203.0.113.3", "b"),
        (f"floating_network_id={outside}", "abc"),
        ("floating_network_id=other", ""),
        (f"port_id={port}", "c"),
        ("fixed_ip_address=10.0.0.2", "c"),
        ("status=ACTIVE", "c"),
        ("status=DOWN", "ab"),
        ("description=b", "b"),
        (f"id={made[0]['id']}", "a"),
        ("router_id=any", ""),
        (f"project_id={made[0]['project_id']}", "abc"),
    ):
        assert words(query) == expected, query
        assert words(query, stranger) == "", query
    page = demo.get(f"{PATH}?limit=2&fields=id&fields=description").json
    assert [set(each) for each in page["floatingips"]] == [{"id", "description"}] * 2
    assert words(page["floatingips_links"][0]["href"].partition("?")[2]) == "c"
    refused(demo.get(f"{PATH}?marker=none"), 400, "marker")
    refused(demo.get(f"{PATH}?status=ERROR"), 400, "status")


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"floating_network_id": "missing"}, 404, "missing"),
        ({"floating_network_id": None}, 400, "floating_network_id"),
        ({"subnet_id": "missing"}, 400, "missing"),
        ({"floating_ip_address": "nonsense"}, 400, "floating_ip_address"),
        ({"floating_ip_address": "198.51.100.1"}, 400, "198.51.100.1"),
        ({"fixed_ip_address": "10.0.0.2"}, 400, "fixed_ip_address"),
        ({"port_id": "missing"}, 404, "missing"),
        ({"project_id": "another"}, 403, "network:write_all"),
        ({"router_id": "r"}, 400, "router_id"),
        ({"unheard": 1}, 400, "unheard"),
    ],
)
def test_one_that_cannot_be_is_refused(
    demo: Asking, outside: str, change: dict[str, object], status: int, word: str
) -> None:
    refused(demo.post(PATH, {"floatingip": {"floating_network_id": outside, **change}}), status, word)
    assert demo.get(PATH).json == {"floatingips": []}


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"port_id": "missing"}, 404, "missing"),
        ({"port_id": 7}, 400, "port_id"),
        ({"port_id": "P", "fixed_ip_address": "10.0.0.9"}, 400, "10.0.0.9"),
        ({"port_id": None, "fixed_ip_address": "10.0.0.2"}, 400, "fixed_ip_address"),
        ({"floating_ip_address": "203.0.113.3"}, 400, "floating_ip_address"),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    demo: Asking, outside: str, port: str, change: dict[str, object], status: int, word: str
) -> None:
    one = f"{PATH}/{take(demo, outside)['id']}"
    if change.get("port_id") == "P":
        change = {**change, "port_id": port}
    refused(demo.put(one, {"floatingip": change}), status, word)
    assert demo.get(one).json["floatingip"]["port_id"] is None


def test_a_network_that_is_not_external_has_none(demo: Asking, cloud: Cloud, outside: str) -> None:
    inside = networks.add(cloud, "10.0.0.0/24")
    refused(demo.post(PATH, {"floatingip": {"floating_network_id": inside}}), 400, "external")


def test_an_external_network_with_one_is_not_deleted(admin: Asking, demo: Asking, outside: str) -> None:
    take(demo, outside)
    (subnet,) = admin.get(f"/network/v2.0/networks/{outside}").json["network"]["subnets"]
    refused(admin.delete(f"/network/v2.0/networks/{outside}"), 409, "ports")
    refused(admin.delete(f"/network/v2.0/subnets/{subnet}"), 409, "in use")


def test_an_admin_says_how_many_a_project_may_have(demo: Asking, admin: Asking, outside: str) -> None:
    own = take(demo, outside)["project_id"]
    path = f"/network/v2.0/quotas/{own}"
    assert demo.get(path).json["quota"]["floatingip"] == demo.get(f"{path}/default").json["quota"]["floatingip"] == 50
    assert admin.put(path, {"quota": {"floatingip": 1}}).json["quota"]["floatingip"] == 1
    refused(demo.post(PATH, {"floatingip": {"floating_network_id": outside}}), 409, "floating_ips")
    assert demo.get(f"{path}/details").json["quota"]["floatingip"] == {"limit": 1, "used": 1, "reserved": 0}
    limits = demo.get("/compute/v2.1/limits").json["limits"]["absolute"]
    assert (limits["maxTotalFloatingIps"], limits["totalFloatingIpsUsed"]) == (1, 1)
    quota_set = demo.get(f"/compute/v2.1/os-quota-sets/{own}/detail").json["quota_set"]
    assert quota_set["floating_ips"] == {"limit": 1, "in_use": 1, "reserved": 0}


def test_there_are_no_routers_and_it_says_what_to_use_instead(demo: Asking, anyone: Asking) -> None:
    assert demo.get("/network/v2.0/routers").json == {"routers": []}
    refused(demo.post("/network/v2.0/routers", {"router": {"name": "r"}}), 400, "floating IP")
    assert anyone.post("/network/v2.0/routers", {"router": {}}).status_code == 401
    refused(demo.get("/network/v2.0/extensions/router"), 404, "router")
