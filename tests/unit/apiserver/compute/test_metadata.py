import pytest

from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import MakeServer


@pytest.fixture
def path(make: MakeServer) -> str:
    return f"/compute/v2.1/servers/{make(metadata={'a': '1', 'b': '2'})}/metadata"


def test_metadata_is_shown_whole_and_by_item(demo: Asking, path: str) -> None:
    assert demo.get(path).json == {"metadata": {"a": "1", "b": "2"}}
    assert demo.get(f"{path}/a").json == {"meta": {"a": "1"}}
    assert demo.get(f"{path}/c").status_code == 404


def test_posting_merges(demo: Asking, path: str) -> None:
    assert demo.post(path, {"metadata": {"b": "3", "ç": "4"}}).json == {"metadata": {"a": "1", "b": "3", "ç": "4"}}


def test_putting_replaces(demo: Asking, path: str) -> None:
    assert demo.put(path, {"metadata": {"c": "3"}}).json == {"metadata": {"c": "3"}}
    assert demo.get(path).json == {"metadata": {"c": "3"}}


def test_an_item_is_put_and_deleted(demo: Asking, path: str) -> None:
    assert demo.put(f"{path}/c", {"meta": {"c": "3"}}).json == {"meta": {"c": "3"}}
    answer = demo.delete(f"{path}/a")
    assert (answer.status_code, answer.data) == (204, b"")
    assert demo.get(path).json == {"metadata": {"b": "2", "c": "3"}}
    assert demo.delete(f"{path}/a").status_code == 404


@pytest.mark.parametrize("meta", [{}, {"other": "1"}, {"a": "1", "b": "2"}, {"a": 1}, None])
def test_an_item_has_to_be_the_one_in_the_path(demo: Asking, path: str, meta: object) -> None:
    assert demo.put(f"{path}/a", {"meta": meta}).status_code == 400


@pytest.mark.parametrize("metadata", [None, [], {"": "x"}, {"k" * 256: "x"}, {"k": "x" * 256}, {"k": {}}])
def test_metadata_that_can_not_be_meant_is_refused(demo: Asking, path: str, metadata: object) -> None:
    assert demo.post(path, {"metadata": metadata}).status_code == 400


def test_more_items_than_allowed_are_refused(demo: Asking, path: str) -> None:
    assert demo.post(path, {"metadata": {str(n): "x" for n in range(127)}}).status_code == 403
