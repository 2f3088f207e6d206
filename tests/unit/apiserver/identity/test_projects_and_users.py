import pytest

from cloud import accounts
from cloud.context import Cloud
from tests.unit.apiserver.asking import Asking, login_body

V3 = "/identity/v3"


def names_in(asking: Asking, path: str, key: str) -> list[str]:
    answer = asking.get(f"{V3}/{path}")
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json[key]]


def test_a_tenant_sees_the_own_projects_and_an_admin_all(demo: Asking, admin: Asking) -> None:
    assert names_in(demo, "projects", "projects") == ["demo"]
    assert names_in(admin, "projects", "projects") == ["admin", "demo", "elsewhere"]


def test_projects_are_found_by_name(admin: Asking, demo: Asking) -> None:
    assert names_in(admin, "projects?name=demo", "projects") == ["demo"]
    assert names_in(demo, "projects?name=elsewhere", "projects") == []
    assert names_in(admin, "projects?domain_id=other", "projects") == []


def test_lists_are_given_by_pages(admin: Asking) -> None:
    first = admin.get(f"{V3}/projects?limit=2").json
    second = admin.get(first["links"]["next"].removeprefix("http://cloud.example:8774")).json
    assert [item["name"] for item in first["projects"] + second["projects"]] == ["admin", "demo", "elsewhere"]
    assert second["links"]["next"] is None


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "marker=unknown", "enabled=maybe"])
def test_a_page_that_can_not_be_meant_is_refused(admin: Asking, query: str) -> None:
    assert admin.get(f"{V3}/projects?{query}").status_code == 400


def test_a_project_is_shown_to_its_users(demo: Asking, cloud: Cloud) -> None:
    project = accounts.project(cloud, "demo")
    shown = demo.get(f"{V3}/projects/{project.id}").json["project"]
    assert (shown["name"], shown["domain_id"], shown["enabled"]) == ("demo", "default", True)


@pytest.mark.parametrize("name", ["elsewhere", "demo"])
def test_names_are_no_ids(demo: Asking, admin: Asking, name: str) -> None:
    assert demo.get(f"{V3}/projects/{name}").status_code == 404
    assert admin.get(f"{V3}/projects/{name}").status_code == 404
    assert admin.get(f"{V3}/users/demo").status_code == 404


def test_another_tenants_project_and_user_are_not_found(demo: Asking, admin: Asking, cloud: Cloud) -> None:
    project, user = accounts.project(cloud, "elsewhere").id, accounts.user(cloud, "stranger").id
    for path in (
        f"{V3}/projects/{project}",
        f"{V3}/users/{user}",
        f"{V3}/users/{user}/projects",
        f"{V3}/users/{user}/application_credentials",
    ):
        assert demo.get(path).status_code == 404
        assert admin.get(path).status_code == 200


def test_only_an_admin_lists_users(demo: Asking, admin: Asking) -> None:
    assert demo.get(f"{V3}/users").status_code == 403
    assert names_in(admin, "users", "users") == ["admin", "demo", "stranger", "watcher"]


def test_a_user_is_shown_to_oneself_without_the_password(demo: Asking, cloud: Cloud) -> None:
    answer = demo.get(f"{V3}/users/{accounts.user(cloud, 'demo').id}")
    assert answer.json["user"]["name"] == "demo"
    assert "argon2" not in answer.text


def test_a_password_is_changed_by_its_owner_and_ends_the_tokens(anyone: Asking, demo: Asking, cloud: Cloud) -> None:
    path = f"{V3}/users/{accounts.user(cloud, 'demo').id}/password"
    answer = demo.post(path, {"user": {"original_password": "demo-secret", "password": "a-new-secret"}})
    assert answer.status_code == 204
    assert demo.get(f"{V3}/projects").status_code == 401
    assert anyone.post(f"{V3}/auth/tokens", login_body("demo")).status_code == 401
    assert anyone.as_user("demo", "a-new-secret").token


@pytest.mark.parametrize(("original", "new", "status"), [("wrong", "a-new-secret", 401), ("demo-secret", "short", 400)])
def test_a_password_stays_when_the_original_is_wrong_or_the_new_one_too_short(
    anyone: Asking, demo: Asking, cloud: Cloud, original: str, new: str, status: int
) -> None:
    path = f"{V3}/users/{accounts.user(cloud, 'demo').id}/password"
    assert demo.post(path, {"user": {"original_password": original, "password": new}}).status_code == status
    assert anyone.as_user("demo").token


@pytest.mark.parametrize("who", ["stranger", "admin"])
def test_nobody_else_changes_a_password_here(anyone: Asking, cloud: Cloud, who: str) -> None:
    path = f"{V3}/users/{accounts.user(cloud, 'demo').id}/password"
    body = {"user": {"original_password": "demo-secret", "password": "a-new-secret"}}
    assert anyone.as_user(who).post(path, body).status_code in (403, 404)
    assert anyone.as_user("demo").token


def test_the_constants_are_listed_and_shown(demo: Asking) -> None:
    assert names_in(demo, "domains", "domains") == ["Default"]
    assert names_in(demo, "roles?name=member", "roles") == ["member"]
    assert names_in(demo, "services?type=compute", "services") == ["nova"]
    assert [item["id"] for item in demo.get(f"{V3}/regions").json["regions"]] == ["RegionOne"]
    assert len(demo.get(f"{V3}/endpoints?interface=public").json["endpoints"]) == 4
    assert demo.get(f"{V3}/domains/default").json["domain"]["name"] == "Default"
    assert demo.get(f"{V3}/domains/other").status_code == 404


def test_an_admin_sees_who_has_which_role(admin: Asking, cloud: Cloud) -> None:
    user = accounts.user(cloud, "watcher").id
    found = admin.get(f"{V3}/role_assignments?user.id={user}&include_names=true").json["role_assignments"]
    assert [(item["user"]["name"], item["role"]["name"], item["scope"]["project"]["name"]) for item in found] == [
        ("watcher", "reader", "demo")
    ]


def test_others_see_their_own_roles_only(demo: Asking, cloud: Cloud) -> None:
    own, other = accounts.user(cloud, "demo").id, accounts.user(cloud, "watcher").id
    assert len(demo.get(f"{V3}/role_assignments?user.id={own}").json["role_assignments"]) == 1
    assert demo.get(f"{V3}/role_assignments?user.id={other}").status_code == 403
    assert demo.get(f"{V3}/role_assignments").status_code == 403
