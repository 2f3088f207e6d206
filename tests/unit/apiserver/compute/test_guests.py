"""What a create may ask to be put into the guest, and how a deployment fetches it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from cloud import guests
from cloud.context import Cloud
from common import jobs
from db import instances
from db import jobs as job_rows
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Standing

FILE = {"path": "/etc/motd", "contents": base64.b64encode(b"hello").decode()}


@pytest.fixture
def served(standing: Standing) -> Cloud:
    """The cloud as the app has it: with the key, and a URL for guests."""
    return standing.cloud


def create(demo: Asking, image: str, **more: object) -> Any:
    server = {"name": "web", "imageRef": image, "flavorRef": "1", **more}
    return demo.post("/compute/v2.1/servers", {"server": server})


def token_of(cloud: Cloud, server: str) -> tuple[str, str]:
    """Begin a server's deployment: its token, and its name in Ganeti."""
    with cloud.sessions.begin() as db:
        job = job_rows.of_instance(db, server)[0]
        job.status = jobs.JobStatus.RUNNING
        instance = instances.get(db, server)
        assert instance is not None
        number, name = job.id, instance.ganeti_name
    ticket = guests.issue(cloud, instance_id=server, job_id=number)
    assert ticket is not None
    return ticket.token, name


def redeem(anyone: Asking, token: str, name: str) -> Any:
    return anyone.post("/guest/v1/redeem", {"instance": name}, Authorization=f"Bearer {token}")


def report(anyone: Asking, token: str, body: dict[str, object]) -> Any:
    return anyone.post("/guest/v1/progress", body, Authorization=f"Bearer {token}")


def test_a_deployment_fetches_what_was_asked_for_once(demo: Asking, anyone: Asking, image: str, served: Cloud) -> None:
    wanted = {"user_data": "aGVs\nbG8=", "personality": [FILE], "adminPass": "chosen", "config_drive": True}
    made = create(demo, image, **wanted)
    assert made.status_code == 202, made.text
    assert made.json["server"]["adminPass"] == "chosen"
    token, name = token_of(served, made.json["server"]["id"])

    first = redeem(anyone, token, name)
    assert first.status_code == 200, first.text
    assert first.headers["Cache-Control"] == "no-store"
    assert first.json["password"] == "chosen"
    assert base64.b64decode(first.json["user_data"]) == b"hello"
    assert first.json["files"] == [{"path": "/etc/motd", "content": FILE["contents"]}]

    second = redeem(anyone, token, name)
    assert second.status_code == 410
    assert "chosen" not in second.text


def test_how_far_a_deployment_is_shows_in_the_server(demo: Asking, anyone: Asking, image: str, served: Cloud) -> None:
    made = create(demo, image).json["server"]
    shown = demo.get(f"/compute/v2.1/servers/{made['id']}").json["server"]
    token, name = token_of(served, made["id"])
    redeem(anyone, token, name)
    done = report(anyone, token, {"instance": name, "percent": 42})
    assert (done.status_code, done.data) == (204, b"")
    now = demo.get(f"/compute/v2.1/servers/{made['id']}").json["server"]
    assert (shown["progress"], now["progress"], now["status"]) == (0, 42, "BUILD")
    assert now["updated"] == shown["updated"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"percent": 5},
        {"instance": "syros-1"},
        {"instance": "syros-1", "percent": 101},
        {"instance": "syros-1", "percent": -1},
        {"instance": "syros-1", "percent": "many"},
        {"instance": "syros-1", "percent": 1.5},
        {"instance": 5, "percent": 5},
        {"instance": "syros-1", "percent": 5, "status": "ACTIVE"},
    ],
)
def test_a_report_that_can_not_be_meant_is_refused_whoever_sends_it(anyone: Asking, body: dict[str, object]) -> None:
    assert report(anyone, "unknown", body).status_code == 400


def test_a_report_by_who_is_no_deployment_is_refused(demo: Asking, anyone: Asking, image: str) -> None:
    create(demo, image)
    body = {"instance": "syros-1", "percent": 5}
    assert [report(anyone, token, body).status_code for token in ("unknown", demo.token or "")] == [401, 401]
    assert anyone.post("/guest/v1/progress", body).status_code == 401


