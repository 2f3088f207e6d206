import pytest

from cloud.context import Cloud
from db import flavors
from tests.unit.apiserver.asking import Asking

PATH = "/compute/v2.1/flavors"


def ids(asking: Asking, query: str = "") -> list[str]:
    answer = asking.get(f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    return [flavor["id"] for flavor in answer.json["flavors"]]


def test_a_flavor_is_shown_with_all_that_clients_insist_on(demo: Asking) -> None:
    flavor = demo.get(f"{PATH}/2").json["flavor"]
    assert [link["rel"] for link in flavor.pop("links")] == ["self", "bookmark"]
    assert flavor == {
        "id": "2",
        "name": "m1.small",
        "vcpus": 2,
        "ram": 2048,
        "disk": 20,
        "swap": "",
        "rxtx_factor": 1.0,
        "OS-FLV-DISABLED:disabled": False,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "os-flavor-access:is_public": True,
    }


@pytest.mark.parametrize("flavor", ["m1.small", "none", "9"])
def test_a_name_an_unknown_id_and_a_hidden_flavor_are_not_found(demo: Asking, flavor: str) -> None:
    assert demo.get(f"{PATH}/{flavor}").status_code == 404
    assert demo.get(f"{PATH}/{flavor}/os-extra_specs").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["1", "2"]),
        ("/detail", ["1", "2"]),
        ("?minRam=1024", ["2"]),
        ("?minDisk=21", []),
        ("?limit=1", ["1"]),
        ("?marker=1", ["2"]),
        ("?is_public=None", ["1", "2"]),
        ("?is_public=false", ["1", "2"]),
        ("?sort_key=flavorid&sort_dir=asc", ["1", "2"]),
    ],
)
def test_a_tenants_list_has_public_flavors(demo: Asking, cloud: Cloud, query: str, found: list[str]) -> None:
    assert ids(demo, query) == found


@pytest.mark.parametrize(
    ("query", "found"), [("", ["1", "2"]), ("?is_public=None", ["1", "2", "9"]), ("?is_public=false", ["9"])]
)
def test_an_admins_list_has_others_on_demand(admin: Asking, cloud: Cloud, query: str, found: list[str]) -> None:
    assert ids(admin, query) == found


def test_a_full_page_links_to_the_next(demo: Asking) -> None:
    (link,) = demo.get(f"{PATH}/detail?limit=1&minRam=1").json["flavors_links"]
    assert link == {"rel": "next", "href": f"http://cloud.example:8774{PATH}/detail?minRam=1&limit=1&marker=1"}


@pytest.mark.parametrize("query", ["limit=x", "marker=none", "minRam=x", "minDisk=-1", "is_public=who", "sort_key=ram"])
def test_a_query_that_can_not_be_meant_is_refused(demo: Asking, query: str) -> None:
    assert demo.get(f"{PATH}?{query}").status_code == 400


def test_extra_specs_are_shown_whole_and_by_key(demo: Asking, cloud: Cloud) -> None:
    with cloud.sessions.begin() as db:
        flavor = flavors.get(db, "1")
        assert flavor is not None
        flavor.extra_specs = {"a": "b"}
    assert demo.get(f"{PATH}/1/os-extra_specs").json == {"extra_specs": {"a": "b"}}
    assert demo.get(f"{PATH}/1/os-extra_specs/a").json == {"a": "b"}
    assert demo.get(f"{PATH}/1/os-extra_specs/c").status_code == 404


NEW = {"name": "m1.new", "vcpus": 1, "ram": 64, "disk": 1}


def make(admin: Asking, **changes: object) -> str:
    answer = admin.post(PATH, {"flavor": {**NEW, **changes}})
    assert answer.status_code == 200, answer.text
    made: str = answer.json["flavor"]["id"]
    return made


@pytest.mark.parametrize("wanted", [{}, {"id": None}, {"id": "auto"}])
def test_an_admin_makes_a_flavor_and_an_id_is_made_for_it(admin: Asking, cloud: Cloud, wanted: dict[str, None]) -> None:
    made = make(admin, **wanted)
    assert len(made) == 36
    assert admin.get(f"{PATH}/{made}").json["flavor"]["name"] == "m1.new"


