import pytest

from cloud import backends
from cloud.context import Cloud
from db.instances import State, Task
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become

PATH = "/compute/v2.1/servers"


@pytest.fixture
def rescuable(cloud: Cloud, active: str) -> str:
    """The id of a server that runs where there is a rescue system."""
    backends.change(cloud, "main", backends.BackendChange(rescue_image="/srv/syros/images/rescue.iso"))
    return active


@pytest.mark.parametrize(
    ("asked", "password"),
    [(None, ""), ({}, ""), ({"adminPass": "given"}, "given"), ({"rescue_image_ref": ""}, "")],
)
def test_a_rescue_begins_and_repeats_the_password(demo: Asking, rescuable: str, asked: object, password: str) -> None:
    answer = demo.post(f"{PATH}/{rescuable}/action", {"rescue": asked})
    assert (answer.status_code, answer.json) == (200, {"adminPass": password})
    server = demo.get(f"{PATH}/{rescuable}").json["server"]
    assert (server["status"], server["OS-EXT-STS:task_state"]) == ("ACTIVE", "rescuing")


def test_a_rescued_server_says_so_and_is_found_by_that(demo: Asking, rescuable: str, become: Become) -> None:
    become(rescuable, State.ACTIVE, Task.RESCUED)
    server = demo.get(f"{PATH}/{rescuable}").json["server"]
    assert (server["status"], server["OS-EXT-STS:vm_state"]) == ("RESCUE", "rescued")
    assert [row["id"] for row in demo.get(f"{PATH}?status=RESCUE").json["servers"]] == [rescuable]


def test_it_goes_back_and_both_are_in_the_history(demo: Asking, rescuable: str, become: Become) -> None:
    demo.post(f"{PATH}/{rescuable}/action", {"rescue": None})
    become(rescuable, State.ACTIVE, Task.RESCUED)
    answer = demo.post(f"{PATH}/{rescuable}/action", {"unrescue": None})
    assert (answer.status_code, answer.data) == (202, b"")
    assert demo.get(f"{PATH}/{rescuable}").json["server"]["OS-EXT-STS:task_state"] == "unrescuing"
    found = demo.get(f"{PATH}/{rescuable}/os-instance-actions").json["instanceActions"]
    assert [each["action"] for each in found] == ["unrescue", "rescue", "create"]


def test_where_there_is_no_rescue_system_the_answer_says_so(demo: Asking, active: str) -> None:
    answer = demo.post(f"{PATH}/{active}/action", {"rescue": None})
    assert answer.status_code == 501
    assert "no rescue system" in answer.json["notImplemented"]["message"]


@pytest.mark.parametrize(
    "asked", [{"rescue_image_ref": "70a599e0-31e7-49b7-b260-868f441e862b"}, {"adminPass": ""}, {"adminPass": 7}, "now"]
)
def test_a_rescue_that_can_not_be_meant_is_refused(demo: Asking, rescuable: str, asked: object) -> None:
    assert demo.post(f"{PATH}/{rescuable}/action", {"rescue": asked}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"rescue": None},
        {"rebuild": {"imageRef": "x"}},
        {"reboot": {"type": "HARD"}},
        {"os-stop": None},
        {"resize": {"flavorRef": "2"}},
    ],
)
def test_a_rescued_server_is_left_alone(demo: Asking, rescuable: str, become: Become, body: object) -> None:
    become(rescuable, State.ACTIVE, Task.RESCUED)
    assert demo.post(f"{PATH}/{rescuable}/action", body).status_code == 409


def test_what_is_not_rescued_does_not_go_back(demo: Asking, rescuable: str, stranger: Asking) -> None:
    assert demo.post(f"{PATH}/{rescuable}/action", {"unrescue": None}).status_code == 409
    assert stranger.post(f"{PATH}/{rescuable}/action", {"rescue": None}).status_code == 404
