"""Registering, changing, tagging, sharing, deactivating and deleting images: who may, and what can be meant."""

import pytest

from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.image.storing import PATH, change, patch, register


def listed(asking: Asking, query: str = "") -> list[str]:
    return [image["id"] for image in asking.get(f"{PATH}{query}").json["images"]]


def project(asking: Asking) -> str:
    return str(asking.get("/identity/v3/auth/projects").json["projects"][0]["id"])


def test_an_image_is_registered_with_what_it_says(demo: Asking) -> None:
    answer = demo.post(
        PATH,
        {
            "id": "11111111-2222-4333-8444-555555555555",
            "name": "mine",
            "disk_format": "qcow2",
            "container_format": "bare",
            "visibility": "private",
            "min_disk": 3,
            "min_ram": 4,
            "protected": True,
            "os_hidden": True,
            "tags": ["a", "b", "a"],
            "os_distro": "debian",
        },
    )
    assert (answer.status_code, answer.headers["Location"].endswith(f"{PATH}/{answer.json['id']}")) == (201, True)
    assert (
        answer.json.items()
        >= {
            "id": "11111111-2222-4333-8444-555555555555",
            "name": "mine",
            "status": "queued",
            "size": None,
            "checksum": None,
            "disk_format": "qcow2",
            "visibility": "private",
            "min_disk": 3,
            "min_ram": 4,
            "protected": True,
            "os_hidden": True,
            "owner": project(demo),
            "os_distro": "debian",
        }.items()
    )
    assert answer.json["tags"] == ["a", "b"]


def test_what_is_not_said_is_usual(demo: Asking) -> None:
    shown = demo.post(PATH, {}).json
    assert (shown["disk_format"], shown["container_format"], shown["visibility"]) == ("raw", "bare", "shared")


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"disk_format": "vhd"}, 400),
        ({"container_format": "ovf"}, 400),
        ({"visibility": "secret"}, 400),
        ({"visibility": "public"}, 403),
        ({"min_disk": -1}, 400),
        ({"min_ram": "many"}, 400),
        ({"protected": "maybe"}, 400),
        ({"id": "not a uuid"}, 400),
        ({"tags": "a"}, 400),
        ({"tags": [""]}, 400),
        ({"tags": ["x" * 256]}, 400),
        ({"tags": [str(number) for number in range(129)]}, 400),
        ({"name": "x" * 256}, 400),
        ({"color": 1}, 400),
        ({"color": None}, 400),
        ({"size": "1"}, 403),
        ({"status": "active"}, 403),
        ({"os_glance_import_progress": "1"}, 403),
        ({"owner": "0" * 32}, 403),
        ({str(number): "x" for number in range(129)}, 400),
    ],
)
def test_what_can_not_be_registered_is_refused(demo: Asking, members: dict[str, object], status: int) -> None:
    assert demo.post(PATH, {"name": "mine", **members}).status_code == status
    assert listed(demo) == []


def test_an_id_is_taken_once(demo: Asking, stranger: Asking) -> None:
    image_id = register(demo)
    assert stranger.post(PATH, {"id": image_id}).status_code == 409


def test_an_admin_registers_for_others_and_for_all(admin: Asking, demo: Asking) -> None:
    for_demo = register(admin, owner=project(demo), visibility="private")
    public = register(admin, visibility="public")
    assert sorted(listed(demo)) == sorted([for_demo, public])
    assert admin.post(PATH, {"owner": "0" * 32}).status_code == 400


def test_steps_change_attributes_properties_and_tags(demo: Asking) -> None:
    image_id = register(demo, color="red", shape="round")
    answer = patch(
        demo,
        image_id,
        change("replace", "/name", "other"),
        change("add", "/size~1kind", "big"),
        change("replace", "/color", "blue"),
        change("remove", "/shape"),
        change("replace", "/tags", ["x"]),
        change("replace", "/min_disk", 7),
        change("replace", "/disk_format", "qcow2"),
    )
    assert answer.status_code == 200
    assert answer.json.items() >= {"name": "other", "size/kind": "big", "color": "blue", "min_disk": 7}.items()
    assert (answer.json["tags"], answer.json["disk_format"], "shape" in answer.json) == (["x"], "qcow2", False)


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (change("replace", "/none", "x"), 409),
        (change("remove", "/none"), 409),
        (change("replace", "/id", "x"), 403),
        (change("replace", "/checksum", "x"), 403),
        (change("add", "/locations", []), 403),
        (change("add", "/os_glance_x", "x"), 403),
        (change("remove", "/name"), 403),
        (change("replace", "/owner", "0" * 32), 403),
        (change("replace", "/visibility", "public"), 403),
        (change("replace", "/container_format", "ovf"), 400),
        (change("move", "/name", "x"), 400),
        (change("add", "/a/b", "x"), 400),
        (change("add", "/a~2", "x"), 400),
        (change("add", "name", "x"), 400),
        (change("add", "/", "x"), 400),
        (change("add", "/color"), 400),
        (change("add", "/color", 1), 400),
        ("step", 400),
    ],
)
def test_a_step_that_can_not_be_done_undoes_those_before_it(demo: Asking, step: object, status: int) -> None:
    image_id = register(demo)
    assert patch(demo, image_id, change("replace", "/name", "other"), step).status_code == status
    assert demo.get(f"{PATH}/{image_id}").json["name"] == "mine"


