"""What admins keep by the Identity API: users, projects, roles; and that nobody else may."""

import pytest

from cloud import accounts
from cloud.context import Cloud
from db.users import Role
from tests.unit.apiserver.asking import Asking, login_body

V3 = "/identity/v3"


def make_user(admin: Asking, **members: object) -> dict[str, object]:
    answer = admin.post(f"{V3}/users", {"user": {"name": "ann", "password": "ann-secret", **members}})
    assert answer.status_code == 201, answer.text
    return answer.json["user"]


def make_project(admin: Asking, **members: object) -> dict[str, object]:
    answer = admin.post(f"{V3}/projects", {"project": {"name": "lab", **members}})
    assert answer.status_code == 201, answer.text
    return answer.json["project"]


def role_path(cloud: Cloud, user: str, project: str, role: str) -> str:
    user_id, project_id = accounts.user(cloud, user).id, accounts.project(cloud, project).id
    return f"{V3}/projects/{project_id}/users/{user_id}/roles/{role}"


def test_a_user_is_made_given_a_role_and_logs_in(admin: Asking, anyone: Asking, cloud: Cloud) -> None:
    project = make_project(admin)
    made = make_user(admin, email="ann@cloud.example", description="Ann", default_project_id=project["id"])
    assert (made["name"], made["email"], made["description"]) == ("ann", "ann@cloud.example", "Ann")
    assert "password" not in made
    path = role_path(cloud, "ann", "lab", "member")
    assert admin.get(path).status_code == 404
    assert [admin.put(path).status_code, admin.put(path).status_code] == [204, 204]
    assert [admin.get(path).status_code, admin.send("HEAD", path).status_code] == [204, 204]
    assert [role["name"] for role in admin.get(path.rpartition("/")[0]).json["roles"]] == ["member"]
    ann = anyone.as_user("ann", "ann-secret")
    assert ann.get("/compute/v2.1/servers").status_code == 200
    assert admin.delete(path).status_code == 204
    assert ann.get("/compute/v2.1/servers").status_code == 401
    assert admin.delete(path).status_code == 404


def test_a_user_is_changed_and_deleted(admin: Asking, anyone: Asking) -> None:
    path = f"{V3}/users/{make_user(admin)['id']}"
    change = {"name": "anna", "email": "a@cloud.example", "description": "new", "password": "another-secret"}
    changed = admin.patch(path, {"user": change}).json["user"]
    assert {key: changed.get(key) for key in change} == {**change, "password": None}
    assert admin.get(path).json["user"] == changed
    assert anyone.post(f"{V3}/auth/tokens", login_body("anna", "another-secret")).status_code == 201
    assert "email" not in admin.patch(path, {"user": {"email": None}}).json["user"]
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404
    assert anyone.post(f"{V3}/auth/tokens", login_body("anna", "another-secret")).status_code == 401


@pytest.mark.parametrize("change", [{"enabled": False}, {"password": "another-secret"}])
def test_being_disabled_and_a_new_password_end_the_tokens(
    admin: Asking, demo: Asking, cloud: Cloud, change: dict[str, object]
) -> None:
    path = f"{V3}/users/{accounts.user(cloud, 'demo').id}"
    assert admin.patch(path, {"user": change}).status_code == 200
    assert demo.get(f"{V3}/projects").status_code == 401
    admin.patch(path, {"user": {"enabled": True}})
    assert demo.get(f"{V3}/projects").status_code == 401


def test_a_user_without_a_password_does_not_log_in(admin: Asking, anyone: Asking) -> None:
    admin.post(f"{V3}/users", {"user": {"name": "ann"}})
    assert anyone.post(f"{V3}/auth/tokens", login_body("ann", "")).status_code == 401


def test_a_project_is_changed_closed_and_deleted(admin: Asking, demo: Asking, cloud: Cloud) -> None:
    path = f"{V3}/projects/{accounts.project(cloud, 'demo').id}"
    changed = admin.patch(path, {"project": {"name": "demo2", "description": "d", "enabled": False}}).json["project"]
    assert (changed["name"], changed["description"], changed["enabled"]) == ("demo2", "d", False)
    assert demo.get("/compute/v2.1/servers").status_code == 401
    assert [row["name"] for row in admin.get(f"{V3}/projects?enabled=false").json["projects"]] == ["demo2"]
    assert admin.delete(path).status_code == 204
    assert [answer.status_code for answer in (admin.get(path), admin.patch(path, {"project": {}}))] == [404, 404]
    assert make_project(admin, name="demo2")["id"] != path.rpartition("/")[2]