def test_a_flavor_is_made_as_it_is_asked_for(admin: Asking, demo: Asking, cloud: Cloud) -> None:
    made = make(
        admin,
        id=1234,
        swap=512,
        rxtx_factor="2.5",
        ram="128",
        **{"OS-FLV-EXT-DATA:ephemeral": 0, "os-flavor-access:is_public": "True"},
    )
    flavor = demo.get(f"{PATH}/{made}").json["flavor"]
    assert (flavor["id"], flavor["swap"], flavor["rxtx_factor"], flavor["ram"]) == ("1234", 512, 2.5, 128)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 256},
        {"id": " 1"},
        {"id": "a/b"},
        {"id": ""},
        {"ram": 0},
        {"ram": "x"},
        {"vcpus": 0},
        {"disk": -1},
        {"disk": 2**31},
        {"swap": -1},
        {"OS-FLV-EXT-DATA:ephemeral": 1},
        {"rxtx_factor": 0},
        {"rxtx_factor": "nan"},
        {"rxtx_factor": 10**400},
        {"rxtx_factor": True},
        {"os-flavor-access:is_public": "who"},
    ],
)
def test_a_flavor_that_can_not_be_is_refused(admin: Asking, wrong: dict[str, object]) -> None:
    assert admin.post(PATH, {"flavor": {**NEW, **wrong}}).status_code == 400


@pytest.mark.parametrize("taken", [{"name": "m1.tiny"}, {"id": "1"}])
def test_a_name_or_an_id_that_is_taken_is_a_conflict(admin: Asking, cloud: Cloud, taken: dict[str, str]) -> None:
    assert admin.post(PATH, {"flavor": {**NEW, **taken}}).status_code == 409


def test_a_removed_flavor_is_gone_and_its_id_and_name_are_free(admin: Asking, cloud: Cloud) -> None:
    admin.post(f"{PATH}/1/os-extra_specs", {"extra_specs": {"a": "b"}})
    assert admin.delete(f"{PATH}/1").status_code == 202
    assert admin.get(f"{PATH}/1").status_code == 404
    assert admin.delete(f"{PATH}/1").status_code == 404
    assert make(admin, id="1", name="m1.tiny", ram=77) == "1"
    assert admin.get(f"{PATH}/1").json["flavor"]["ram"] == 77
    assert admin.get(f"{PATH}/1/os-extra_specs").json == {"extra_specs": {}}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", PATH, {"flavor": NEW}),
        ("DELETE", f"{PATH}/1", None),
        ("POST", f"{PATH}/9/action", {"addTenantAccess": {"tenant": "x"}}),
        ("GET", f"{PATH}/9/os-flavor-access", None),
        ("POST", f"{PATH}/1/os-extra_specs", {"extra_specs": {"a": "b"}}),
        ("PUT", f"{PATH}/1/os-extra_specs/a", {"a": "b"}),
        ("DELETE", f"{PATH}/1/os-extra_specs/a", None),
    ],
)
def test_a_tenant_changes_no_flavor(demo: Asking, cloud: Cloud, method: str, path: str, body: object) -> None:
    assert demo.send(method, path, json=body).status_code == 403


def test_extra_specs_are_set_changed_and_unset(admin: Asking, demo: Asking, cloud: Cloud) -> None:
    specs = f"{PATH}/1/os-extra_specs"
    assert admin.post(specs, {"extra_specs": {"a": "b", "hw:n": 1}}).json == {"extra_specs": {"a": "b", "hw:n": "1"}}
    assert admin.put(f"{specs}/a", {"a": "c"}).json == {"a": "c"}
    assert demo.get(specs).json == {"extra_specs": {"a": "c", "hw:n": "1"}}
    assert admin.delete(f"{specs}/a").status_code == 200
    assert admin.delete(f"{specs}/a").status_code == 404
    assert demo.get(f"{specs}/a").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {"extra_specs": {"a/b": "c"}}),
        ("POST", "", {"extra_specs": {"a": ["b"]}}),
        ("POST", "", {"extra_specs": {"": "b"}}),
        ("POST", "", {}),
        ("PUT", "/a", {"b": "c"}),
        ("PUT", "/a", {"a": "b", "b": "c"}),
    ],
)
def test_extra_specs_that_can_not_be_are_refused(
    admin: Asking, cloud: Cloud, method: str, path: str, body: object
) -> None:
    assert admin.send(method, f"{PATH}/1/os-extra_specs{path}", json=body).status_code == 400