def test_the_older_patch_names_the_path_by_its_verb(demo: Asking) -> None:
    old = "application/openstack-images-v2.0-json-patch"
    image_id = register(demo)
    steps = ({"replace": "/name", "value": "other"}, {"add": "/os_distro", "value": "debian"})
    assert patch(demo, image_id, *steps, kind=old).status_code == 200
    shown = patch(demo, image_id, {"remove": "/os_distro"}, kind=old).json
    assert (shown["name"], "os_distro" in shown) == ("other", False)
    assert patch(demo, image_id, {"add": "/a", "remove": "/a"}, kind=old).status_code == 400
    assert patch(demo, image_id, {"name": "other"}, kind=old).status_code == 400


@pytest.mark.parametrize("kind", ["application/json", "application/json-patch+json"])
def test_a_patch_is_of_this_apis_own_type(demo: Asking, kind: str) -> None:
    assert patch(demo, register(demo), kind=kind).status_code == 415


def test_what_others_see_they_do_not_change(demo: Asking, stranger: Asking, image: str, private_image: str) -> None:
    assert demo.delete(f"{PATH}/{image}").status_code == 403
    assert patch(demo, image, change("replace", "/name", "x")).status_code == 403
    assert demo.put(f"{PATH}/{image}/tags/x").status_code == 403
    mine = register(demo)
    for image_id in (private_image, mine):
        assert stranger.delete(f"{PATH}/{image_id}").status_code == 404
        assert patch(stranger, image_id, change("replace", "/name", "x")).status_code == 404
        assert stranger.put(f"{PATH}/{image_id}/tags/x").status_code == 404
        assert stranger.get(f"{PATH}/{image_id}/members").status_code == 404
        assert stranger.post(f"{PATH}/{image_id}/members", {"member": project(stranger)}).status_code == 404


def test_a_reader_only_looks(anyone: Asking, demo: Asking) -> None:
    image_id, watcher = register(demo), anyone.as_user("watcher")
    assert watcher.get(f"{PATH}/{image_id}").status_code == 200
    assert watcher.post(PATH, {}).status_code == 403
    assert watcher.delete(f"{PATH}/{image_id}").status_code == 403
    assert (
        watcher.send("PUT", f"{PATH}/{image_id}/file", data=b"x", content_type="application/octet-stream").status_code
        == 403
    )


def test_a_protected_image_is_not_deleted(demo: Asking, admin: Asking) -> None:
    image_id = register(demo, protected=True)
    assert demo.delete(f"{PATH}/{image_id}").status_code == 403
    assert admin.delete(f"{PATH}/{image_id}").status_code == 403
    patch(demo, image_id, change("replace", "/protected", False))
    assert demo.delete(f"{PATH}/{image_id}").status_code == 204
    assert demo.delete(f"{PATH}/{image_id}").status_code == 404


def test_tags_are_put_taken_off_and_searched_for(demo: Asking) -> None:
    image_id = register(demo)
    for _ in range(2):
        assert demo.put(f"{PATH}/{image_id}/tags/100%25%22").status_code == 204
    demo.put(f"{PATH}/{image_id}/tags/b")
    assert demo.get(f"{PATH}/{image_id}").json["tags"] == ['100%"', "b"]
    assert listed(demo, "?tag=b&tag=100%25%22") == [image_id]
    assert listed(demo, "?tag=10%25") == listed(demo, "?tag=_") == []
    assert demo.delete(f"{PATH}/{image_id}/tags/b").status_code == 204
    assert demo.delete(f"{PATH}/{image_id}/tags/b").status_code == 404
    assert demo.put(f"{PATH}/{image_id}/tags/{'x' * 256}").status_code == 400


