import pytest

from cloud import nodes
from cloud.context import Cloud
from db import backends
from db.instances import State
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become
from tests.unit.apiserver.conftest import Clock

PATH = "/compute/v2.1"
NODES = [
    {
        "name": "node1.example",
        "pip": "192.0.2.1",
        "mtotal": 4096,
        "mfree": 1024,
        "dtotal": 10240,
        "dfree": 4096,
        "ctotal": 8,
        "pinst_cnt": 2,
    },
    {"name": "node2.example", "mtotal": None, "mfree": None, "offline": True},
    {"name": "node3.example", "mtotal": 2048, "mfree": 2048, "dtotal": 1024, "ctotal": 4, "drained": True},
    {"name": "quorum.example", "vm_capable": False},
]
ROUTES = [
    "os-hosts",
    "os-hosts/node1.example",
    "os-hypervisors",
    "os-hypervisors/detail",
    "os-hypervisors/statistics",
    "os-hypervisors/1",
    "os-hypervisors/node/search",
    "os-hypervisors/node/servers",
    "os-services",
    "os-aggregates",
    "os-aggregates/1",
    "os-availability-zone/detail",
]


@pytest.fixture(autouse=True)
def known(cloud: Cloud) -> None:
    with cloud.sessions.begin() as db:
        backend = backends.get(db, 1)
        assert backend is not None
        backend.version = "3.0.2"
        nodes.keep(db, 1, NODES)


@pytest.mark.parametrize("route", ROUTES)
def test_only_admins_look_at_nodes(demo: Asking, admin: Asking, route: str) -> None:
    assert demo.get(f"{PATH}/{route}").status_code == 403
    assert admin.get(f"{PATH}/{route}").status_code == 200


def test_a_hypervisor_shows_what_ganeti_said_of_its_node(admin: Asking, become: Become, active: str) -> None:
    become(active, State.ACTIVE, node="node1.example", backend_id=1)
    assert admin.get(f"{PATH}/os-hypervisors/1").json["hypervisor"] == {
        "id": 1,
        "hypervisor_hostname": "node1.example",
        "state": "up",
        "status": "enabled",
        "vcpus": 8,
        "vcpus_used": 1,
        "memory_mb": 4096,
        "memory_mb_used": 3072,
        "free_ram_mb": 1024,
        "local_gb": 10,
        "local_gb_used": 6,
        "free_disk_gb": 4,
        "disk_available_least": 4,
        "running_vms": 2,
        "current_workload": 0,
        "hypervisor_type": "ganeti",
        "hypervisor_version": 3000002,
        "host_ip": "192.0.2.1",
        "cpu_info": "",
        "service": {"id": 1, "host": "node1.example", "disabled_reason": None},
    }
    assert admin.get(f"{PATH}/os-hypervisors/9").status_code == 404
    assert admin.get(f"{PATH}/os-hypervisors/none").status_code == 404


def test_hypervisors_page_by_id(admin: Asking) -> None:
    document = admin.get(f"{PATH}/os-hypervisors?limit=2").json
    assert [row["id"] for row in document["hypervisors"]] == [1, 2]
    (link,) = document["hypervisors_links"]
    assert link["href"].endswith("marker=2")
    assert [row["id"] for row in admin.get(f"{PATH}/os-hypervisors?limit=2&marker=2").json["hypervisors"]] == [3]
    assert admin.get(f"{PATH}/os-hypervisors?marker=9").status_code == 400


def test_states_and_reasons_are_told(admin: Asking, clock: Clock) -> None:
    def told() -> list[tuple[str, str, str | None]]:
        rows = admin.get(f"{PATH}/os-services").json["services"]
        return [(row["state"], row["status"], row["disabled_reason"]) for row in rows]

    assert told() == [
        ("up", "enabled", None),
        ("down", "disabled", "the node is offline"),
        ("up", "disabled", "the node is drained"),
    ]
    clock.forward(hours=1)
    assert {state for state, _, _ in told()} == {"down"}


