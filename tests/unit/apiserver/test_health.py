import flask
import pytest

from db.sessions import Sessions
from tests.support import clouds
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.conftest import Bus


def test_a_living_process_says_so(anyone: Asking) -> None:
    assert anyone.get("/healthz").status_code == 200


def test_ready_is_when_database_and_bus_answer(anyone: Asking) -> None:
    answer = anyone.get("/readyz")
    assert (answer.status_code, answer.json) == (
        200,
        {"status": "ready", "database": "ok", "bus": "ok", "schema": "ok"},
    )


def test_without_the_bus_it_is_not_ready_and_says_so(anyone: Asking, bus: Bus) -> None:
    bus.up = False
    answer = anyone.get("/readyz")
    assert (answer.status_code, answer.json["bus"], answer.json["database"]) == (503, "unreachable", "ok")


def test_without_the_database_it_is_not_ready_but_alive(anyone: Asking, sessions: Sessions) -> None:
    with clouds.away(sessions):
        answer = anyone.get("/readyz")
        assert (answer.status_code, answer.json["bus"], answer.json["database"]) == (503, "ok", "unreachable")
        assert anyone.get("/healthz").status_code == 200


def test_metrics_count_requests_by_route_and_not_by_id(own_app: flask.Flask) -> None:
    demo = Asking(own_app.test_client()).as_user("demo")
    for number in range(3):
        demo.get(f"/identity/v3/projects/{number}")
    text = demo.get("/metrics").text
    assert 'syros_api_requests_total{method="GET",route="/identity/v3/projects/<project_id>",status="404"} 3.0' in text


def test_unknown_paths_and_methods_share_one_counter(anyone: Asking) -> None:
    for method in ("BREW", "GET"):
        anyone.send(method, "/nowhere/1")
    text = anyone.get("/metrics").text
    assert 'method="other",route="none"' in text
    assert "BREW" not in text


def test_two_apps_in_a_process_count_for_themselves(anyone: Asking, own_app: flask.Flask) -> None:
    anyone.get("/identity/v3")
    other = Asking(own_app.test_client())
    assert 'route="/identity/v3"' not in other.get("/metrics").text


@pytest.mark.parametrize("path", ["/docs", "/swagger.json"])
def test_the_documentation_needs_no_token(anyone: Asking, path: str) -> None:
    assert anyone.get(path).status_code == 200