def test_the_last_admin_can_not_go(admin: Asking, cloud: Cloud) -> None:
    user = f"{V3}/users/{accounts.user(cloud, 'admin').id}"
    project = f"{V3}/projects/{accounts.project(cloud, 'admin').id}"
    answers = [
        admin.delete(user),
        admin.patch(user, {"user": {"enabled": False}}),
        admin.delete(project),
        admin.patch(project, {"project": {"enabled": False}}),
        admin.delete(role_path(cloud, "admin", "admin", "admin")),
    ]
    assert [answer.status_code for answer in answers] == [409] * 5
    assert admin.get(f"{V3}/users").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("users", {"user": {}}),
        ("users", {"user": {"name": "ann", "password": "short"}}),
        ("users", {"user": {"name": " ann"}}),
        ("users", {"user": {"name": "ann", "enabled": "maybe"}}),
        ("projects", {"project": {"name": ""}}),
        ("projects", {"project": {"name": "x" * 65}}),
        ("projects", {"project": {"name": "lab", "is_domain": True}}),
        ("projects", {"project": {"name": "lab", "parent_id": "0" * 32}}),
        ("projects", {}),
    ],
)
def test_what_can_not_be_meant_is_refused(admin: Asking, path: str, body: dict[str, object]) -> None:
    assert admin.post(f"{V3}/{path}", body).status_code == 400


@pytest.mark.parametrize("kind", ["user", "project"])
def test_another_domain_is_not_found(admin: Asking, kind: str) -> None:
    assert admin.post(f"{V3}/{kind}s", {kind: {"name": "ann", "domain_id": "other"}}).status_code == 404


def test_names_are_given_once(admin: Asking) -> None:
    assert admin.post(f"{V3}/users", {"user": {"name": "demo"}}).status_code == 409
    assert admin.post(f"{V3}/projects", {"project": {"name": "demo"}}).status_code == 409


def test_a_default_project_has_to_be_there(admin: Asking) -> None:
    body = {"user": {"name": "ann", "default_project_id": "0" * 32}}
    assert admin.post(f"{V3}/users", body).status_code == 400


def test_roles_of_nobody_and_of_no_kind_are_not_found(admin: Asking, cloud: Cloud) -> None:
    assert admin.put(role_path(cloud, "demo", "demo", "boss")).status_code == 404
    project, user = accounts.project(cloud, "demo").id, accounts.user(cloud, "demo").id
    assert admin.put(f"{V3}/projects/{project}/users/demo/roles/member").status_code == 404
    assert admin.put(f"{V3}/projects/demo/users/{user}/roles/member").status_code == 404


def test_assignments_are_filtered(admin: Asking, cloud: Cloud) -> None:
    accounts.grant(cloud, user="demo", project="elsewhere", role=Role.READER)
    user, project = accounts.user(cloud, "demo").id, accounts.project(cloud, "demo").id
    path = f"{V3}/role_assignments"
    counts = {
        query: len(admin.get(f"{path}?{query}").json["role_assignments"])
        for query in (
            "",
            f"user.id={user}",
            f"scope.project.id={project}",
            f"user.id={user}&scope.project.id={project}",
            "role.id=admin",
            "role.id=boss",
            "group.id=any",
            "scope.domain.id=default",
        )
    }
    assert list(counts.values()) == [5, 2, 2, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("name", ["domains", "roles", "groups", "regions", "services", "endpoints"])
def test_what_no_request_changes_says_so(admin: Asking, name: str) -> None:
    assert admin.post(f"{V3}/{name}", {}).status_code == 403
    assert admin.patch(f"{V3}/{name}/any", {}).status_code == 403
    assert admin.delete(f"{V3}/{name}/any").status_code == 403


@pytest.mark.parametrize("who", ["demo", "watcher"])
def test_nobody_but_an_admin_keeps_users_projects_and_roles(anyone: Asking, cloud: Cloud, who: str) -> None:
    asking = anyone.as_user(who)
    user, project = accounts.user(cloud, who).id, accounts.project(cloud, "demo").id
    answers = [
        asking.post(f"{V3}/users", {"user": {"name": "ann"}}),
        asking.patch(f"{V3}/users/{user}", {"user": {"name": "ann"}}),
        asking.delete(f"{V3}/users/{user}"),
        asking.post(f"{V3}/projects", {"project": {"name": "lab"}}),
        asking.patch(f"{V3}/projects/{project}", {"project": {"name": "lab"}}),
        asking.delete(f"{V3}/projects/{project}"),
        asking.get(role_path(cloud, who, "demo", "admin")),
        asking.put(role_path(cloud, who, "demo", "admin")),
        asking.delete(role_path(cloud, who, "demo", "member")),
    ]
    assert [answer.status_code for answer in answers] == [403] * 9


def test_users_are_given_by_pages(admin: Asking) -> None:
    first = admin.get(f"{V3}/users?limit=3").json
    second = admin.get(first["links"]["next"].removeprefix("http://cloud.example:8774")).json
    assert [row["name"] for row in first["users"] + second["users"]] == ["admin", "demo", "stranger", "watcher"]
    assert second["links"]["next"] is None
    assert admin.get(f"{V3}/users?marker=nobody").status_code == 400
    assert admin.get(f"{V3}/users?domain_id=other").json["users"] == []
