from datetime import timedelta

import pytest

from cloud.context import Cloud
from db.instances import State
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, MakeServer

PATH = "/compute/v2.1/os-simple-tenant-usage"


@pytest.fixture
def project(demo: Asking, make: MakeServer, become: Become, cloud: Cloud) -> str:
    """The project's id; its servers ran for 2, for 3 of 6, and for no hours before noon of January 31."""
    now = cloud.clock()
    hour = timedelta(hours=1)
    become(make("running"), State.ACTIVE, launched_at=now - 2 * hour)
    become(make("gone"), State.DELETED, launched_at=now - 9 * hour, deleted_at=now - 3 * hour, charged=False)
    make("building")
    found: str = demo.get("/compute/v2.1/servers/detail").json["servers"][0]["tenant_id"]
    return found


PERIOD = "start=2026-01-31T06:00:00&end=2026-01-31T12:00:00"


def test_a_project_sees_what_it_used_in_a_period(demo: Asking, project: str) -> None:
    usage = demo.get(f"{PATH}/{project}?{PERIOD}").json["tenant_usage"]
    assert usage["total_hours"] == pytest.approx(5)
    assert usage["total_vcpus_usage"] == pytest.approx(5)
    assert usage["total_memory_mb_usage"] == pytest.approx(5 * 512)
    assert usage["total_local_gb_usage"] == pytest.approx(5)
    assert (usage["start"], usage["stop"]) == ("2026-01-31T06:00:00.000000", "2026-01-31T12:00:00.000000")
    gone, running = usage["server_usages"]
    assert (gone["name"], gone["hours"], gone["uptime"], gone["state"]) == ("gone", 3, 6 * 3600, "deleted")
    assert gone["ended_at"] == "2026-01-31T09:00:00.000000"
    assert (running["name"], running["hours"], running["ended_at"]) == ("running", 2, None)


def test_what_is_to_come_is_not_used(demo: Asking, project: str) -> None:
    usage = demo.get(f"{PATH}/{project}?end=2027-01-31T12:00:00&start=2026-01-31T11:00:00").json["tenant_usage"]
    assert usage["total_hours"] == pytest.approx(1)


def test_a_period_without_servers_is_empty(demo: Asking, project: str) -> None:
    answer = demo.get(f"{PATH}/{project}?start=2025-01-01&end=2025-01-02T00:00:00")
    assert answer.json == {"tenant_usage": {}}


def test_admins_see_every_projects_use(admin: Asking, demo: Asking, stranger: Asking, project: str) -> None:
    (usage,) = admin.get(f"{PATH}?{PERIOD}").json["tenant_usages"]
    assert usage["tenant_id"] == project
    assert "server_usages" not in usage
    (usage,) = admin.get(f"{PATH}?{PERIOD}&detailed=1").json["tenant_usages"]
    assert len(usage["server_usages"]) == 2
    assert admin.get(f"{PATH}/{project}").json["tenant_usage"]["total_hours"] == pytest.approx(8)
    assert demo.get(PATH).status_code == 403
    assert stranger.get(f"{PATH}/{project}").status_code == 404


@pytest.mark.parametrize(
    "query", ["start=yesterday", "start=2026-01-31T12:00:00&end=2026-01-31T11:00:00", "end=0001-01-02T00:00:00"]
)
def test_a_period_that_can_not_be_is_refused(demo: Asking, project: str, query: str) -> None:
    assert demo.get(f"{PATH}/{project}?{query}").status_code == 400
