from collections.abc import Callable

import pytest

from cloud import nodes
from cloud.context import Cloud
from db import jobs
from tests.unit.apiserver.asking import Asking

PATH = "/compute/v2.1/os-server-groups"
SERVERS = "/compute/v2.1/servers"

MakeGroup = Callable[[str], str]
Place = Callable[..., list[str | None]]


@pytest.fixture
def group(demo: Asking) -> MakeGroup:
    def make(policy: str) -> str:
        answer = demo.post(PATH, {"server_group": {"name": "g", "policies": [policy]}})
        assert answer.status_code == 200, answer.text
        return str(answer.json["server_group"]["id"])

    return make


@pytest.fixture
def place(demo: Asking, image: str, cloud: Cloud) -> Place:
    """Create servers with hints, on three nodes of which the first is the emptiest; gives the nodes they go to."""
    free = {"dtotal": 10**6, "dfree": 10**6, "mtotal": 8192, "ctotal": 4}
    with cloud.sessions.begin() as db:
        nodes.keep(db, 1, [{"name": f"node{n}", **free, "mfree": 4096 - n} for n in (1, 2, 3)])

    def create(count: int = 1, *, status: int = 202, **hints: object) -> list[str | None]:
        server = {"name": "web", "imageRef": image, "flavorRef": "1", "min_count": count}
        answer = demo.post(SERVERS, {"server": server, "os:scheduler_hints": hints})
        assert answer.status_code == status, answer.text
        if status != 202:
            return []
        with cloud.sessions.read() as db:
            return [job.spec.get("node") for job in reversed(jobs.page(db, limit=count))]

    return create


def only_server(demo: Asking) -> str:
    (server,) = demo.get(SERVERS).json["servers"]
    found: str = server["id"]
    return found


@pytest.mark.parametrize("policy", ["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"])
def test_a_group_is_made_listed_shown_and_deleted(demo: Asking, cloud: Cloud, group: MakeGroup, policy: str) -> None:
    made = group(policy)
    document = {"id": made, "name": "g", "policies": [policy], "members": [], "metadata": {}}
    assert demo.get(f"{PATH}/{made}").json == {"server_group": document}
    assert demo.get(PATH).json == {"server_groups": [document]}
    assert demo.delete(f"{PATH}/{made}").status_code == 204
    assert demo.get(f"{PATH}/{made}").status_code == 404
    assert demo.delete(f"{PATH}/{made}").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "g"},
        {"name": "", "policies": ["affinity"]},
        {"name": " g", "policies": ["affinity"]},
        {"name": "g", "policies": []},
        {"name": "g", "policies": ["legacy"]},
        {"name": "g", "policies": ["affinity", "anti-affinity"]},
        {"name": "g", "policies": ["affinity"], "rules": {}},
        {"name": "g", "policies": "affinity"},
    ],
)
def test_a_group_that_can_not_be_is_refused(demo: Asking, wrong: object) -> None:
    assert demo.post(PATH, {"server_group": wrong}).status_code == 400


def test_groups_are_the_projects_own(demo: Asking, stranger: Asking, admin: Asking, group: MakeGroup) -> None:
    made = group("affinity")
    assert stranger.get(f"{PATH}/{made}").status_code == 404
    assert stranger.delete(f"{PATH}/{made}").status_code == 404
    assert stranger.get(PATH).json == {"server_groups": []}
    assert stranger.get(f"{PATH}?all_projects=1").status_code == 403
    assert admin.get(PATH).json == {"server_groups": []}
    assert [row["id"] for row in admin.get(f"{PATH}?all_projects=1").json["server_groups"]] == [made]


def test_groups_are_listed_by_limit_and_offset(demo: Asking, group: MakeGroup) -> None:
    first, second = sorted([group("affinity"), group("affinity")])
    assert [row["id"] for row in demo.get(f"{PATH}?limit=1").json["server_groups"]] == [first]
    assert [row["id"] for row in demo.get(f"{PATH}?offset=1").json["server_groups"]] == [second]


def test_servers_of_an_anti_affinity_group_go_to_different_nodes(demo: Asking, group: MakeGroup, place: Place) -> None:
    made = group("anti-affinity")
    assert place(2, group=made) == ["node1", "node2"]
    assert place(group=made) == ["node3"]
    assert place(group=made, status=503) == []
    assert len(demo.get(f"{PATH}/{made}").json["server_group"]["members"]) == 3


def test_servers_of_an_affinity_group_share_a_node_while_it_has_room(group: MakeGroup, place: Place) -> None:
    made = group("affinity")
    assert place(2, group=made) == ["node1", "node1"]
    assert place(group=made) == ["node1"]


def test_a_soft_policy_is_kept_as_far_as_it_goes(group: MakeGroup, place: Place) -> None:
    apart = group("soft-anti-affinity")
    assert place(4, group=apart) == ["node1", "node2", "node3", "node1"]
    together = group("soft-affinity")
    assert place(2, group=together) == ["node1", "node1"]


def test_servers_go_near_and_far_from_others(demo: Asking, place: Place, group: MakeGroup) -> None:
    place(group=group("affinity"))
    first = only_server(demo)
    assert place(same_host=first) == ["node1"]
    assert place(different_host=[first]) == ["node2"]
    assert place(same_host=[first], different_host=[first], status=503) == []


def test_a_server_whose_node_nobody_knows_yet_can_not_be_followed(demo: Asking, place: Place) -> None:
    assert place() == [None]
    place(same_host=only_server(demo), status=409)


def test_a_deleted_server_leaves_its_group(demo: Asking, place: Place, group: MakeGroup) -> None:
    made = group("anti-affinity")
    place(group=made)
    assert demo.delete(f"{SERVERS}/{only_server(demo)}").status_code == 204
    assert demo.get(f"{PATH}/{made}").json["server_group"]["members"] == []
    assert place(group=made) == ["node1"]


@pytest.mark.parametrize(
    "hints",
    [{"group": "none"}, {"same_host": "none"}, {"different_host": ["none"]}, {"same_host": 1}, {"query": "[]"}],
)
def test_hints_that_can_not_be_kept_are_refused(place: Place, hints: dict[str, object]) -> None:
    place(status=400, **hints)


def test_hints_that_nobody_knows_count_for_nothing(place: Place) -> None:
    assert place(reservation="x") == [None]


def test_another_projects_group_and_server_are_as_good_as_none(
    demo: Asking, stranger: Asking, group: MakeGroup, image: str, cloud: Cloud
) -> None:
    made = group("affinity")
    server = {"name": "web", "imageRef": image, "flavorRef": "1"}
    theirs = stranger.post(SERVERS, {"server": server, "os:scheduler_hints": {"group": made}})
    nobodys = stranger.post(SERVERS, {"server": server, "os:scheduler_hints": {"group": made[:-1] + "x"}})
    assert (theirs.status_code, nobodys.status_code) == (400, 400)
