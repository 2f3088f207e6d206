import json
import logging
from functools import partial

import flask
import pytest
import sqlalchemy as sa
from flask import Flask

from apiserver import context
from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud.context import Cloud
from common import log as logs
from common import names
from db.requests import Request
from db.sessions import Sessions
from tests.support import clouds
from tests.unit.apiserver.asking import Asking, login_body

PASSWORD_PATH = "/identity/v3/users/{}/password"


def rows(sessions: Sessions) -> list[Request]:
    with sessions.read() as db:
        return list(db.scalars(sa.select(Request).order_by(Request.at)))


def user_id(asking: Asking) -> str:
    answer = asking.get("/identity/v3/auth/tokens", x_subject_token=asking.token or "")
    return str(answer.json["token"]["user"]["id"])


@pytest.mark.parametrize("path", ["/healthz", "/identity/v3", "/compute/nowhere", "/identity/v3/projects"])
def test_every_answer_names_its_request_twice(anyone: Asking, path: str) -> None:
    headers = anyone.get(path).headers
    assert names.is_request_id(headers["X-Openstack-Request-Id"])
    assert headers["X-Compute-Request-Id"] == headers["X-Openstack-Request-Id"]


def test_no_two_requests_have_one_id(anyone: Asking) -> None:
    assert len({anyone.get("/healthz").headers["X-Openstack-Request-Id"] for _ in range(5)}) == 5


def test_without_a_token_the_answer_says_where_to_get_one(anyone: Asking) -> None:
    answer = anyone.get("/identity/v3/projects")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Keystone uri="http://cloud.example:8774/identity"'


@pytest.mark.parametrize("token", ["", "unknown", "x" * 4000, "ü", "'; --"])
def test_a_token_that_nobody_gave_out_is_refused(anyone: Asking, token: str) -> None:
    assert anyone.get("/identity/v3/projects", x_auth_token=token).status_code == 401


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/", "/identity/v3/projects/", "/identity//v3", "/v3/x/y/z"])
def test_a_path_that_leads_nowhere_is_a_fault_in_json(demo: Asking, path: str) -> None:
    answer = demo.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/json")


def test_a_method_that_a_path_does_not_take_is_a_fault_that_names_those_it_does(anyone: Asking) -> None:
    answer = anyone.put("/identity/v3/auth/tokens", {})
    assert answer.status_code == 405
    assert answer.json["error"]["title"] == "Method Not Allowed"
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("", "application/json", 400),
        ("{}", "application/json; charset=UTF-8", 400),
        ("<auth/>", "application/xml", 415),
        ("auth=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(anyone: Asking, body: str, kind: str, status: int) -> None:
    answer = anyone.send("POST", "/identity/v3/auth/tokens", data=body, content_type=kind)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, status)


def test_a_body_without_content_type_is_taken_as_json(anyone: Asking) -> None:
    answer = anyone.send("POST", "/identity/v3/auth/tokens", data=json.dumps(login_body("demo")))
    assert answer.status_code == 201


def test_a_body_above_the_limit_is_refused(cloud: Cloud) -> None:
    app = create_app(cloud, ApiSettings(max_body=1000), bus_ready=lambda: True)
    answer = Asking(app.test_client()).post("/identity/v3/auth/tokens", {"auth": "x" * 2000})
    assert answer.status_code == 413


@pytest.mark.parametrize(("accept", "status"), [("", 200), ("*/*", 200), ("text/html", 200), ("application/xml", 406)])
def test_only_those_who_want_nothing_but_xml_are_turned_away(anyone: Asking, accept: str, status: int) -> None:
    assert anyone.get("/identity/v3", accept=accept).status_code == status


@pytest.mark.parametrize("path", ["/identity/v3/projects?name=%00", "/identity/v3/projects?%00=x"])
def test_nul_in_a_query_is_refused(demo: Asking, path: str) -> None:
    assert demo.get(path).status_code == 400


def test_nul_in_a_path_leads_nowhere(admin: Asking) -> None:
    assert admin.get("/identity/v3/projects/a%00b").status_code == 404


def test_a_change_is_kept_in_the_request_log(demo: Asking, sessions: Sessions) -> None:
    me = user_id(demo)
    answer = demo.post(f"/identity/v3/users/{me}/application_credentials", {"application_credential": {"name": "ci"}})
    [row] = rows(sessions)
    assert row.id == answer.headers["X-Openstack-Request-Id"]
    assert (row.method, row.status, row.user_id, row.message) == ("POST", 201, me, None)


