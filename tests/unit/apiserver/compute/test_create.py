import re

import pytest

from cloud.context import Cloud
from common.jobs import JobStatus
from db import backends, instances, jobs
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import MakeServer

PATH = "/compute/v2.1/servers"


def create(demo: Asking, image: str, **members: object) -> tuple[int, dict[str, object]]:
    body = {"name": "web", "imageRef": image, "flavorRef": "1", **members}
    answer = demo.post(PATH, {"server": {key: value for key, value in body.items() if value is not ...}})
    assert answer.json is not None
    return answer.status_code, answer.json


def test_a_create_is_answered_with_little_and_says_where_to_look(demo: Asking, image: str) -> None:
    answer = demo.post(PATH, {"server": {"name": "web", "imageRef": image, "flavorRef": "1"}})
    server = answer.json["server"]
    assert answer.status_code == 202
    assert set(server) == {"id", "links", "adminPass", "OS-DCF:diskConfig", "security_groups"}
    assert answer.headers["Location"] == f"http://cloud.example:8774{PATH}/{server['id']}"
    assert len(server["adminPass"]) >= 12


def test_a_create_leaves_a_job_that_carries_the_request_id(demo: Asking, image: str, cloud: Cloud) -> None:
    answer = demo.post(PATH, {"server": {"name": "web", "imageRef": image, "flavorRef": "1"}})
    with cloud.sessions.read() as db:
        (job,) = jobs.of_instance(db, answer.json["server"]["id"])
    assert job.status is JobStatus.SUBMITTING
    assert job.request_id == answer.headers["X-Compute-Request-Id"]


def test_what_was_asked_for_is_shown(demo: Asking, make: MakeServer, image: str) -> None:
    server = make(" grün ", metadata={"a": "b"}, accessIPv4="192.0.2.1", accessIPv6="0:0::BABE:dc0c:1602")
    shown = demo.get(f"{PATH}/{server}").json["server"]
    assert (shown["name"], shown["status"], shown["progress"]) == ("grün", "BUILD", 0)
    assert shown["metadata"] == {"a": "b"}
    assert (shown["accessIPv4"], shown["accessIPv6"]) == ("192.0.2.1", "::babe:dc0c:1602")
    assert (shown["image"]["id"], shown["flavor"]["id"]) == (image, "1")
    assert [link["rel"] for link in shown["image"]["links"]] == ["bookmark"]
    assert [link["rel"] for link in shown["links"]] == ["self", "bookmark"]


def test_references_may_be_urls_and_a_flavor_a_number(demo: Asking, image: str) -> None:
    url = f"http://cloud.example:8774/compute/v2/images/{image}"
    assert create(demo, url, flavorRef=1)[0] == 202


@pytest.mark.parametrize(
    "neutral",
    [
        {"networks": "auto"},
        {"networks": "none"},
        {"networks": []},
        {"networks": None},
        {"security_groups": [{"name": "default"}]},
        {"security_groups": []},
        {"config_drive": False},
        {"config_drive": "false"},
        {"config_drive": None},
        {"availability_zone": None},
        {"availability_zone": "nova"},
        {"user_data": None},
        {"personality": []},
        {"block_device_mapping_v2": []},
        {"OS-DCF:diskConfig": "AUTO"},
        {"key_name": None},
        {"metadata": {}},
        {"description": "told to nobody"},
        {"tags": ["a"]},
        {"adminPass": "given"},
    ],
)
def test_what_clients_send_by_default_is_taken(demo: Asking, image: str, neutral: dict[str, object]) -> None:
    assert create(demo, image, **neutral)[0] == 202


