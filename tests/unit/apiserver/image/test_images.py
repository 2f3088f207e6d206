import pytest

from cloud import images
from cloud.context import Cloud
from tests.unit.apiserver.asking import Asking

PATH = "/image/v2/images"


def names_of(asking: Asking, query: str = "") -> list[str]:
    answer = asking.get(f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    return sorted(image["name"] for image in answer.json["images"])


@pytest.mark.parametrize(
    ("path", "status"), [("/image", 300), ("/image/", 300), ("/image/v2", 300), ("/image/versions", 200)]
)
def test_the_versions_are_listed_for_anybody(anyone: Asking, path: str, status: int) -> None:
    answer = anyone.get(path)
    assert answer.status_code == status
    assert [(each["id"], each["status"]) for each in answer.json["versions"]] == [
        ("v2.9", "CURRENT"),
        ("v2.0", "SUPPORTED"),
    ]
    assert answer.json["versions"][0]["links"] == [{"rel": "self", "href": "http://cloud.example:8774/image/v2/"}]


def test_an_image_is_shown_and_its_properties_take_nobodys_place(demo: Asking, image: str) -> None:
    shown = demo.get(f"{PATH}/{image}").json
    assert (shown["id"], shown["name"], shown["os"]) == (image, "debian-12", "debian")
    assert (shown["status"], shown["visibility"], shown["disk_format"]) == ("active", "public", "raw")
    assert shown["created_at"] == "2026-01-31T12:00:00Z"
    assert shown["file"] == f"/v2/images/{image}/file"
    assert demo.get(PATH).json["images"] == [shown]


def test_an_image_has_one_task_that_brings_in_its_file(demo: Asking, stranger: Asking, private_image: str) -> None:
    (task,) = demo.get(f"{PATH}/{private_image}/tasks").json["tasks"]
    assert (task["image_id"], task["type"], task["status"]) == (private_image, "import", "success")
    assert stranger.get(f"{PATH}/{private_image}/tasks").status_code == 404
    new = demo.post(PATH, {"name": "new", "container_format": "bare", "disk_format": "raw"}).json["id"]
    assert demo.get(f"{PATH}/{new}/tasks").json == {"tasks": []}


def test_a_private_image_is_its_projects_own(demo: Asking, stranger: Asking, admin: Asking, private_image: str) -> None:
    assert demo.get(f"{PATH}/{private_image}").status_code == 200
    assert admin.get(f"{PATH}/{private_image}").status_code == 200
    assert stranger.get(f"{PATH}/{private_image}").status_code == 404
    assert names_of(stranger) == []


@pytest.mark.parametrize("path", ["/none", "/"])
def test_an_unknown_or_empty_id_is_not_found(demo: Asking, path: str) -> None:
    answer = demo.get(f"{PATH}{path}")
    assert (answer.status_code, answer.json["code"]) == (404, 404)


def test_a_deleted_image_is_gone(demo: Asking, image: str, cloud: Cloud) -> None:
    images.remove(cloud, image)
    assert demo.get(f"{PATH}/{image}").status_code == 404
    assert names_of(demo) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?name=mine", ["mine"]),
        ("?status=active", ["debian-12", "mine"]),
        ("?status=queued", []),
        ("?status=999", []),
        ("?visibility=public", ["debian-12"]),
        ("?visibility=private", ["mine"]),
        ("?visibility=shared", []),
        ("?visibility=all", ["debian-12", "mine"]),
        ("?os_hidden=true", []),
        ("?os_hidden=False", ["debian-12", "mine"]),
        ("?id=none", []),
        ("?limit=0", []),
        ("?sort=created_at:desc", ["debian-12", "mine"]),
        ("?disk_format=raw", ["debian-12", "mine"]),
        ("?disk_format=vmdk", []),
        ("?disk_format=odd", []),
        ("?container_format=ovf", []),
        ("?size_min=1001", []),
        ("?size_max=1000", ["debian-12", "mine"]),
        ("?protected=true", []),
        ("?tag=none", []),
        ("?min_ram=1", []),
        ("?owner=nobody", []),
    ],
)
def test_a_filter_finds_what_it_says(
    demo: Asking, image: str, private_image: str, query: str, found: list[str]
) -> None:
    assert names_of(demo, query) == found


def test_ids_are_found_one_by_one_and_together(demo: Asking, image: str, private_image: str) -> None:
    assert names_of(demo, f"?id={image}") == ["debian-12"]
    assert names_of(demo, f"?id=in:{image},{private_image}") == ["debian-12", "mine"]


def test_pages_are_chained_by_paths_below_the_service(demo: Asking, image: str, private_image: str) -> None:
    first = demo.get(f"{PATH}?limit=1&status=active").json
    assert first["first"] == "/v2/images?limit=1&status=active"
    second = demo.get(f"/image{first['next']}").json
    assert {first["images"][0]["id"], second["images"][0]["id"]} == {image, private_image}
    assert demo.get(f"/image{second['next']}").json["images"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "marker=none",
        "created_at=gt:2026-01-01",
        "size_min=x",
        "member_status=maybe",
        "protected=maybe",
        "sort=color:asc",
        "sort=name:up",
        "sort=name:asc&sort_key=name",
        "sort_key=name&sort_dir=asc&sort_dir=desc",
    ],
)
def test_a_query_that_can_not_be_meant_or_served_is_refused(demo: Asking, query: str) -> None:
    assert demo.get(f"{PATH}?{query}").status_code == 400


@pytest.mark.parametrize("name", ["image", "images"])
def test_the_schemas_name_every_member(demo: Asking, image: str, name: str) -> None:
    schema = demo.get(f"/image/v2/schemas/{name}").json
    document = demo.get(f"{PATH}/{image}" if name == "image" else PATH).json
    assert set(document) - set(schema["properties"]) <= {"os"}


def test_there_is_no_other_schema(demo: Asking) -> None:
    assert demo.get("/image/v2/schemas/none").status_code == 404


def test_without_a_token_no_image_is_shown(anyone: Asking) -> None:
    assert anyone.get(PATH).status_code == 401
