from db.instances import State
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become


def path(server: str) -> str:
    return f"/compute/v2.1/servers/{server}/diagnostics"


def test_admins_see_where_a_server_runs_and_with_what(demo: Asking, admin: Asking, become: Become, active: str) -> None:
    become(active, State.ACTIVE, node="node1.example", nics=[{"mac": "aa:00:00:00:00:01"}])
    assert admin.get(path(active)).json == {
        "state": "running",
        "instance_name": f"syros-{active}",
        "node": "node1.example",
        "vcpus": 1,
        "memory": 512 * 1024,
        "nic0_mac": "aa:00:00:00:00:01",
    }
    assert demo.get(path(active)).status_code == 403


def test_a_server_that_does_not_run_has_none(admin: Asking, become: Become, active: str) -> None:
    become(active, State.STOPPED)
    assert admin.get(path(active)).status_code == 409
    assert admin.get(path("none")).status_code == 404
