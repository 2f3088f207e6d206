import pytest

from tests.unit.apiserver.asking import Asking

URL = "http://cloud.example:8774/compute"


@pytest.mark.parametrize("path", ["/compute", "/compute/"])
def test_the_versions_are_listed_in_the_order_that_clients_expect(anyone: Asking, path: str) -> None:
    answer = anyone.get(path)
    assert answer.status_code == 200
    found = [(each["id"], each["status"], each.get("version")) for each in answer.json["versions"]]
    assert found == [("v2.0", "SUPPORTED", ""), ("v2.1", "CURRENT", "2.1"), ("v1.1", "DEPRECATED", None)]


@pytest.mark.parametrize(
    ("path", "name", "own"), [("v2.1", "v2.1", "v2.1"), ("v2", "v2.0", "v2"), ("v2.0", "v2.0", "v2"), ("v1.1",) * 3]
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_version_describes_itself(anyone: Asking, path: str, name: str, own: str, slash: str) -> None:
    answer = anyone.get(f"/compute/{path}{slash}")
    assert answer.status_code == 200
    version = answer.json["version"]
    assert version["id"] == name
    assert {"rel": "self", "href": f"{URL}/{own}/"} in version["links"]
    assert version["media-types"][0]["base"] == "application/json"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_path_without_a_version_is_answered_with_the_choices(anyone: Asking, method: str) -> None:
    answer = anyone.send(method, "/compute/servers/some")
    assert answer.status_code == 300
    assert [each["links"][0]["href"] for each in answer.json["choices"]] == [
        f"{URL}/v2/servers/some",
        f"{URL}/v2.1/servers/some",
        f"{URL}/v1.1/servers/some",
    ]


def test_a_path_that_a_version_does_not_have_is_no_choice(demo: Asking) -> None:
    assert demo.get("/compute/v2.1/nowhere").status_code == 404
    assert demo.put("/compute/v2.1/servers", {}).status_code == 405


@pytest.mark.parametrize("version", ["v1.1", "v2", "v2.0", "v2.1"])
def test_each_version_serves_with_and_without_the_project_id(demo: Asking, version: str) -> None:
    project = demo.get("/identity/v3/auth/projects").json["projects"][0]["id"]
    assert demo.get(f"/compute/{version}/servers").json == {"servers": []}
    assert demo.get(f"/compute/{version}/{project}/servers").json == {"servers": []}


def test_a_project_id_of_another_project_is_refused(demo: Asking) -> None:
    assert demo.get(f"/compute/v2.1/{'0' * 32}/servers").status_code == 403


def test_without_a_token_nothing_but_versions_is_answered(anyone: Asking) -> None:
    answer = anyone.get("/compute/v2.1/servers")
    assert (answer.status_code, answer.json["unauthorized"]["code"]) == (401, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


@pytest.mark.parametrize("path", ["/compute/v2.1", "/compute/v2.1/servers", "/compute/v2.1/servers/none"])
def test_every_answer_of_v2_1_names_its_microversion(demo: Asking, path: str) -> None:
    headers = demo.get(path).headers
    assert headers["OpenStack-API-Version"] == "compute 2.1"
    assert headers["X-OpenStack-Nova-API-Version"] == "2.1"
    assert "OpenStack-API-Version" in headers["Vary"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("compute 2.1", 200),
        ("compute latest", 200),
        ("volume 3.0", 200),
        ("volume 3.0, compute 2.1", 200),
        ("compute 2.96", 406),
        ("compute 2.0", 406),
        ("compute 3.1", 406),
        ("compute two", 400),
        ("compute 2.01", 400),
        ("compute", 400),
    ],
)
def test_only_the_one_microversion_is_spoken(demo: Asking, asked: str, status: int) -> None:
    answer = demo.get("/compute/v2.1/servers", openstack_api_version=asked)
    assert answer.status_code == status
    assert answer.headers["OpenStack-API-Version"] == "compute 2.1"


@pytest.mark.parametrize(("asked", "status"), [("2.1", 200), ("latest", 200), ("2.26", 406), ("x", 400)])
def test_the_older_header_counts_too(demo: Asking, asked: str, status: int) -> None:
    assert demo.get("/compute/v2.1/servers", x_openstack_nova_api_version=asked).status_code == status


@pytest.mark.parametrize("version", ["v2", "v1.1"])
def test_older_versions_know_no_microversions(demo: Asking, version: str) -> None:
    answer = demo.get(f"/compute/{version}/servers", openstack_api_version="compute 2.96")
    assert answer.status_code == 200
    assert "OpenStack-API-Version" not in answer.headers


def test_the_documentation_names_the_routes_and_their_faults(anyone: Asking) -> None:
    paths = anyone.get("/swagger.json").json["paths"]
    assert paths["/compute/{version}/servers"]["post"]["responses"].keys() >= {"202", "400", "403", "503"}
    assert paths["/image/v2/images"]["get"]["responses"].keys() >= {"200", "400"}
