from collections.abc import Callable

import pytest

from cloud import accounts
from cloud.context import Cloud
from db.users import Role
from tests.unit.apiserver.asking import Asking, login_body
from tests.unit.apiserver.conftest import Clock

TOKENS = "/identity/v3/auth/tokens"


def by_token(text: str | None, scope: object = None) -> dict[str, object]:
    auth: dict[str, object] = {"identity": {"methods": ["token"], "token": {"id": text}}}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


def scoped(user: str, scope: object) -> dict[str, object]:
    body = login_body(user)
    body["auth"]["scope"] = scope
    return body


def status_of(asking: Asking) -> int:
    return asking.get("/identity/v3/projects").status_code


@pytest.mark.parametrize("path", [TOKENS, "/v3/auth/tokens"])
def test_a_login_gives_the_token_in_a_header_and_its_description_in_the_body(anyone: Asking, path: str) -> None:
    answer = anyone.post(path, login_body("demo"))
    assert answer.status_code == 201
    assert answer.headers["X-Subject-Token"] not in answer.text
    token = answer.json["token"]
    assert token["expires_at"] == "2026-01-31T20:00:00.000000Z"
    assert token["issued_at"] == "2026-01-31T12:00:00.000000Z"
    assert (token["user"]["name"], token["project"]["name"]) == ("demo", "demo")
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert [role["name"] for role in token["roles"]] == ["member"]
    assert token["methods"] == ["password"]


def test_the_catalog_names_the_services_there_are_by_the_names_clients_look_for(anyone: Asking) -> None:
    catalog = anyone.post(TOKENS, login_body("demo")).json["token"]["catalog"]
    found = {(entry["type"], entry["name"]): entry["endpoints"] for entry in catalog}
    assert set(found) == {("compute", "nova"), ("image", "glance"), ("network", "neutron"), ("identity", "keystone")}
    compute = found["compute", "nova"]
    assert {endpoint["interface"] for endpoint in compute} == {"public", "internal", "admin"}
    assert {endpoint["url"] for endpoint in compute} == {"http://cloud.example:8774/compute/v2.1"}
    assert {(endpoint["region"], endpoint["region_id"]) for endpoint in compute} == {("RegionOne", "RegionOne")}


def test_the_catalog_is_left_out_on_request(anyone: Asking) -> None:
    assert "catalog" not in anyone.post(f"{TOKENS}?nocatalog", login_body("demo")).json["token"]


@pytest.mark.parametrize(
    "change",
    [
        lambda user: user.update(password="wrong-secret"),
        lambda user: user.update(name="nobody"),
        lambda user: user.update(domain={"id": "other"}),
        lambda user: user.update(domain={"name": "other"}),
        lambda user: (user.pop("name"), user.update(id="0" * 32)),
    ],
)
def test_a_wrong_login_says_the_same_whatever_was_wrong(
    anyone: Asking, change: Callable[[dict[str, object]], object]
) -> None:
    body = login_body("demo")
    change(body["auth"]["identity"]["password"]["user"])
    answer = anyone.post(TOKENS, body)
    assert answer.status_code == 401
    assert answer.json["error"]["title"] == "Unauthorized"
    assert answer.json["error"]["message"] == "the user, the password or the project is wrong"


@pytest.mark.parametrize("domain", [{"id": "default"}, {"name": "Default"}, {"name": "default"}, {"id": "Default"}])
def test_the_one_domain_is_known_by_id_and_name(anyone: Asking, domain: object) -> None:
    body = login_body("demo", project="demo")
    body["auth"]["identity"]["password"]["user"]["domain"] = domain
    body["auth"]["scope"]["project"]["domain"] = domain
    assert anyone.post(TOKENS, body).status_code == 201


def test_a_user_may_log_in_by_id(anyone: Asking, cloud: Cloud) -> None:
    body = login_body("demo")
    user = {"id": accounts.user(cloud, "demo").id, "password": "demo-secret"}
    body["auth"]["identity"]["password"]["user"] = user
    assert anyone.post(TOKENS, body).status_code == 201


def test_a_project_may_be_named_by_id(anyone: Asking, cloud: Cloud) -> None:
    project = accounts.project(cloud, "demo").id
    answer = anyone.post(TOKENS, scoped("demo", {"project": {"id": project}}))
    assert answer.json["token"]["project"]["id"] == project


@pytest.mark.parametrize("name", ["elsewhere", "admin", "nowhere"])
def test_nobody_logs_in_to_a_project_they_have_no_role_in(anyone: Asking, name: str) -> None:
    assert anyone.post(TOKENS, login_body("demo", project=name)).status_code == 401


@pytest.mark.parametrize("scope", [{"domain": {"id": "default"}}, {"system": {"all": True}}, {"OS-TRUST:trust": {}}])
def test_there_are_no_tokens_for_domains_the_system_or_trusts(anyone: Asking, scope: object) -> None:
    assert anyone.post(TOKENS, scoped("demo", scope)).status_code == 401