def project_of(asking: Asking) -> str:
    token = asking.get("/identity/v3/auth/tokens", x_subject_token=str(asking.token)).json["token"]
    found: str = token["project"]["id"]
    return found


def test_a_hidden_flavor_is_open_to_the_projects_on_its_list(
    admin: Asking, demo: Asking, stranger: Asking, cloud: Cloud
) -> None:
    tenant = {"tenant": project_of(demo)}
    listed = {"flavor_access": [{"flavor_id": "9", "tenant_id": tenant["tenant"]}]}
    assert admin.post(f"{PATH}/9/action", {"addTenantAccess": tenant}).json == listed
    assert admin.get(f"{PATH}/9/os-flavor-access").json == listed
    assert demo.get(f"{PATH}/9").status_code == 200
    assert ids(demo) == ["1", "2", "9"]
    assert stranger.get(f"{PATH}/9").status_code == 404
    assert ids(stranger) == ["1", "2"]
    assert admin.post(f"{PATH}/9/action", {"addTenantAccess": tenant}).status_code == 409
    assert admin.post(f"{PATH}/9/action", {"removeTenantAccess": tenant}).json == {"flavor_access": []}
    assert admin.post(f"{PATH}/9/action", {"removeTenantAccess": tenant}).status_code == 404
    assert demo.get(f"{PATH}/9").status_code == 404


def test_a_public_flavor_has_no_list_of_projects(admin: Asking, demo: Asking, cloud: Cloud) -> None:
    assert admin.get(f"{PATH}/1/os-flavor-access").status_code == 404
    tenant = {"tenant": project_of(demo)}
    assert admin.post(f"{PATH}/1/action", {"addTenantAccess": tenant}).status_code == 409
    assert admin.post(f"{PATH}/1/action", {"removeTenantAccess": tenant}).status_code == 409


@pytest.mark.parametrize(
    "body", [{}, {"addTenantAccess": {"tenant": "nobody"}}, {"other": {}}, {"addTenantAccess": {}}]
)
def test_an_action_that_can_not_be_meant_is_refused(admin: Asking, cloud: Cloud, body: object) -> None:
    assert admin.post(f"{PATH}/9/action", body).status_code == 400


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("sort_key=memory_mb&sort_dir=desc", ["3", "2", "9", "1"]),
        ("sort_key=memory_mb", ["1", "9", "2", "3"]),
        ("sort_key=name&sort_dir=desc", ["1", "2", "9", "3"]),
        ("sort_key=is_public&sort_key=memory_mb&sort_dir=asc&sort_dir=desc", ["9", "3", "2", "1"]),
        ("sort_key=flavorid&sort_dir=desc", ["9", "3", "2", "1"]),
        ("sort_key=rxtx_factor&sort_dir=desc", ["3", "9", "2", "1"]),
    ],
)
def test_any_order_pages_through_every_flavor_once(admin: Asking, cloud: Cloud, order: str, found: list[str]) -> None:
    make(admin, id="3", name="a", ram=4096, rxtx_factor=9)
    query = f"?is_public=None&limit=1&{order}"
    seen: list[str] = []
    while page := ids(admin, query + (f"&marker={seen[-1]}" if seen else "")):
        seen += page
    assert seen == found


@pytest.mark.parametrize("order", ["sort_key=ram", "sort_dir=up", "sort_key=name&sort_dir=asc&sort_dir=asc"])
def test_an_order_that_lists_have_not_is_refused(demo: Asking, order: str) -> None:
    assert demo.get(f"{PATH}?{order}").status_code == 400
