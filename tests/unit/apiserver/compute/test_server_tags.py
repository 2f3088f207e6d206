import pytest

from cloud.context import Cloud
from db import tags
from db.instances import State
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, MakeServer

PATH = "/compute/v2.1/servers"


def tag(who: Asking, server: str, *given: str) -> None:
    answer = who.put(f"{PATH}/{server}/tags", {"tags": list(given)})
    assert answer.status_code == 200, answer.text


def test_tags_are_replaced_as_a_whole_and_each_counts_once(demo: Asking, active: str) -> None:
    assert demo.get(f"{PATH}/{active}/tags").json == {"tags": []}
    answer = demo.put(f"{PATH}/{active}/tags", {"tags": ["web", "blue", "web"]})
    assert (answer.status_code, answer.json) == (200, {"tags": ["blue", "web"]})
    assert demo.put(f"{PATH}/{active}/tags", {"tags": ["web", "grün"]}).json == {"tags": ["grün", "web"]}
    assert demo.get(f"{PATH}/{active}/tags").json == {"tags": ["grün", "web"]}


def test_all_tags_are_removed_at_once(demo: Asking, active: str) -> None:
    tag(demo, active, "web", "blue")
    answer = demo.delete(f"{PATH}/{active}/tags")
    assert (answer.status_code, answer.data) == (204, b"")
    assert demo.get(f"{PATH}/{active}/tags").json == {"tags": []}


def test_a_tag_is_added_once_found_and_removed_once(demo: Asking, active: str) -> None:
    one = f"{PATH}/{active}/tags/a%20b"
    assert demo.get(one).status_code == 404
    answer = demo.put(one)
    assert (answer.status_code, answer.data) == (201, b"")
    assert answer.headers["Location"] == f"http://cloud.example:8774{one}"
    assert demo.put(one).status_code == 204
    assert (demo.get(one).status_code, demo.get(one).data) == (204, b"")
    assert demo.delete(one).status_code == 204
    assert demo.delete(one).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tags": None},
        {"tags": "web"},
        {"tags": [1]},
        {"tags": [""]},
        {"tags": ["a,b"]},
        {"tags": ["a/b"]},
        {"tags": ["x" * 61]},
        {"tags": ["a\u0000b"]},
        {"tags": [str(number) for number in range(51)]},
        {"tags": [], "more": 1},
    ],
)
def test_tags_that_can_not_be_are_refused(demo: Asking, active: str, body: object) -> None:
    answer = demo.put(f"{PATH}/{active}/tags", body)
    assert answer.status_code == 400
    assert "tags" in answer.json["badRequest"]["message"] or "more" in answer.json["badRequest"]["message"]


@pytest.mark.parametrize("name", ["a,b", "x" * 61])
def test_a_single_tag_that_can_not_be_is_refused(demo: Asking, active: str, name: str) -> None:
    assert demo.put(f"{PATH}/{active}/tags/{name}").status_code == 400


def test_the_fiftieth_tag_is_the_last(demo: Asking, active: str) -> None:
    tag(demo, active, *(str(number) for number in range(50)))
    assert demo.put(f"{PATH}/{active}/tags/0").status_code == 204
    assert demo.put(f"{PATH}/{active}/tags/more").status_code == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tags=red", {"apple", "cherry"}),
        ("tags=red,round", {"cherry"}),
        ("tags-any=red,long", {"apple", "cherry", "banana"}),
        ("not-tags=red,round", {"apple", "banana", "plain"}),
        ("not-tags-any=red,long", {"plain"}),
        ("tags=red&not-tags-any=round", {"apple"}),
        ("tags=Red", set()),
        ("tags=", {"apple", "cherry", "banana", "plain"}),
    ],
)
def test_lists_are_filtered_by_tags(demo: Asking, admin: Asking, make: MakeServer, query: str, found: set[str]) -> None:
    for name, given in {"apple": ["red"], "cherry": ["red", "round"], "banana": ["long"], "plain": []}.items():
        tag(demo, make(name), *given)
    for path, who in ((PATH, demo), (f"{PATH}/detail", demo)):
        assert {server["name"] for server in who.get(f"{path}?{query}").json["servers"]} == found
    listed = admin.get(f"{PATH}?all_tenants=1&{query}").json["servers"]
    assert {server["name"] for server in listed} == found


@pytest.mark.parametrize("query", ["tags=" + "x" * 61, "tags-any=a%00b", "not-tags=" + ",".join(map(str, range(51)))])
def test_a_filter_that_no_tag_can_meet_is_refused(demo: Asking, query: str) -> None:
    assert demo.get(f"{PATH}?{query}").status_code == 400


def test_tags_are_no_part_of_the_server_as_this_version_has_it(demo: Asking, active: str) -> None:
    tag(demo, active, "web")
    assert "tags" not in demo.get(f"{PATH}/{active}").json["server"]


def test_a_newer_version_is_refused_here_as_everywhere(demo: Asking, active: str) -> None:
    answer = demo.get(f"{PATH}/{active}/tags", openstack_api_version="compute 2.26")
    assert answer.status_code == 406


def test_other_projects_see_none_and_readers_change_none(demo: Asking, stranger: Asking, active: str) -> None:
    tag(demo, active, "web")
    for method, path in (("GET", ""), ("PUT", "/web"), ("GET", "/web"), ("DELETE", "/web"), ("DELETE", "")):
        assert stranger.send(method, f"{PATH}/{active}/tags{path}").status_code == 404
    reader = demo.as_user("watcher")
    assert reader.get(f"{PATH}/{active}/tags").json == {"tags": ["web"]}
    assert reader.delete(f"{PATH}/{active}/tags").status_code == 403


def test_a_deleted_server_leaves_no_tags(demo: Asking, cloud: Cloud, active: str, become: Become) -> None:
    tag(demo, active, "web")
    become(active, State.ERROR, present=False)
    demo.delete(f"{PATH}/{active}")
    with cloud.sessions.read() as db:
        assert tags.of_instance(db, active) == []
    assert demo.get(f"{PATH}/{active}/tags").status_code == 404
