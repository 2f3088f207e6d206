import pytest

from cloud import flavors, images
from cloud.context import Cloud
from cloud.images import ImageSpec
from common.jobs import JobStatus, Opcode
from db import jobs
from db.images import DiskFormat
from db.instances import State, Task
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become

PATH = "/compute/v2.1/servers"


def last_job(cloud: Cloud, server: str) -> jobs.Job:
    with cloud.sessions.read() as db:
        return jobs.of_instance(db, server)[0]


@pytest.mark.parametrize(
    ("body", "state", "opcode", "status"),
    [
        ({"os-start": None}, State.STOPPED, Opcode.STARTUP, "SHUTOFF"),
        ({"os-start": {}}, State.STOPPED, Opcode.STARTUP, "SHUTOFF"),
        ({"start": {}}, State.STOPPED, Opcode.STARTUP, "SHUTOFF"),
        ({"os-stop": None}, State.ACTIVE, Opcode.SHUTDOWN, "ACTIVE"),
        ({"stop": None}, State.ACTIVE, Opcode.SHUTDOWN, "ACTIVE"),
        ({"shutdown": {"timeout": "30"}}, State.ACTIVE, Opcode.SHUTDOWN, "ACTIVE"),
        ({"reboot": {"type": "SOFT"}}, State.ACTIVE, Opcode.REBOOT, "REBOOT"),
        ({"reboot": {"type": "soft"}}, State.ACTIVE, Opcode.REBOOT, "REBOOT"),
        ({"reboot": {"type": "HARD"}}, State.ACTIVE, Opcode.REBOOT, "HARD_REBOOT"),
        ({"reboot": {"type": "Hard"}}, State.STOPPED, Opcode.REBOOT, "HARD_REBOOT"),
    ],
)
def test_an_action_is_taken_and_left_for_ganeti(
    demo: Asking, cloud: Cloud, active: str, become: Become, body: object, state: State, opcode: Opcode, status: str
) -> None:
    become(active, state)
    answer = demo.post(f"{PATH}/{active}/action", body)
    assert (answer.status_code, answer.data) == (202, b"")
    job = last_job(cloud, active)
    assert (job.opcode, job.request_id) == (opcode, answer.headers["X-Compute-Request-Id"])
    assert demo.get(f"{PATH}/{active}").json["server"]["status"] == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"os-start": None, "os-stop": None},
        {"dance": None},
        {"reboot": None},
        {"reboot": {}},
        {"reboot": {"type": None}},
        {"reboot": {"type": "WARM"}},
        {"os-start": "now"},
        {"os-stop": [1]},
    ],
)
def test_an_action_that_can_not_be_meant_is_refused(demo: Asking, active: str, body: object) -> None:
    answer = demo.post(f"{PATH}/{active}/action", body)
    assert (answer.status_code, answer.json["badRequest"]["code"]) == (400, 400)


@pytest.mark.parametrize("name", ["suspend", "pause", "shelve"])
def test_an_action_that_is_not_served_yet_is_told_by_name(demo: Asking, active: str, name: str) -> None:
    answer = demo.post(f"{PATH}/{active}/action", {name: None})
    assert answer.status_code == 501
    assert name in answer.json["notImplemented"]["message"]


@pytest.mark.parametrize(
    ("body", "state", "task"),
    [
        ({"os-start": None}, State.ACTIVE, None),
        ({"os-stop": None}, State.STOPPED, None),
        ({"reboot": {"type": "SOFT"}}, State.STOPPED, None),
        ({"os-stop": None}, State.BUILDING, Task.CREATING),
        ({"os-stop": None}, State.ACTIVE, Task.REBOOTING),
        ({"os-start": None}, State.ERROR, None),
    ],
)
def test_an_action_at_the_wrong_time_is_a_conflict(
    demo: Asking, active: str, become: Become, body: object, state: State, task: Task | None
) -> None:
    become(active, state, task)
    answer = demo.post(f"{PATH}/{active}/action", body)
    assert (answer.status_code, answer.json["conflictingRequest"]["code"]) == (409, 409)


