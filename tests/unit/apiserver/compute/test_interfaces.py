"""Interfaces of a server that is there: os-interface, the actions for fixed addresses, and the Network API's ports."""

from __future__ import annotations

import pytest

from cloud import interfaces
from cloud.context import Cloud
from db.instances import State, Task
from tests.support import networks
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, MakeServer
from tests.unit.apiserver.compute.endings import end_jobs

PATH = "/compute/v2.1/servers"


@pytest.fixture
def network(cloud: Cloud) -> str:
    return networks.add(cloud, "192.0.2.0/28")


@pytest.fixture
def server(make: MakeServer, become: Become, cloud: Cloud) -> str:
    """The id of a server that runs, with no network."""
    made = make(networks="none")
    end_jobs(cloud, made)
    become(made, State.ACTIVE)
    return made


@pytest.fixture
def attached(demo: Asking, cloud: Cloud, server: str, network: str) -> str:
    """The id of a port that the server was given."""
    answer = demo.post(f"{PATH}/{server}/os-interface", {"interfaceAttachment": {"net_id": network}})
    end_jobs(cloud, server)
    return str(answer.json["interfaceAttachment"]["port_id"])


def test_an_interface_is_attached_shown_and_detached(demo: Asking, cloud: Cloud, server: str, network: str) -> None:
    asked = {"net_id": network, "fixed_ips": [{"ip_address": "192.0.2.9"}]}
    answer = demo.post(f"{PATH}/{server}/os-interface", {"interfaceAttachment": asked})
    assert answer.status_code == 200, answer.text
    made = answer.json["interfaceAttachment"]
    assert set(made) == {"net_id", "port_id", "mac_addr", "port_state", "fixed_ips"}
    assert (made["net_id"], made["port_state"]) == (network, "BUILD")
    assert [each["ip_address"] for each in made["fixed_ips"]] == ["192.0.2.9"]
    assert demo.get(f"{PATH}/{server}").json["server"]["OS-EXT-STS:task_state"] == "attaching"

    end_jobs(cloud, server)
    there = {**made, "port_state": "ACTIVE"}
    one = f"{PATH}/{server}/os-interface/{made['port_id']}"
    assert demo.get(one).json == {"interfaceAttachment": there}
    assert demo.get(f"{PATH}/{server}/os-interface").json == {"interfaceAttachments": [there]}
    shown = demo.get(f"{PATH}/{server}").json["server"]
    assert (shown["status"], [each["addr"] for each in shown["addresses"]["public"]]) == ("ACTIVE", ["192.0.2.9"])

    answer = demo.delete(one)
    assert (answer.status_code, answer.data) == (202, b"")
    assert demo.get(f"{PATH}/{server}").json["server"]["OS-EXT-STS:task_state"] == "detaching"
    end_jobs(cloud, server)
    assert demo.get(one).status_code == 404
    assert demo.get(f"{PATH}/{server}/ips").json == {"addresses": {}}
    assert demo.get(f"/network/v2.0/ports/{made['port_id']}").status_code == 404


def test_both_are_in_the_history(demo: Asking, cloud: Cloud, server: str, attached: str) -> None:
    demo.delete(f"{PATH}/{server}/os-interface/{attached}")
    end_jobs(cloud, server)
    found = demo.get(f"{PATH}/{server}/os-instance-actions").json["instanceActions"]
    assert [each["action"] for each in found] == ["detach_interface", "attach_interface", "create"]


def test_a_port_of_ones_own_is_attached(demo: Asking, cloud: Cloud, server: str, network: str) -> None:
    port = demo.post("/network/v2.0/ports", {"port": {"network_id": network}}).json["port"]
    answer = demo.post(f"{PATH}/{server}/os-interface", {"interfaceAttachment": {"port_id": port["id"]}})
    assert answer.json["interfaceAttachment"]["mac_addr"] == port["mac_address"]
    end_jobs(cloud, server)
    assert demo.get(f"/network/v2.0/ports/{port['id']}").json["port"]["device_id"] == server
    demo.delete(f"{PATH}/{server}/os-interface/{port['id']}")
    end_jobs(cloud, server)
    assert demo.get(f"/network/v2.0/ports/{port['id']}").json["port"]["device_id"] == ""


def test_without_a_wish_the_only_network_is_meant(demo: Asking, server: str, network: str) -> None:
    answer = demo.post(f"{PATH}/{server}/os-interface", {"interfaceAttachment": {}})
    assert answer.json["interfaceAttachment"]["net_id"] == network


def test_fixed_addresses_come_and_go_by_actions(demo: Asking, cloud: Cloud, server: str, network: str) -> None:
    answer = demo.post(f"{PATH}/{server}/action", {"addFixedIp": {"networkId": network}})
    assert (answer.status_code, answer.data) == (202, b"")
    end_jobs(cloud, server)
    (address,) = demo.get(f"{PATH}/{server}/ips").json["addresses"]["public"]
    answer = demo.post(f"{PATH}/{server}/action", {"removeFixedIp": {"address": address["addr"]}})
    assert (answer.status_code, answer.data) == (202, b"")
    end_jobs(cloud, server)
    assert demo.get(f"{PATH}/{server}/ips").json == {"addresses": {}}