def test_a_mapping_that_only_repeats_the_image_is_taken(demo: Asking, image: str) -> None:
    device = {"uuid": image, "source_type": "image", "destination_type": "local", "boot_index": 0}
    assert create(demo, image, block_device_mapping_v2=[device])[0] == 202
    assert create(demo, image, block_device_mapping_v2=[{**device, "destination_type": "volume"}])[0] == 400
    assert create(demo, image, block_device_mapping_v2=[device, device])[0] == 400


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ...}, "name"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": 12345}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a\x01b"}, "name"),
        ({"imageRef": ...}, "imageRef"),
        ({"imageRef": ""}, "imageRef"),
        ({"imageRef": "none"}, "imageRef"),
        ({"imageRef": ["x"]}, "imageRef"),
        ({"flavorRef": ...}, "flavorRef"),
        ({"flavorRef": "none"}, "flavorRef"),
        ({"flavorRef": "9"}, "flavorRef"),
        ({"flavorRef": -1}, "flavorRef"),
        ({"metadata": {"k" * 256: "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 256}}, "metadata"),
        ({"metadata": {"": "v"}}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata"),
        ({"metadata": [1]}, "metadata"),
        ({"min_count": 0}, "min_count"),
        ({"min_count": "1.5"}, "min_count"),
        ({"min_count": 1.5}, "min_count"),
        ({"max_count": 0}, "max_count"),
        ({"max_count": -1}, "max_count"),
        ({"max_count": 10**9}, "max_count"),
        ({"min_count": 3, "max_count": 2}, "min_count"),
        ({"key_name": "none"}, "key_name"),
        ({"accessIPv4": "1.1.1.1.1"}, "accessIPv4"),
        ({"accessIPv6": "fe80::1%eth0"}, "accessIPv6"),
        ({"accessIPv6": "1.1.1.1"}, "accessIPv6"),
        ({"networks": [{"uuid": "x"}]}, "networks"),
        ({"networks": "all"}, "networks"),
        ({"security_groups": [{"name": "web"}]}, "security_groups"),
        ({"config_drive": "maybe"}, "config_drive"),
        ({"availability_zone": "mars"}, "availability_zone"),
        ({"user_data": "no base64!"}, "user_data"),
        ({"personality": [{"path": "x/", "contents": ""}]}, "personality[0].path"),
        ({"OS-DCF:diskConfig": "MANUAL"}, "OS-DCF:diskConfig"),
        ({"return_reservation_id": "perhaps"}, "return_reservation_id"),
    ],
)
def test_what_can_not_be_meant_or_served_is_refused_by_name(
    demo: Asking, image: str, wrong: dict[str, object], field: str
) -> None:
    status, fault = create(demo, image, **wrong)
    assert status == 400
    assert re.match(rf"(server\.)?{re.escape(field)}", fault["badRequest"]["message"])  # type: ignore[index]  # it is a fault


def test_scheduler_hints_are_refused_unless_empty(demo: Asking, image: str) -> None:
    server = {"name": "web", "imageRef": image, "flavorRef": "1"}
    assert demo.post(PATH, {"server": server, "os:scheduler_hints": {}}).status_code == 202
    assert demo.post(PATH, {"server": server, "os:scheduler_hints": {"group": "x"}}).status_code == 400


@pytest.mark.parametrize("body", [{}, {"server": None}, {"server": []}, {"name": "web"}])
def test_a_body_without_a_server_is_refused(demo: Asking, body: dict[str, object]) -> None:
    assert demo.post(PATH, body).status_code == 400


def test_an_image_that_the_flavor_is_too_small_for_is_refused(demo: Asking, private_image: str) -> None:
    assert create(demo, private_image, flavorRef="1")[0] == 400
    assert create(demo, private_image, flavorRef="2")[0] == 202


def test_another_projects_image_is_as_good_as_none(stranger: Asking, private_image: str) -> None:
    assert create(stranger, private_image, flavorRef="2")[0] == 400


def test_several_at_once_are_numbered_and_found_by_their_reservation(demo: Asking, image: str) -> None:
    status, answer = create(demo, image, min_count=2, max_count=3, return_reservation_id=True)
    assert status == 202
    listed = demo.get(f"{PATH}?reservation_id={answer['reservation_id']}").json["servers"]
    assert sorted(server["name"] for server in listed) == ["web-1", "web-2", "web-3"]


def test_as_many_are_made_as_the_quota_allows(demo: Asking, image: str) -> None:
    assert create(demo, image, min_count=1, max_count=1000)[0] == 202
    assert len(demo.get(PATH).json["servers"]) == 10


@pytest.mark.parametrize(("version", "status", "fault"), [("v2.1", 403, "forbidden"), ("v1.1", 413, "overLimit")])
def test_more_than_the_quota_is_refused_and_changes_nothing(
    demo: Asking, image: str, version: str, status: int, fault: str
) -> None:
    server = {"name": "web", "imageRef": image, "flavorRef": "1", "min_count": 11}
    answer = demo.post(f"/compute/{version}/servers", {"server": server})
    assert (answer.status_code, answer.json[fault]["code"]) == (status, status)
    assert demo.get(PATH).json["servers"] == []
    assert demo.get("/compute/v2.1/limits").json["limits"]["absolute"]["totalInstancesUsed"] == 0


def test_without_a_backend_that_has_room_a_create_is_to_be_tried_later(demo: Asking, image: str, cloud: Cloud) -> None:
    with cloud.sessions.begin() as db:
        backends.all_backends(db)[0].drained = True
    answer = demo.post(PATH, {"server": {"name": "web", "imageRef": image, "flavorRef": "1"}})
    assert answer.status_code == 503
    assert answer.json["serviceUnavailable"]["code"] == 503


def test_a_reader_may_look_and_not_create(anyone: Asking, make: MakeServer, image: str) -> None:
    reader = anyone.as_user("watcher")
    assert create(reader, image)[0] == 403
    assert reader.get(f"{PATH}/{make()}").status_code == 200


def test_the_name_never_reaches_ganeti(make: MakeServer, cloud: Cloud) -> None:
    server = make("grün")
    with cloud.sessions.read() as db:
        instance = instances.get(db, server)
    assert instance is not None
    assert instance.ganeti_name == f"syros-{server}"