@pytest.mark.parametrize("scope", ["unscoped", {"unscoped": {}}])
def test_an_unscoped_token_has_no_project_and_no_catalog(anyone: Asking, scope: object) -> None:
    token = anyone.post(TOKENS, scoped("demo", scope)).json["token"]
    assert not {"project", "roles", "catalog"} & set(token)


def test_a_token_is_exchanged_for_one_of_another_project_that_ends_no_later(
    anyone: Asking, cloud: Cloud, clock: Clock
) -> None:
    accounts.add_project(cloud, "second")
    accounts.grant(cloud, user="demo", project="second", role=Role.READER)
    first = anyone.as_user("demo")
    clock.forward(hours=1)
    scope = {"project": {"name": "second", "domain": {"id": "default"}}}
    token = anyone.post(TOKENS, by_token(first.token, scope)).json["token"]
    assert token["project"]["name"] == "second"
    assert token["expires_at"] == "2026-01-31T20:00:00.000000Z"
    assert token["methods"] == ["password", "token"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"auth": None},
        {"auth": "x"},
        {"auth": {}},
        {"auth": {"identity": {}}},
        {"auth": {"identity": {"methods": "password"}}},
        {"auth": {"identity": {"methods": []}}},
        {"auth": {"identity": {"methods": ["password", "token"]}}},
        {"auth": {"identity": {"methods": ["password"]}}},
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo"}}}}},
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "a\x00", "password": "x"}}}}},
        {"auth": {"identity": {"methods": ["token"], "token": {"id": 7}}}},
        {"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": 5}},
        {"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": {"project": {}}}},
    ],
)
def test_a_login_that_can_not_be_read_is_a_400_that_names_the_field(anyone: Asking, body: object) -> None:
    answer = anyone.post(TOKENS, body)
    assert answer.status_code == 400
    assert answer.json["error"]["message"].startswith("auth")


def test_a_method_that_is_not_there_is_not_accepted(anyone: Asking) -> None:
    body = {"auth": {"identity": {"methods": ["totp"], "totp": {}}}}
    assert anyone.post(TOKENS, body).status_code == 401


def test_a_token_describes_itself(demo: Asking) -> None:
    answer = demo.get(TOKENS, x_subject_token=demo.token or "")
    assert answer.json["token"]["user"]["name"] == "demo"
    assert answer.headers["X-Subject-Token"] == demo.token


def test_head_tells_that_a_token_lives_without_a_body(demo: Asking) -> None:
    answer = demo.send("HEAD", TOKENS, x_subject_token=demo.token or "")
    assert (answer.status_code, answer.data) == (200, b"")


def test_an_admin_may_look_at_anybodys_token(demo: Asking, admin: Asking) -> None:
    assert admin.get(TOKENS, x_subject_token=demo.token or "").json["token"]["user"]["name"] == "demo"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_nobody_else_may_look_at_or_end_anothers_token(demo: Asking, stranger: Asking, method: str) -> None:
    assert stranger.send(method, TOKENS, x_subject_token=demo.token or "").status_code == 403
    assert status_of(demo) == 200


def test_a_subject_that_is_no_token_is_not_found(demo: Asking) -> None:
    assert demo.get(TOKENS, x_subject_token="unknown").status_code == 404


def test_without_a_subject_there_is_nothing_to_describe(demo: Asking) -> None:
    assert demo.get(TOKENS).status_code == 400


def test_an_ended_token_opens_nothing(anyone: Asking, demo: Asking) -> None:
    assert demo.delete(TOKENS, x_subject_token=demo.token or "").status_code == 204
    assert status_of(demo) == 401
    assert anyone.post(TOKENS, by_token(demo.token)).status_code == 401


def test_an_expired_token_opens_nothing(demo: Asking, clock: Clock) -> None:
    clock.forward(hours=8)
    assert status_of(demo) == 401


def test_tokens_follow_a_disabled_user_at_once(demo: Asking, cloud: Cloud) -> None:
    accounts.set_user_enabled(cloud, "demo", enabled=False)
    assert status_of(demo) == 401


def test_tokens_follow_a_disabled_project_at_once(demo: Asking, cloud: Cloud) -> None:
    accounts.set_project_enabled(cloud, "demo", enabled=False)
    assert status_of(demo) == 401


def test_tokens_follow_a_withdrawn_role_at_once(demo: Asking, cloud: Cloud) -> None:
    accounts.withdraw(cloud, user="demo", project="demo", role=Role.MEMBER)
    assert status_of(demo) == 401


def test_the_catalog_is_also_given_alone(demo: Asking) -> None:
    assert len(demo.get("/identity/v3/auth/catalog").json["catalog"]) == 4


def test_the_projects_to_log_in_to_are_ones_own(demo: Asking, admin: Asking) -> None:
    for asking, name in ((demo, "demo"), (admin, "admin")):
        projects = asking.get("/identity/v3/auth/projects").json["projects"]
        assert [project["name"] for project in projects] == [name]


def test_there_is_no_domain_to_log_in_to(demo: Asking) -> None:
    assert demo.get("/identity/v3/auth/domains").json["domains"] == []