def test_a_port_deleted_by_the_network_api_is_detached_first(
    demo: Asking, cloud: Cloud, server: str, attached: str
) -> None:
    assert demo.delete(f"/network/v2.0/ports/{attached}").status_code == 204
    assert demo.get(f"/network/v2.0/ports/{attached}").status_code == 200
    assert demo.delete(f"/network/v2.0/ports/{attached}").status_code == 409
    end_jobs(cloud, server)
    assert demo.get(f"/network/v2.0/ports/{attached}").status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "word"),
    [
        ({"net_id": "missing"}, 404, "missing"),
        ({"port_id": "missing"}, 404, "missing"),
        ({"net_id": "N", "port_id": "b"}, 400, "net_id"),
        ({"port_id": "b", "fixed_ips": [{"ip_address": "192.0.2.9"}]}, 400, "fixed_ips"),
        ({"fixed_ips": [{"ip_address": "192.0.2.9"}]}, 400, "fixed_ips"),
        ({"net_id": "N", "fixed_ips": [{"ip_address": "nonsense"}]}, 400, "ip_address"),
        ({"net_id": "N", "fixed_ips": [{"ip_address": "fe80::1%1"}]}, 400, "ip_address"),
        ({"net_id": "N", "fixed_ips": [{}]}, 400, "ip_address"),
        ({"net_id": "N", "fixed_ips": [{"ip_address": "192.0.2.9"}] * 2}, 400, "fixed_ips"),
        ({"net_id": "N", "fixed_ips": "192.0.2.9"}, 400, "fixed_ips"),
        ({"net_id": "N", "fixed_ips": [{"ip_address": "198.51.100.1"}]}, 400, "198.51.100.1"),
        ({"net_id": "N", "tag": "x"}, 400, "tag"),
        ({"net_id": 7}, 400, "net_id"),
        ({"net_id": ""}, 400, "net_id"),
        ("some", 400, "interfaceAttachment"),
    ],
)
def test_an_interface_that_cannot_be_meant_is_refused(
    demo: Asking, server: str, network: str, asked: object, status: int, word: str
) -> None:
    if isinstance(asked, dict) and asked.get("net_id") == "N":
        asked = {**asked, "net_id": network}
    answer = demo.post(f"{PATH}/{server}/os-interface", {"interfaceAttachment": asked})
    assert answer.status_code == status, answer.text
    (fault,) = answer.json.values()
    assert word in fault["message"]
    assert demo.get(f"{PATH}/{server}/os-interface").json == {"interfaceAttachments": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"addFixedIp": {}}, 400),
        ({"addFixedIp": None}, 400),
        ({"addFixedIp": {"networkId": "missing"}}, 404),
        ({"removeFixedIp": {}}, 400),
        ({"removeFixedIp": {"address": "nonsense"}}, 400),
        ({"removeFixedIp": {"address": "192.0.2.9"}}, 400),
    ],
)
def test_a_fixed_address_that_cannot_be_meant_is_refused(demo: Asking, server: str, body: object, status: int) -> None:
    assert demo.post(f"{PATH}/{server}/action", body).status_code == status


@pytest.mark.parametrize(
    ("state", "task"),
    [
        (State.BUILDING, Task.CREATING),
        (State.ACTIVE, Task.REBOOTING),
        (State.ACTIVE, Task.RESCUED),
        (State.STOPPED, Task.RESIZED),
        (State.ACTIVE, Task.ATTACHING),
        (State.ERROR, None),
        (State.UNKNOWN, None),
    ],
)
def test_a_server_that_is_not_at_rest_is_left_alone(
    demo: Asking, become: Become, server: str, attached: str, network: str, state: State, task: Task | None
) -> None:
    become(server, state, task)
    answers = [
        demo.post(f"{PATH}/{server}/os-interface", {"interfaceAttachment": {"net_id": network}}),
        demo.delete(f"{PATH}/{server}/os-interface/{attached}"),
        demo.post(f"{PATH}/{server}/action", {"addFixedIp": {"networkId": network}}),
        demo.post(f"{PATH}/{server}/action", {"removeFixedIp": {"address": "192.0.2.2"}}),
        demo.delete(f"/network/v2.0/ports/{attached}"),
    ]
    assert [answer.status_code for answer in answers] == [409] * 5
    assert len(demo.get(f"{PATH}/{server}/os-interface").json["interfaceAttachments"]) == 1


def test_an_address_that_is_taken_and_one_interface_too_many_are_conflicts(
    demo: Asking, cloud: Cloud, server: str, attached: str, network: str
) -> None:
    path = f"{PATH}/{server}/os-interface"
    taken = {"net_id": network, "fixed_ips": [{"ip_address": "192.0.2.2"}]}
    assert demo.post(path, {"interfaceAttachment": taken}).status_code == 409
    assert demo.post(path, {"interfaceAttachment": {"port_id": attached}}).status_code == 409
    for _ in range(interfaces.MOST - 1):
        assert demo.post(path, {"interfaceAttachment": {"net_id": network}}).status_code == 200
        end_jobs(cloud, server)
    assert demo.post(path, {"interfaceAttachment": {"net_id": network}}).status_code == 409
