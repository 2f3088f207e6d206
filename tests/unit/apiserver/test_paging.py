import flask
import pytest

from apiserver import paging
from apiserver.urls import Urls
from common.errors import Invalid


def test_without_a_limit_a_page_is_as_long_as_pages_may_be() -> None:
    assert paging.parse({}, max_limit=1000) == paging.Page(1000, None)


def test_a_limit_above_the_greatest_is_the_greatest() -> None:
    assert paging.parse({"limit": "5000"}, max_limit=1000).limit == 1000


@pytest.mark.parametrize("limit", ["-1", "x", "1.5", "\x00", "9" * 500])
def test_a_limit_that_is_no_number_is_refused(limit: str) -> None:
    with pytest.raises(Invalid, match=r"^limit: "):
        paging.parse({"limit": limit}, max_limit=1000)


def test_a_full_page_links_to_the_next_and_keeps_the_filters(app: flask.Flask) -> None:
    with app.test_request_context("/compute/v2.1/servers?limit=2&name=a%20b&status=ACTIVE&status=ERROR&marker=old"):
        link = paging.next_link(Urls("http://cloud.example/"), paging.Page(2, "old"), ["id1", "id2"])
    assert link == ("http://cloud.example/compute/v2.1/servers?name=a+b&status=ACTIVE&status=ERROR&limit=2&marker=id2")


@pytest.mark.parametrize(("limit", "ids"), [(2, ["id1"]), (2, []), (0, [])])
def test_the_last_page_links_to_none(app: flask.Flask, limit: int, ids: list[str]) -> None:
    with app.test_request_context("/compute/v2.1/servers"):
        assert paging.next_link(Urls("http://cloud.example"), paging.Page(limit, None), ids) is None


def test_without_a_public_url_links_have_the_host_that_the_request_names(app: flask.Flask) -> None:
    with app.test_request_context("/x", base_url="http://10.0.0.7:8774"):
        assert Urls("").absolute("/compute") == "http://10.0.0.7:8774/compute"
