import pytest
import sqlalchemy as sa

from cloud import idempotency, sweeper
from cloud.context import Cloud
from db.idempotency import IdempotencyKey
from db.instances import Instance
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.conftest import Clock

PATH = "/compute/v2.1/servers"
KEY = {"Idempotency_Key": "9b1d4c1e"}


def body(image: str, **members: object) -> dict[str, object]:
    return {"server": {"name": "web", "imageRef": image, "flavorRef": "1", **members}}


def count(cloud: Cloud) -> int:
    with cloud.sessions.read() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(Instance)) or 0


def test_a_create_sent_again_gives_the_same_answer_and_no_second_server(demo: Asking, image: str, cloud: Cloud) -> None:
    first, again = (demo.post(PATH, body(image), **KEY) for _ in range(2))
    assert (again.status_code, again.data) == (first.status_code, first.data) == (202, first.data)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count(cloud) == 1


def test_without_a_key_or_with_another_there_is_another_server(demo: Asking, image: str, cloud: Cloud) -> None:
    for headers in ({}, {}, KEY, {"Idempotency_Key": "another"}):
        assert demo.post(PATH, body(image), **headers).status_code == 202
    assert count(cloud) == 4


def test_a_key_is_of_one_user_only(demo: Asking, stranger: Asking, image: str, cloud: Cloud) -> None:
    ours, theirs = (who.post(PATH, body(image), **KEY) for who in (demo, stranger))
    assert ours.json["server"]["id"] != theirs.json["server"]["id"]
    assert count(cloud) == 2


def test_a_key_that_comes_with_another_request_is_refused(demo: Asking, image: str, cloud: Cloud) -> None:
    demo.post(PATH, body(image), **KEY)
    for path, other in ((PATH, body(image, name="db")), ("/compute/v2/servers", body(image))):
        answer = demo.post(path, other, **KEY)
        assert answer.status_code == 400
        assert "another request" in answer.json["badRequest"]["message"]
    assert count(cloud) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "gr\u00fcn", "a\tb"])
def test_what_can_not_be_a_key_is_refused(demo: Asking, image: str, cloud: Cloud, key: str) -> None:
    assert demo.post(PATH, body(image), Idempotency_Key=key).status_code == 400
    assert count(cloud) == 0


def test_a_refusal_is_kept_as_well(demo: Asking, image: str, cloud: Cloud) -> None:
    refused, again = (demo.post(PATH, body(image, flavorRef="none"), **KEY) for _ in range(2))
    assert (refused.status_code, refused.data) == (again.status_code, again.data)
    assert refused.status_code == 400
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count(cloud) == 0


def test_an_answer_that_is_not_final_is_not_kept(demo: Asking, image: str, cloud: Cloud) -> None:
    with cloud.sessions.begin() as db:
        db.execute(sa.text("UPDATE backends SET memory_free = 1"))
    assert demo.post(PATH, body(image), **KEY).status_code == 503
    with cloud.sessions.begin() as db:
        db.execute(sa.text("UPDATE backends SET memory_free = 1000000"))
    assert demo.post(PATH, body(image), **KEY).status_code == 202


def test_nobody_without_a_token_learns_what_a_key_stands_for(demo: Asking, anyone: Asking, image: str) -> None:
    demo.post(PATH, body(image), **KEY)
    assert anyone.post(PATH, body(image), **KEY).status_code == 401


def test_an_action_sent_again_is_not_done_again(demo: Asking, image: str) -> None:
    server = demo.post(PATH, body(image)).json["server"]["id"]
    path = f"{PATH}/{server}/action"
    first, again = (demo.post(path, {"lock": None}, **KEY) for _ in range(2))
    assert (first.status_code, first.data) == (again.status_code, again.data) == (202, b"")
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_generated_private_key_is_given_again(demo: Asking) -> None:
    first, again = (demo.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "k"}}, **KEY) for _ in range(2))
    assert "private_key" in first.json["keypair"]
    assert again.data == first.data


def test_an_answer_is_kept_sealed_for_a_day(demo: Asking, image: str, cloud: Cloud, clock: Clock) -> None:
    first = demo.post(PATH, body(image), **KEY)
    with cloud.sessions.read() as db:
        (row,) = db.scalars(sa.select(IdempotencyKey))
    assert first.json["server"]["adminPass"] not in str(row.sealed)
    assert row.expires_at - row.created_at == idempotency.LIFE
    assert KEY["Idempotency_Key"] not in row.digest


def test_what_has_expired_is_swept(demo: Asking, image: str, cloud: Cloud, clock: Clock) -> None:
    demo.post(PATH, body(image), **KEY)
    clock.forward(hours=23)
    sweeper.forget_expired(cloud)
    with cloud.sessions.read() as db:
        assert len(db.scalars(sa.select(IdempotencyKey)).all()) == 1
    clock.forward(hours=2)
    sweeper.forget_expired(cloud)
    with cloud.sessions.read() as db:
        assert db.scalars(sa.select(IdempotencyKey)).all() == []


def test_a_key_that_expired_and_was_not_swept_is_new(anyone: Asking, demo: Asking, clock: Clock) -> None:
    path, wanted = "/compute/v2.1/os-keypairs", {"keypair": {"name": "k"}}
    demo.post(path, wanted, **KEY)
    clock.forward(hours=25)
    answer = anyone.as_user("demo").post(path, wanted, **KEY)
    assert answer.status_code == 409, "done anew, and there is one by this name"
    assert "Idempotency-Replayed" not in answer.headers
