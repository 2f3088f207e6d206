import pytest

from tests.unit.apiserver.asking import Asking


@pytest.mark.parametrize("path", ["/identity", "/identity/", "/"])
def test_the_list_of_versions_needs_no_token_and_says_300(anyone: Asking, path: str) -> None:
    answer = anyone.get(path)
    assert answer.status_code == 300
    assert [version["id"] for version in answer.json["versions"]["values"]] == ["v3.14", "v2.0"]


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/identity/v3", "http://cloud.example:8774/identity/v3/"),
        ("/identity/v3/", "http://cloud.example:8774/identity/v3/"),
        ("/v3", "http://cloud.example:8774/v3/"),
        ("/identity/v2.0", "http://cloud.example:8774/identity/v2.0/"),
        ("/v2.0/", "http://cloud.example:8774/v2.0/"),
    ],
)
def test_a_version_links_to_itself_where_it_was_asked_for(anyone: Asking, path: str, url: str) -> None:
    version = anyone.get(path).json["version"]
    assert version["links"] == [{"rel": "self", "href": url}]


def test_the_version_that_clients_want_is_stable(anyone: Asking) -> None:
    assert anyone.get("/identity/v3").json["version"]["status"] == "stable"