def test_a_reader_may_not_act(anyone: Asking, active: str) -> None:
    answer = anyone.as_user("watcher").post(f"{PATH}/{active}/action", {"os-stop": None})
    assert answer.status_code == 403


def test_the_history_names_each_request_newest_first(demo: Asking, active: str) -> None:
    stop = demo.post(f"{PATH}/{active}/action", {"os-stop": None})
    found = demo.get(f"{PATH}/{active}/os-instance-actions").json["instanceActions"]
    assert [each["action"] for each in found] == ["stop", "create"]
    assert found[0]["request_id"] == stop.headers["X-Compute-Request-Id"]
    assert set(found[0]) == {
        "action",
        "instance_uuid",
        "message",
        "project_id",
        "request_id",
        "start_time",
        "user_id",
    }
    assert found[0]["start_time"] == "2026-01-31T12:00:00.000000"


@pytest.mark.parametrize(
    ("status", "result", "message"),
    [
        (JobStatus.RUNNING, None, None),
        (JobStatus.SUCCESS, "Success", None),
        (JobStatus.ERROR, "Error", "Error"),
        (JobStatus.CANCELED, "Error", "Error"),
    ],
)
def test_an_action_tells_how_it_went_and_nothing_of_ganetis_words(
    demo: Asking, active: str, cloud: Cloud, status: JobStatus, result: str | None, message: str | None
) -> None:
    request = demo.post(f"{PATH}/{active}/action", {"reboot": {"type": "HARD"}}).headers["X-Compute-Request-Id"]
    with cloud.sessions.begin() as db:
        job = jobs.of_instance(db, active)[0]
        job.status, job.error_text = status, "node1.example is on fire"
        job.finished_at = None if status is JobStatus.RUNNING else cloud.clock()
    answer = demo.get(f"{PATH}/{active}/os-instance-actions/{request}")
    action = answer.json["instanceAction"]
    assert (action["action"], action["message"]) == ("reboot", message)
    (event,) = action["events"]
    assert (event["event"], event["result"]) == ("ganeti_op_instance_reboot", result)
    assert (event["finish_time"] is None) == (result is None)
    assert "node1" not in answer.text


def test_a_request_that_did_nothing_to_the_server_is_not_found(demo: Asking, active: str) -> None:
    assert demo.get(f"{PATH}/{active}/os-instance-actions/req-none").status_code == 404


def test_a_deleted_server_keeps_its_history(demo: Asking, active: str, become: Become) -> None:
    become(active, State.ERROR, present=False)
    demo.delete(f"{PATH}/{active}")
    found = demo.get(f"{PATH}/{active}/os-instance-actions").json["instanceActions"]
    assert [each["action"] for each in found] == ["delete", "create"]


def test_a_resize_shows_as_one_and_can_be_confirmed_only_when_done(
    demo: Asking, cloud: Cloud, active: str, become: Become
) -> None:
    answer = demo.post(f"{PATH}/{active}/action", {"resize": {"flavorRef": "larger"}})
    assert answer.status_code == 400
    flavors.add(cloud, flavors.FlavorSpec(id="larger", name="larger", vcpus=2, ram=4096, disk=80))
    answer = demo.post(f"{PATH}/{active}/action", {"resize": {"flavorRef": "larger"}})
    assert (answer.status_code, answer.data) == (202, b"")
    assert demo.get(f"{PATH}/{active}").json["server"]["status"] == "RESIZE"
    assert demo.post(f"{PATH}/{active}/action", {"confirmResize": None}).status_code == 409
    become(active, State.ACTIVE, Task.RESIZED)
    server = demo.get(f"{PATH}/{active}").json["server"]
    assert (server["status"], server["OS-EXT-STS:vm_state"]) == ("VERIFY_RESIZE", "resized")
    assert demo.post(f"{PATH}/{active}/action", {"os-stop": None}).status_code == 409
    answer = demo.post(f"{PATH}/{active}/action", {"confirmResize": None})
    assert (answer.status_code, answer.data) == (204, b"")