@pytest.mark.parametrize(
    ("query", "count"), [("", 3), ("?binary=nova-compute", 3), ("?binary=nova-api", 0), ("?host=node3.example", 1)]
)
def test_services_are_found_by_binary_and_host(admin: Asking, query: str, count: int) -> None:
    assert len(admin.get(f"{PATH}/os-services{query}").json["services"]) == count


def test_statistics_sum_up_what_is_up(admin: Asking) -> None:
    found = admin.get(f"{PATH}/os-hypervisors/statistics").json["hypervisor_statistics"]
    assert (found["count"], found["memory_mb"], found["vcpus"], found["local_gb"]) == (2, 6144, 12, 11)


def test_servers_are_found_by_their_node(admin: Asking, become: Become, active: str) -> None:
    become(active, State.ACTIVE, node="node1.example", backend_id=1)
    one, two, three = admin.get(f"{PATH}/os-hypervisors/node/servers").json["hypervisors"]
    assert one["servers"] == [{"uuid": active, "name": f"syros-{active}"}]
    assert "servers" not in two
    assert "servers" not in three
    assert admin.get(f"{PATH}/os-hypervisors/100%25/servers").status_code == 404


def test_a_backend_is_an_aggregate_of_its_nodes(admin: Asking) -> None:
    (aggregate,) = admin.get(f"{PATH}/os-aggregates").json["aggregates"]
    assert (aggregate["name"], len(aggregate["hosts"])) == ("main", 3)
    assert admin.get(f"{PATH}/os-aggregates/1").json == {"aggregate": aggregate}
    assert admin.get(f"{PATH}/os-aggregates/2").status_code == 404


def test_zones_show_admins_their_hosts(admin: Asking) -> None:
    (zone,) = admin.get(f"{PATH}/os-availability-zone/detail").json["availabilityZoneInfo"]
    service = zone["hosts"]["node3.example"]["nova-compute"]
    assert (service["available"], service["active"]) == (True, False)


def test_a_node_that_ganeti_has_no_longer_is_forgotten(admin: Asking, cloud: Cloud) -> None:
    with cloud.sessions.begin() as db:
        nodes.keep(db, 1, NODES[:1])
    assert len(admin.get(f"{PATH}/os-hypervisors").json["hypervisors"]) == 1


def test_how_long_a_node_is_up_nobody_knows(admin: Asking) -> None:
    assert admin.get(f"{PATH}/os-hypervisors/1/uptime").status_code == 501
    assert admin.get(f"{PATH}/os-hypervisors/9/uptime").status_code == 404


def test_a_number_that_no_node_can_have_is_not_found(admin: Asking) -> None:
    assert admin.get(f"/compute/v2.1/os-hypervisors/{'9' * 40}").status_code == 404


@pytest.mark.parametrize(
    ("query", "count"), [("", 3), ("?zone=nova", 3), ("?zone=", 3), ("?zone=xxx", 0), ("?service=cert", 0)]
)
def test_hosts_are_listed_by_zone_and_service(admin: Asking, query: str, count: int) -> None:
    hosts = admin.get(f"{PATH}/os-hosts{query}").json["hosts"]
    assert len(hosts) == count
    assert all(host == {"host_name": host["host_name"], "service": "compute", "zone": "nova"} for host in hosts)


def test_a_host_shows_what_it_has_and_what_is_in_use_of_it(admin: Asking, become: Become, active: str) -> None:
    become(active, State.ACTIVE, node="node1.example", backend_id=1)
    shown = admin.get(f"{PATH}/os-hosts/node1.example").json["host"]
    assert [row["resource"] for row in shown] == [
        {"host": "node1.example", "project": "(total)", "cpu": 8, "memory_mb": 4096, "disk_gb": 10},
        {"host": "node1.example", "project": "(used_now)", "cpu": 1, "memory_mb": 3072, "disk_gb": 6},
    ]
    assert admin.get(f"{PATH}/os-hosts/node").status_code == 404
