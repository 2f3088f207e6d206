from dataclasses import replace

import flask
import pytest

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common.jobs import JobStatus
from db import jobs
from db.instances import State, Task
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, Standing

PATH = "/compute/v2.1/servers"


@pytest.fixture(scope="module")
def patient_app(standing: Standing) -> flask.Flask:
    """An app where a deleted server rests for an hour."""
    kind = replace(standing.cloud, settings=CloudSettings(reclaim_after=3600))
    return create_app(kind, ApiSettings(public_url="http://cloud.example:8774"), bus_ready=lambda: True)


@pytest.fixture
def patient(cloud: Cloud, patient_app: flask.Flask) -> Asking:
    return Asking(patient_app.test_client())


@pytest.fixture
def owner(patient: Asking, standing: Standing) -> Asking:
    return Asking(patient.client, standing.tokens["demo"])


@pytest.fixture
def operator(patient: Asking, standing: Standing) -> Asking:
    return Asking(patient.client, standing.tokens["admin"])


@pytest.fixture
def running(cloud: Cloud, active: str, become: Become) -> str:
    """The id of a server that Ganeti has."""
    become(active, State.ACTIVE, present=True, launched_at=cloud.clock())
    return active


@pytest.fixture
def rests(cloud: Cloud, owner: Asking, running: str, become: Become) -> str:
    """The id of a server that was deleted and can be restored."""
    assert owner.delete(f"{PATH}/{running}").status_code == 204
    with cloud.sessions.begin() as db:
        for job in jobs.open_of_instance(db, running):
            job.status, job.finished_at = JobStatus.SUCCESS, cloud.clock()
    become(running, State.STOPPED, Task.SOFT_DELETED, soft_deleted_at=cloud.clock())
    return running


def test_a_deleted_server_is_stopped_first_and_still_seen(owner: Asking, running: str) -> None:
    assert owner.delete(f"{PATH}/{running}").status_code == 204
    server = owner.get(f"{PATH}/{running}").json["server"]
    assert (server["status"], server["OS-EXT-STS:task_state"]) == ("ACTIVE", "soft-deleting")


def test_one_that_rests_is_found_by_its_id_and_says_so(owner: Asking, rests: str) -> None:
    server = owner.get(f"{PATH}/{rests}").json["server"]
    assert (server["status"], server["OS-EXT-STS:vm_state"]) == ("SOFT_DELETED", "soft-delete")
    assert server["OS-EXT-STS:task_state"] is None


def test_it_is_in_no_list_but_that_of_changes_and_that_of_admins(owner: Asking, operator: Asking, rests: str) -> None:
    def listed(who: Asking, query: str) -> list[str]:
        return [server["id"] for server in who.get(f"{PATH}/detail?{query}").json["servers"]]

    assert listed(owner, "") == []
    assert listed(owner, "status=SOFT_DELETED") == []
    assert listed(owner, "deleted=true") == []
    assert listed(owner, "changes-since=2026-01-01T00:00:00Z") == [rests]
    assert listed(operator, "all_tenants=1") == []
    assert listed(operator, "all_tenants=1&status=soft_deleted") == [rests]
    assert listed(operator, "all_tenants=1&vm_state=soft-delete") == [rests]


def test_a_second_delete_is_taken_and_changes_nothing(owner: Asking, rests: str) -> None:
    assert owner.delete(f"{PATH}/{rests}").status_code == 204
    assert owner.get(f"{PATH}/{rests}").json["server"]["OS-EXT-STS:task_state"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"os-start": None},
        {"os-stop": None},
        {"reboot": {"type": "HARD"}},
        {"resize": {"flavorRef": "2"}},
        {"confirmResize": None},
    ],
)
def test_any_other_action_is_a_conflict(owner: Asking, rests: str, body: object) -> None:
    assert owner.post(f"{PATH}/{rests}/action", body).status_code == 409


def test_a_restore_begins_and_is_in_the_history(owner: Asking, rests: str) -> None:
    answer = owner.post(f"{PATH}/{rests}/action", {"restore": None})
    assert (answer.status_code, answer.data) == (202, b"")
    server = owner.get(f"{PATH}/{rests}").json["server"]
    assert (server["status"], server["OS-EXT-STS:task_state"]) == ("SOFT_DELETED", "restoring")
    found = owner.get(f"{PATH}/{rests}/os-instance-actions").json["instanceActions"]
    assert [each["action"] for each in found] == ["restore", "delete", "create"]


def test_nobody_else_and_no_reader_restores_it(stranger: Asking, patient: Asking, rests: str) -> None:
    assert stranger.post(f"{PATH}/{rests}/action", {"restore": None}).status_code == 404
    assert patient.as_user("watcher").post(f"{PATH}/{rests}/action", {"restore": None}).status_code == 403


def test_a_forced_delete_removes_it(owner: Asking, rests: str) -> None:
    assert owner.post(f"{PATH}/{rests}/action", {"forceDelete": None}).status_code == 202
    assert owner.get(f"{PATH}/{rests}").json["server"]["OS-EXT-STS:task_state"] == "deleting"


def test_it_counts_against_the_quota_until_it_is_removed(owner: Asking, rests: str) -> None:
    absolute = owner.get("/compute/v2.1/limits").json["limits"]["absolute"]
    assert absolute["totalInstancesUsed"] == 1


def test_a_reset_of_its_state_leaves_it_deleted(owner: Asking, operator: Asking, rests: str) -> None:
    body = {"os-resetState": {"state": "active"}}
    assert operator.post(f"{PATH}/{rests}/action", body).status_code == 202
    assert owner.get(f"{PATH}/{rests}").json["server"]["status"] == "SOFT_DELETED"