def test_a_password_that_was_made_is_the_one_that_was_answered(
    demo: Asking, anyone: Asking, image: str, served: Cloud
) -> None:
    made = create(demo, image).json["server"]
    found = redeem(anyone, *token_of(served, made["id"])).json
    assert found["password"] == made["adminPass"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic abc"}])
def test_who_shows_no_token_is_given_nothing(anyone: Asking, headers: dict[str, str]) -> None:
    assert anyone.post("/guest/v1/redeem", {"instance": "syros-1"}, **headers).status_code == 401


def test_a_token_that_nobody_knows_gets_nothing(anyone: Asking) -> None:
    assert redeem(anyone, "unknown", "syros-1").status_code == 401


def test_a_tenants_token_is_no_deployments_token(demo: Asking, image: str) -> None:
    create(demo, image)
    assert redeem(demo, demo.token or "", "syros-1").status_code == 401


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"user_data": "%%%"}, "user_data"),
        ({"user_data": 5}, "user_data"),
        ({"user_data": base64.b64encode(bytes(guests.USER_DATA_SIZE + 1)).decode()}, "user_data"),
        ({"user_data": "A" * 200_000}, "user_data"),
        ({"personality": {"path": "/x"}}, "personality"),
        ({"personality": ["x"]}, "personality"),
        ({"personality": [{"path": "/", "contents": ""}]}, "personality[0].path"),
        ({"personality": [{"path": "/etc/../x", "contents": ""}]}, "personality[0].path"),
        ({"personality": [{"path": "/" + "é" * 200, "contents": ""}]}, "personality[0].path"),
        ({"personality": [{"path": "/x", "contents": "%"}]}, "personality[0].contents"),
        ({"personality": [{"path": "/x", "contents": "", "owner": "root"}]}, "owner"),
        ({"config_drive": "perhaps"}, "config_drive"),
    ],
)
def test_what_can_not_be_meant_is_refused_by_name(
    demo: Asking, image: str, wrong: dict[str, object], field: str
) -> None:
    refused = create(demo, image, **wrong)
    assert refused.status_code == 400
    assert field in refused.json["badRequest"]["message"]


@pytest.mark.parametrize(("version", "status"), [("v2.1", 403), ("v1.1", 413)])
@pytest.mark.parametrize(
    "files",
    [[FILE] * (guests.MOST_FILES + 1), [{"path": "/x", "contents": base64.b64encode(bytes(10_241)).decode()}]],
)
def test_more_files_than_allowed_are_over_the_limit(
    demo: Asking, image: str, files: list[object], version: str, status: int
) -> None:
    server = {"name": "web", "imageRef": image, "flavorRef": "1", "personality": files}
    assert demo.post(f"/compute/{version}/servers", {"server": server}).status_code == status


def test_a_files_path_may_leave_out_the_root(demo: Asking, anyone: Asking, image: str, served: Cloud) -> None:
    made = create(demo, image, personality=[{"path": "etc/motd", "contents": ""}])
    token, name = token_of(served, made.json["server"]["id"])
    assert [file["path"] for file in redeem(anyone, token, name).json["files"]] == ["/etc/motd"]


def test_a_rebuild_takes_files_as_a_create_does(demo: Asking, image: str) -> None:
    rebuild = {"imageRef": image, "personality": [{"path": "/../x", "contents": ""}]}
    server_id = create(demo, image).json["server"]["id"]
    refused = demo.post(f"/compute/v2.1/servers/{server_id}/action", {"rebuild": rebuild})
    assert refused.status_code == 400
    assert "personality[0].path" in refused.json["badRequest"]["message"]


def test_the_limits_tell_how_many_files_a_server_may_be_given(demo: Asking) -> None:
    absolute = demo.get("/compute/v2.1/limits").json["limits"]["absolute"]
    assert (absolute["maxPersonality"], absolute["maxPersonalitySize"]) == (5, 10_240)