def test_a_rebuild_answers_with_the_server_and_a_password(demo: Asking, active: str) -> None:
    image = demo.get("/compute/v2.1/images").json["images"][0]["id"]
    answer = demo.post(f"{PATH}/{active}/action", {"rebuild": {"imageRef": image, "name": "again"}})
    assert answer.status_code == 202
    server = answer.json["server"]
    assert (server["status"], server["name"]) == ("REBUILD", "again")
    assert server["adminPass"]


def test_a_rebuilds_answer_names_the_image_that_is_being_installed(demo: Asking, cloud: Cloud, active: str) -> None:
    other = images.add(cloud, ImageSpec(name="other", file="other.qcow2", disk_format=DiskFormat.QCOW2, size=1)).id
    answer = demo.post(f"{PATH}/{active}/action", {"rebuild": {"imageRef": other}})
    assert answer.json["server"]["image"]["id"] == other
    assert demo.get(f"{PATH}/{active}").json["server"]["image"]["id"] != other


def test_a_locked_server_is_left_alone_until_it_is_unlocked(demo: Asking, active: str) -> None:
    assert demo.post(f"{PATH}/{active}/action", {"lock": None}).status_code == 202
    assert demo.post(f"{PATH}/{active}/action", {"os-stop": None}).status_code == 409
    assert demo.delete(f"{PATH}/{active}").status_code == 409
    assert demo.post(f"{PATH}/{active}/action", {"unlock": None}).status_code == 202
    assert demo.post(f"{PATH}/{active}/action", {"os-stop": None}).status_code == 202


def test_an_action_of_several_jobs_is_one_action_with_several_events(demo: Asking, cloud: Cloud, active: str) -> None:
    flavors.add(cloud, flavors.FlavorSpec(id="larger", name="larger", vcpus=2, ram=4096, disk=80))
    demo.post(f"{PATH}/{active}/action", {"resize": {"flavorRef": "larger"}})
    actions = demo.get(f"{PATH}/{active}/os-instance-actions").json["instanceActions"]
    assert [action["action"] for action in actions] == ["resize", "create"]
    shown = demo.get(f"{PATH}/{active}/os-instance-actions/{actions[0]['request_id']}").json["instanceAction"]
    assert len(shown["events"]) == 3


@pytest.mark.parametrize("name", ["confirmResize", "revertResize"])
def test_the_history_has_the_names_that_clients_know(demo: Asking, active: str, become: Become, name: str) -> None:
    become(active, State.ACTIVE, Task.RESIZED, resized_from={"flavor_id": "1", "vcpus": 1, "ram": 512})
    demo.post(f"{PATH}/{active}/action", {name: None})
    found = demo.get(f"{PATH}/{active}/os-instance-actions").json["instanceActions"]
    assert [action["action"] for action in found] == [name, "create"]


def test_an_action_that_ganeti_can_not_do_says_why(demo: Asking, active: str) -> None:
    answer = demo.post(f"{PATH}/{active}/action", {"suspend": None})
    assert answer.status_code == 501
    assert "memory" in answer.json["notImplemented"]["message"]


def test_a_forced_delete_is_a_delete_and_there_is_nothing_to_restore(demo: Asking, active: str) -> None:
    assert demo.post(f"{PATH}/{active}/action", {"restore": None}).status_code == 409
    assert demo.post(f"{PATH}/{active}/action", {"forceDelete": None}).status_code == 202
    assert demo.get(f"{PATH}/{active}").status_code == 404, "Ganeti never heard of it"


def test_only_an_admin_sets_what_is_recorded_of_a_state(demo: Asking, admin: Asking, active: str) -> None:
    body = {"os-resetState": {"state": "error"}}
    assert demo.post(f"{PATH}/{active}/action", body).status_code == 403
    assert admin.post(f"{PATH}/{active}/action", {"os-resetState": {"state": "happy"}}).status_code == 400
    assert admin.post(f"{PATH}/{active}/action", body).status_code == 202
    assert demo.get(f"{PATH}/{active}").json["server"]["status"] == "ERROR"