def test_a_shared_image_is_listed_once_its_member_accepts_it(demo: Asking, stranger: Asking) -> None:
    image_id, other = register(demo), project(stranger)
    members = f"{PATH}/{image_id}/members"
    assert demo.post(members, {"member": other}).json["status"] == "pending"
    assert demo.post(members, {"member": other}).status_code == 409
    assert stranger.get(f"{PATH}/{image_id}").status_code == 200
    assert listed(stranger) == []
    assert listed(stranger, "?visibility=shared&member_status=pending") == [image_id]
    assert demo.put(f"{members}/{other}", {"status": "accepted"}).status_code == 403
    assert stranger.put(f"{members}/{other}", {"status": "maybe"}).status_code == 400
    assert stranger.put(f"{members}/{other}", {"status": "accepted"}).json["status"] == "accepted"
    assert listed(stranger) == listed(stranger, "?member_status=all") == [image_id]
    assert [each["member_id"] for each in stranger.get(members).json["members"]] == [other]
    assert demo.get(f"{members}/{other}").json["status"] == "accepted"
    assert stranger.delete(f"{members}/{other}").status_code == 403
    assert stranger.delete(f"{PATH}/{image_id}").status_code == 403
    assert demo.delete(f"{members}/{other}").status_code == 204
    assert demo.delete(f"{members}/{other}").status_code == 404
    assert stranger.get(f"{PATH}/{image_id}").status_code == 404


def test_a_member_sees_no_other_member(demo: Asking, stranger: Asking) -> None:
    image_id = register(demo)
    members = f"{PATH}/{image_id}/members"
    for member in (project(stranger), "somebody"):
        demo.post(members, {"member": member})
    assert [each["member_id"] for each in stranger.get(members).json["members"]] == [project(stranger)]
    assert stranger.get(f"{members}/somebody").status_code == 404
    assert len(demo.get(members).json["members"]) == 2


def test_only_a_shared_image_has_members(demo: Asking, stranger: Asking) -> None:
    image_id = register(demo, visibility="private")
    members = f"{PATH}/{image_id}/members"
    assert demo.post(members, {"member": project(stranger)}).status_code == 403
    assert demo.get(members).status_code == 403
    assert demo.post(members, {"member": ""}).status_code == demo.post(members, {}).status_code == 400


def test_an_image_that_is_made_private_is_its_members_no_more(demo: Asking, stranger: Asking) -> None:
    image_id = register(demo)
    demo.post(f"{PATH}/{image_id}/members", {"member": project(stranger)})
    patch(demo, image_id, change("replace", "/visibility", "private"))
    assert stranger.get(f"{PATH}/{image_id}").status_code == 404
    assert listed(stranger, "?member_status=all") == []


def test_a_community_image_is_anybodys_by_its_id_and_listed_where_asked_for(demo: Asking, stranger: Asking) -> None:
    image_id = register(demo, visibility="community")
    assert stranger.get(f"{PATH}/{image_id}").status_code == 200
    assert listed(stranger) == []
    assert listed(stranger, "?visibility=community") == listed(stranger, "?visibility=all") == [image_id]
    assert listed(demo) == [image_id]


def test_a_hidden_image_is_listed_where_asked_for(demo: Asking) -> None:
    image_id = register(demo, os_hidden=True)
    assert (listed(demo), listed(demo, "?os_hidden=true")) == ([], [image_id])


def test_lists_are_sorted_and_paged_by_any_key(demo: Asking) -> None:
    ids = [register(demo, name=name, min_ram=ram) for name, ram in (("b", 1), ("a", 1), ("c", 0))]
    by_name = [ids[1], ids[0], ids[2]]
    assert listed(demo, "?sort=name:asc") == listed(demo, "?sort_key=name&sort_dir=asc") == by_name
    assert listed(demo, "?sort=min_ram:desc,name:asc") == by_name
    assert listed(demo, f"?sort=name:asc&limit=2&marker={ids[1]}") == by_name[1:]


def test_an_admin_turns_an_image_off_and_on(demo: Asking, admin: Asking, private_image: str) -> None:
    actions = f"{PATH}/{private_image}/actions"
    assert demo.post(f"{actions}/deactivate").status_code == 403
    for _ in range(2):
        assert admin.post(f"{actions}/deactivate").status_code == 204
    assert demo.get(f"{PATH}/{private_image}").json["status"] == "deactivated"
    assert demo.get(f"{PATH}/{private_image}/file").status_code == 403
    assert demo.post(f"{actions}/reactivate").status_code == 403
    assert admin.post(f"{actions}/reactivate").status_code == 204
    assert demo.get(f"{PATH}/{private_image}").json["status"] == "active"
    assert admin.post(f"{PATH}/{register(demo)}/actions/deactivate").status_code == 403


def test_no_server_starts_from_an_image_without_a_file(demo: Asking) -> None:
    server = {"name": "web", "imageRef": register(demo), "flavorRef": "1"}
    answer = demo.post("/compute/v2.1/servers", {"server": server})
    assert (answer.status_code, "queued" in answer.json["badRequest"]["message"]) == (400, True)
