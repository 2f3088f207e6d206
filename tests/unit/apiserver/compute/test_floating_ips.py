"""Floating IPs as clients of the Compute API use them: os-floating-ips, their pools, and two actions."""

from __future__ import annotations

import pytest

from cloud.context import Cloud
from db.instances import State
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, MakeServer
from tests.unit.apiserver.compute.endings import end_jobs

PATH = "/compute/v2.1/os-floating-ips"
SERVERS = "/compute/v2.1/servers"


def act(asking: Asking, server: str, action: str, **words: object) -> int:
    return int(asking.post(f"{SERVERS}/{server}/action", {action: words}).status_code)


def test_one_is_taken_of_a_pool_shown_and_given_back(demo: Asking, stranger: Asking, outside: str) -> None:
    assert demo.get("/compute/v2.1/os-floating-ip-pools").json == {"floating_ip_pools": [{"name": "outside"}]}
    answer = demo.post(PATH, {"pool": "outside"})
    assert answer.status_code == 200, answer.text
    made = answer.json["floating_ip"]
    expected = {"ip": "203.0.113.2", "pool": "outside", "fixed_ip": None, "instance_id": None}
    assert made == {"id": made["id"], **expected}
    assert demo.get(PATH).json == {"floating_ips": [made]}
    assert demo.get(f"{PATH}/{made['id']}").json == {"floating_ip": made}
    assert stranger.get(PATH).json == {"floating_ips": []}
    assert stranger.get(f"{PATH}/{made['id']}").status_code == 404
    assert stranger.delete(f"{PATH}/{made['id']}").status_code == 404
    assert demo.delete(f"{PATH}/{made['id']}").status_code == 202
    assert demo.get(f"{PATH}/{made['id']}").status_code == 404
    assert demo.post(PATH, {}).status_code == 200
    assert demo.post(PATH, {"pool": "none"}).status_code == 404


def test_without_an_external_network_there_is_no_pool(demo: Asking) -> None:
    assert demo.get("/compute/v2.1/os-floating-ip-pools").json == {"floating_ip_pools": []}
    assert demo.post(PATH, {}).status_code == 404


def test_one_is_added_to_a_server_and_removed(demo: Asking, cloud: Cloud, outside: str, server: str) -> None:
    made = demo.post(PATH, {}).json["floating_ip"]
    assert act(demo, server, "addFloatingIp", address=made["ip"]) == 202
    assert act(demo, server, "removeFloatingIp", address=made["ip"]) == 409
    end_jobs(cloud, server)
    shown = demo.get(f"{PATH}/{made['id']}").json["floating_ip"]
    assert (shown["fixed_ip"], shown["instance_id"]) == ("10.0.0.2", server)
    addresses = demo.get(f"{SERVERS}/{server}").json["server"]["addresses"]
    assert [each["OS-EXT-IPS:type"] for each in addresses["outside"]] == ["floating"]
    assert act(demo, server, "removeFloatingIp", address=made["ip"]) == 202
    end_jobs(cloud, server)
    shown = demo.get(f"{PATH}/{made['id']}").json["floating_ip"]
    assert (shown["fixed_ip"], shown["instance_id"]) == (None, None)
    assert act(demo, server, "addFloatingIp", address=made["ip"], fixed_address="10.0.0.2") == 202


@pytest.mark.parametrize(
    ("action", "words", "status"),
    [
        ("addFloatingIp", {}, 400),
        ("addFloatingIp", {"address": "nonsense"}, 400),
        ("addFloatingIp", {"address": "203.0.113.6"}, 404),
        ("addFloatingIp", {"address": "203.0.113.2", "fixed_address": "nonsense"}, 400),
        ("addFloatingIp", {"address": "203.0.113.2", "fixed_address": "10.0.0.77"}, 400),
        ("removeFloatingIp", {"address": "203.0.113.6"}, 404),
        ("removeFloatingIp", {"address": "203.0.113.2"}, 409),
    ],
)
def test_what_cannot_be_meant_is_refused(
    demo: Asking, outside: str, server: str, action: str, words: dict[str, object], status: int
) -> None:
    demo.post(PATH, {})
    assert act(demo, server, action, **words) == status
    assert act(demo, "missing", action, **words) in (400, 404)


def test_a_server_without_an_address_is_given_none(
    demo: Asking, outside: str, make: MakeServer, become: Become, cloud: Cloud
) -> None:
    made = make(networks="none")
    end_jobs(cloud, made)
    become(made, State.ACTIVE)
    ip = demo.post(PATH, {}).json["floating_ip"]["ip"]
    assert act(demo, made, "addFloatingIp", address=ip) == 400