def test_a_refused_change_is_kept_with_its_reason(demo: Asking, sessions: Sessions) -> None:
    demo.post(f"/identity/v3/users/{user_id(demo)}/application_credentials", {"application_credential": {}})
    [row] = rows(sessions)
    assert (row.status, row.message) == (400, "application_credential.name: missing")


def test_looking_and_logging_in_are_not_kept(demo: Asking, sessions: Sessions) -> None:
    demo.get("/identity/v3/projects")
    assert rows(sessions) == []


def test_a_failed_login_is_kept(anyone: Asking, sessions: Sessions) -> None:
    anyone.post("/identity/v3/auth/tokens", login_body("demo", "wrong-secret"))
    [row] = rows(sessions)
    assert (row.status, row.user_id) == (401, None)


def test_no_secret_is_kept_or_logged(anyone: Asking, sessions: Sessions, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    demo = anyone.as_user("demo")
    anyone.post("/identity/v3/auth/tokens", login_body("demo", "wrong-secret"))
    body = {"user": {"original_password": "bad-secret", "password": "new-secret"}}
    demo.post(PASSWORD_PATH.format(user_id(demo)), body)
    seen = caplog.text + str([vars(record) for record in caplog.records]) + str([vars(row) for row in rows(sessions)])
    assert demo.token is not None
    for secret in (demo.token, "demo-secret", "wrong-secret", "bad-secret", "new-secret"):
        assert secret not in seen


def test_each_request_is_one_line_of_log(demo: Asking, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    demo.get("/identity/v3/projects")
    [line] = [record for record in caplog.records if record.getMessage() == "request.answered"]
    facts = vars(line)
    assert (facts["method"], facts["path"], facts["status"]) == ("GET", "/identity/v3/projects", 200)


def test_a_database_that_is_away_is_a_503_that_says_when_to_come_back(
    anyone: Asking, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    with clouds.away(sessions):
        answer = anyone.post("/identity/v3/auth/tokens", login_body("demo"))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "request.not_kept" not in caplog.text


def test_an_answer_stands_even_when_it_can_not_be_kept(
    own_app: Flask, cloud: Cloud, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(_: flask.Response) -> flask.Response:
        away_now.__enter__()
        return _

    away_now = clouds.away(sessions)
    own_app.after_request(gone)  # runs before those registered earlier
    answer = Asking(own_app.test_client()).post("/identity/v3/auth/tokens", login_body("demo", "wrong-secret"))
    away_now.__exit__(None, None, None)
    assert answer.status_code == 401
    assert "request.not_kept" in caplog.text


def test_what_nobody_foresaw_is_a_500_with_the_request_id_and_no_details(
    own_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> str:
        raise RuntimeError("secret detail")

    own_app.add_url_rule("/compute/v2.1/broken", view_func=broken)
    answer = Asking(own_app.test_client()).get("/compute/v2.1/broken")
    assert answer.status_code == 500
    assert "detail" not in answer.json["computeFault"]["message"]
    assert names.is_request_id(answer.headers["X-Openstack-Request-Id"])
    assert "secret detail" in caplog.text


def test_the_request_id_is_in_the_lines_of_its_request_and_no_longer(own_app: Flask) -> None:
    seen: list[str | None] = []

    def look() -> str:
        seen.append(logs.current_request_id())
        return ""

    own_app.add_url_rule("/look", view_func=look)
    answer = own_app.test_client().get("/look")
    assert seen == [answer.headers["X-Openstack-Request-Id"]]
    assert logs.current_request_id() is None


def test_a_token_is_checked_by_one_statement(demo: Asking, sessions: Sessions) -> None:
    answers: list[int] = []
    show = partial(demo.get, "/identity/v3/auth/tokens", x_subject_token=demo.token or "")
    statements = clouds.count_statements(sessions, lambda: answers.append(show().status_code))
    assert answers == [200]
    assert len(statements) == 1


def test_state_is_of_one_request_only(app: Flask) -> None:
    with app.test_request_context("/"):
        first = context.state().request_id
    with app.test_request_context("/"):
        assert context.state().request_id != first
