import pytest

from tests.unit.apiserver.asking import Asking

TOKENS = "/identity/v2.0/tokens"


def body(password: str = "demo-secret", **more: object) -> dict[str, object]:
    return {"auth": {"passwordCredentials": {"username": "demo", "password": password}, **more}}


@pytest.mark.parametrize("path", [TOKENS, "/v2.0/tokens"])
def test_an_old_client_logs_in_by_password_and_tenant(anyone: Asking, path: str) -> None:
    access = anyone.post(path, body(tenantName="demo")).json["access"]
    assert access["token"]["tenant"]["name"] == "demo"
    assert access["token"]["expires"] == "2026-01-31T20:00:00.000000Z"
    assert access["user"]["roles"] == [{"id": "member", "name": "member"}]
    assert Asking(anyone.client, access["token"]["id"]).get("/identity/v3/projects").status_code == 200


def test_an_old_client_finds_the_services(anyone: Asking) -> None:
    access = anyone.post(TOKENS, body(tenantName="demo")).json["access"]
    compute = next(entry for entry in access["serviceCatalog"] if entry["type"] == "compute")
    [endpoint] = compute["endpoints"]
    assert (compute["name"], endpoint["region"]) == ("nova", "RegionOne")
    assert endpoint["publicURL"] == "http://cloud.example:8774/compute/v2.1"


def test_an_old_client_exchanges_a_token(anyone: Asking, demo: Asking) -> None:
    answer = anyone.post(TOKENS, {"auth": {"token": {"id": demo.token}, "tenantName": "demo"}})
    assert answer.status_code == 200


@pytest.mark.parametrize("given", [body("wrong-secret"), body(tenantName="elsewhere"), body(tenantId="0" * 32)])
def test_a_wrong_login_is_not_accepted(anyone: Asking, given: object) -> None:
    assert anyone.post(TOKENS, given).status_code == 401


@pytest.mark.parametrize("given", [{}, {"auth": {}}, {"auth": {"passwordCredentials": {}}}, {"auth": {"token": {}}}])
def test_a_login_that_can_not_be_read_is_refused(anyone: Asking, given: object) -> None:
    assert anyone.post(TOKENS, given).status_code == 400


def test_tenants_are_the_own_projects(demo: Asking) -> None:
    assert [tenant["name"] for tenant in demo.get("/identity/v2.0/tenants").json["tenants"]] == ["demo"]
