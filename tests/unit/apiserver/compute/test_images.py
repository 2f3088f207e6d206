import pytest

from cloud import images
from cloud.context import Cloud
from tests.unit.apiserver.asking import Asking

PATH = "/compute/v2.1/images"


def names_of(asking: Asking, query: str = "") -> list[str]:
    answer = asking.get(f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    return [image["name"] for image in answer.json["images"]]


def test_an_image_is_shown_as_older_clients_know_it(demo: Asking, image: str) -> None:
    shown = demo.get(f"{PATH}/{image}").json["image"]
    assert [link["rel"] for link in shown.pop("links")] == ["self", "bookmark", "alternate"]
    assert shown == {
        "id": image,
        "name": "debian-12",
        "status": "ACTIVE",
        "progress": 100,
        "minDisk": 0,
        "minRam": 0,
        "created": "2026-01-31T12:00:00Z",
        "updated": "2026-01-31T12:00:00Z",
        "metadata": {"os": "debian", "id": "spoof"},
        "OS-EXT-IMG-SIZE:size": 1000,
    }


def test_metadata_is_shown_whole_and_by_item(demo: Asking, image: str) -> None:
    assert demo.get(f"{PATH}/{image}/metadata").json == {"metadata": {"os": "debian", "id": "spoof"}}
    assert demo.get(f"{PATH}/{image}/metadata/os").json == {"meta": {"os": "debian"}}
    assert demo.get(f"{PATH}/{image}/metadata/none").status_code == 404


def test_a_private_image_is_its_projects_own(demo: Asking, stranger: Asking, image: str, private_image: str) -> None:
    assert sorted(names_of(demo)) == ["debian-12", "mine"]
    assert names_of(stranger) == ["debian-12"]
    for path in ("", "/metadata", "/metadata/os"):
        assert stranger.get(f"{PATH}/{private_image}{path}").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("/detail", ["debian-12"]),
        ("?name=debian-12", ["debian-12"]),
        ("?name=debian", []),
        ("?status=ACTIVE", ["debian-12"]),
        ("?status=saving", []),
        ("?status=999", []),
        ("?type=snapshot", []),
        ("?type=BASE", ["debian-12"]),
        ("?server=any", []),
        ("?changes-since=2026-01-31T12:00:00Z", ["debian-12"]),
        ("?changes-since=2026-01-31T12:00:01Z", []),
        ("?limit=0", []),
        ("?minRam=1", []),
        ("?minDisk=0", ["debian-12"]),
        ("?status=error", []),
    ],
)
def test_a_filter_finds_what_it_says(demo: Asking, image: str, query: str, found: list[str]) -> None:
    assert names_of(demo, query) == found


def test_a_deleted_image_is_found_among_what_changed(demo: Asking, image: str, cloud: Cloud) -> None:
    images.remove(cloud, image)
    assert demo.get(f"{PATH}/{image}").status_code == 404
    assert names_of(demo) == []
    (found,) = demo.get(f"{PATH}/detail?changes-since=2026-01-31T00:00:00Z").json["images"]
    assert (found["status"], found["progress"]) == ("DELETED", 0)


@pytest.mark.parametrize("query", ["limit=-1", "marker=none", "changes-since=x", "minRam=x"])
def test_a_query_that_can_not_be_meant_or_served_is_refused(demo: Asking, query: str) -> None:
    assert demo.get(f"{PATH}?{query}").status_code == 400


def test_an_owner_changes_metadata_and_deletes_the_image_and_nobody_else_does(
    demo: Asking, stranger: Asking, admin: Asking, image: str, private_image: str
) -> None:
    path = f"{PATH}/{private_image}"
    assert demo.post(f"{path}/metadata", {"metadata": {"a": "1", "b": "2"}}).json["metadata"].items() >= {("a", "1")}
    assert demo.put(f"{path}/metadata", {"metadata": {"b": "3"}}).json == {"metadata": {"b": "3"}}
    assert demo.put(f"{path}/metadata/c", {"meta": {"c": "4"}}).json == {"meta": {"c": "4"}}
    assert demo.delete(f"{path}/metadata/b").status_code == 204
    assert demo.delete(f"{path}/metadata/b").status_code == 404
    assert demo.get(f"{path}/metadata").json == {"metadata": {"c": "4"}}
    assert demo.put(f"{path}/metadata/c", {"meta": {"other": "4"}}).status_code == 400
    for method, suffix in (("DELETE", ""), ("DELETE", "/metadata/c"), ("PUT", "/metadata")):
        assert stranger.send(method, path + suffix, json={"metadata": {}}).status_code == 404
        assert demo.send(method, f"{PATH}/{image}{suffix}", json={"metadata": {}}).status_code == 403
    assert demo.delete(path).status_code == 204
    assert demo.get(path).status_code == 404
    assert admin.delete(f"{PATH}/{image}").status_code == 204
