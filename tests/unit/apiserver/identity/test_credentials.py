import pytest

from cloud import accounts
from cloud.context import Cloud
from db.users import Role
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.conftest import Clock

TOKENS = "/identity/v3/auth/tokens"


def path_of(cloud: Cloud, user: str = "demo") -> str:
    return f"/identity/v3/users/{accounts.user(cloud, user).id}/application_credentials"


def make(asking: Asking, cloud: Cloud, **members: object) -> dict[str, object]:
    answer = asking.post(path_of(cloud), {"application_credential": {"name": "ci", **members}})
    assert answer.status_code == 201, answer.text
    return answer.json["application_credential"]


def login(anyone: Asking, given: object, scope: object = None) -> tuple[int, Asking]:
    auth = {"identity": {"methods": ["application_credential"], "application_credential": given}}
    body = {"auth": {**auth, **({"scope": scope} if scope is not None else {})}}
    answer = anyone.post(TOKENS, body)
    return answer.status_code, Asking(anyone.client, answer.headers.get("X-Subject-Token"))


def test_the_secret_is_in_the_first_answer_and_in_no_other(demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud)
    shown = demo.get(f"{path_of(cloud)}/{made['id']}")
    assert made["secret"]
    assert str(made["secret"]) not in shown.text + demo.get(path_of(cloud)).text
    assert "argon2" not in shown.text
    assert [role["name"] for role in shown.json["application_credential"]["roles"]] == ["member"]


def test_a_program_logs_in_by_id_and_secret_to_the_project(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud)
    status, program = login(anyone, {"id": made["id"], "secret": made["secret"]})
    token = program.get(TOKENS, x_subject_token=program.token or "").json["token"]
    assert (status, token["project"]["name"], token["methods"]) == (201, "demo", ["application_credential"])
    assert token["application_credential"] == {"id": made["id"], "name": "ci", "restricted": True}


def test_a_program_logs_in_by_name_and_user(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    make(demo, cloud, secret="chosen by the user")
    user = {"name": "demo", "domain": {"id": "default"}}
    assert login(anyone, {"name": "ci", "user": user, "secret": "chosen by the user"})[0] == 201


def test_a_wrong_secret_or_an_unknown_credential_is_not_accepted(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud)
    assert login(anyone, {"id": made["id"], "secret": "wrong"})[0] == 401
    assert login(anyone, {"id": "0" * 32, "secret": made["secret"]})[0] == 401


def test_no_scope_can_be_asked_for(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud)
    scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
    assert login(anyone, {"id": made["id"], "secret": made["secret"]}, scope)[0] == 401


def test_the_time_of_an_end_has_no_zone_which_go_clients_insist_on(demo: Asking, cloud: Cloud) -> None:
    assert make(demo, cloud, expires_at="2026-01-31T13:00:00Z")["expires_at"] == "2026-01-31T13:00:00.000000"


def test_an_expired_credential_is_not_accepted(anyone: Asking, demo: Asking, cloud: Cloud, clock: Clock) -> None:
    made = make(demo, cloud, expires_at="2026-01-31T13:00:00Z")
    _, program = login(anyone, {"id": made["id"], "secret": made["secret"]})
    clock.forward(hours=1)
    assert program.get("/identity/v3/projects").status_code == 401
    assert login(anyone, {"id": made["id"], "secret": made["secret"]})[0] == 401


def test_a_removed_credential_takes_its_tokens_along(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud)
    _, program = login(anyone, {"id": made["id"], "secret": made["secret"]})
    assert demo.delete(f"{path_of(cloud)}/{made['id']}").status_code == 204
    assert program.get("/identity/v3/projects").status_code == 401
    assert demo.get(f"{path_of(cloud)}/{made['id']}").status_code == 404


def test_a_restricted_credential_makes_and_removes_none(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud)
    _, program = login(anyone, {"id": made["id"], "secret": made["secret"]})
    assert program.post(path_of(cloud), {"application_credential": {"name": "next"}}).status_code == 403
    assert program.delete(f"{path_of(cloud)}/{made['id']}").status_code == 403


def test_an_unrestricted_credential_makes_others(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud, unrestricted=True)
    _, program = login(anyone, {"id": made["id"], "secret": made["secret"]})
    assert program.post(path_of(cloud), {"application_credential": {"name": "next"}}).status_code == 201


def test_nobody_gives_on_a_role_they_have_not(demo: Asking, cloud: Cloud) -> None:
    body = {"application_credential": {"name": "ci", "roles": [{"name": "admin"}]}}
    assert demo.post(path_of(cloud), body).status_code == 403


def test_a_member_makes_a_credential_that_only_reads(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud, roles=[{"name": "reader"}])
    status, program = login(anyone, {"id": made["id"], "secret": made["secret"]})
    assert status == 201
    assert program.get("/compute/v2.1/servers").status_code == 200
    assert program.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "mine"}}).status_code == 403


def test_a_credential_loses_what_its_user_loses(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud)
    _, program = login(anyone, {"id": made["id"], "secret": made["secret"]})
    accounts.grant(cloud, user="demo", project="demo", role=Role.READER)
    accounts.withdraw(cloud, user="demo", project="demo", role=Role.MEMBER)
    assert program.get("/identity/v3/projects").status_code == 401


@pytest.mark.parametrize("who", ["stranger", "admin"])
def test_nobody_makes_a_credential_for_another(anyone: Asking, cloud: Cloud, who: str) -> None:
    body = {"application_credential": {"name": "ci"}}
    assert anyone.as_user(who).post(path_of(cloud), body).status_code in (403, 404)


def test_anothers_credential_is_not_found_under_ones_own(demo: Asking, stranger: Asking, cloud: Cloud) -> None:
    made = make(demo, cloud)
    assert stranger.get(f"{path_of(cloud, 'stranger')}/{made['id']}").status_code == 404
    assert stranger.delete(f"{path_of(cloud, 'stranger')}/{made['id']}").status_code == 404
    assert stranger.get(f"{path_of(cloud)}/{made['id']}").status_code == 404


def test_a_name_is_given_once(demo: Asking, cloud: Cloud) -> None:
    make(demo, cloud)
    assert demo.post(path_of(cloud), {"application_credential": {"name": "ci"}}).status_code == 409


@pytest.mark.parametrize(
    "members",
    [
        {"name": ""},
        {"name": "x" * 256},
        {"name": "a\x00b"},
        {"name": 7},
        {"expires_at": "soon"},
        {"roles": "member"},
        {"roles": [{"name": "owner"}]},
        {"access_rules": [{"path": "/"}]},
        {"unrestricted": "maybe"},
        {"secret": 5},
    ],
)
def test_what_can_not_be_meant_is_refused(demo: Asking, cloud: Cloud, members: dict[str, object]) -> None:
    assert demo.post(path_of(cloud), {"application_credential": {"name": "ci", **members}}).status_code == 400
