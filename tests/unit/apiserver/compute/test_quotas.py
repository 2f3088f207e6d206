import pytest

from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import MakeServer

PATH = "/compute/v2.1/os-quota-sets"


@pytest.fixture
def project(demo: Asking) -> str:
    return str(demo.get("/identity/v3/auth/projects").json["projects"][0]["id"])


def absolute(asking: Asking, query: str = "") -> dict[str, int]:
    found: dict[str, int] = asking.get(f"/compute/v2.1/limits{query}").json["limits"]["absolute"]
    return found


def test_limits_show_what_is_used(demo: Asking, make: MakeServer) -> None:
    make(flavorRef="2")
    found = absolute(demo)
    assert (found["maxTotalInstances"], found["totalInstancesUsed"]) == (10, 1)
    assert (found["maxTotalCores"], found["totalCoresUsed"]) == (20, 2)
    assert (found["maxTotalRAMSize"], found["totalRAMUsed"]) == (51200, 2048)


def test_server_groups_are_limited_and_counted_and_their_members_are_not(demo: Asking, project: str) -> None:
    demo.post("/compute/v2.1/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}})
    found = absolute(demo)
    assert (found["maxServerGroups"], found["totalServerGroupsUsed"], found["maxServerGroupMembers"]) == (100, 1, -1)
    quotas = demo.get(f"{PATH}/{project}/detail").json["quota_set"]
    assert quotas["server_groups"] == {"limit": 100, "in_use": 1, "reserved": 0}
    assert demo.get(f"{PATH}/{project}/defaults").json["quota_set"]["server_groups"] == 100


def test_another_projects_limits_are_for_admins(
    demo: Asking, stranger: Asking, admin: Asking, make: MakeServer, project: str
) -> None:
    make()
    assert absolute(admin, f"?tenant_id={project}")["totalInstancesUsed"] == 1
    assert absolute(demo, f"?tenant_id={project}")["totalInstancesUsed"] == 1
    assert stranger.get(f"/compute/v2.1/limits?tenant_id={project}").status_code == 403


def test_a_project_sees_its_quotas(demo: Asking, project: str) -> None:
    quotas = demo.get(f"{PATH}/{project}").json["quota_set"]
    assert (quotas["id"], quotas["instances"], quotas["cores"], quotas["ram"]) == (project, 10, 20, 51200)
    assert demo.get(f"{PATH}/{project}/defaults").json["quota_set"]["instances"] == 10


def test_the_detail_tells_use(demo: Asking, make: MakeServer, project: str) -> None:
    make()
    quotas = demo.get(f"{PATH}/{project}/detail").json["quota_set"]
    assert quotas["instances"] == {"limit": 10, "in_use": 1, "reserved": 0}


@pytest.mark.parametrize("path", ["", "/detail"])
def test_another_projects_quotas_are_for_admins(stranger: Asking, admin: Asking, project: str, path: str) -> None:
    assert stranger.get(f"{PATH}/{project}{path}").status_code == 403
    assert admin.get(f"{PATH}/{project}{path}").status_code == 200


def test_an_admin_changes_quotas_and_gives_the_defaults_back(demo: Asking, admin: Asking, project: str) -> None:
    answer = admin.put(f"{PATH}/{project}", {"quota_set": {"instances": -1, "cores": "30", "force": True}})
    assert (answer.status_code, answer.json["quota_set"]["cores"]) == (200, 30)
    assert demo.get(f"{PATH}/{project}").json["quota_set"]["instances"] == -1
    assert admin.delete(f"{PATH}/{project}").status_code == 202
    assert demo.get(f"{PATH}/{project}").json["quota_set"]["instances"] == 10


@pytest.mark.parametrize("quotas", [{"instances": -2}, {"instances": "many"}, {"fixed_ips": 3}, None])
def test_quotas_that_can_not_be_meant_are_refused(admin: Asking, project: str, quotas: object) -> None:
    assert admin.put(f"{PATH}/{project}", {"quota_set": quotas}).status_code == 400


def test_nobody_but_an_admin_changes_quotas(demo: Asking, project: str) -> None:
    assert demo.put(f"{PATH}/{project}", {"quota_set": {"instances": 99}}).status_code == 403
    assert demo.delete(f"{PATH}/{project}").status_code == 403


def test_a_project_that_there_is_not_has_no_quotas_to_change(admin: Asking) -> None:
    assert admin.put(f"{PATH}/none", {"quota_set": {"instances": 1}}).status_code == 404
    assert admin.delete(f"{PATH}/none").status_code == 404
