"""Links that show a console and no more: made, listed, revoked, and gone in time."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from db.instances import State
from tests.support.consoles import FakeProxy
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, MakeServer
from tests.unit.apiserver.compute.remote_consoles.page import (
    LINKS,
    PATH,
    REVOKE,
    SESSIONS,
    STATUS,
    refusal,
    token_of,
    trade,
)
from tests.unit.apiserver.conftest import Clock


def test_a_link_only_shows_and_as_often_as_one_likes(anyone: Asking, token: str, proxy: FakeProxy) -> None:
    resume = trade(anyone, token)["resume"]
    answer = anyone.post(LINKS, {"resume": resume, "seconds": 3600})
    assert answer.status_code == 201
    link = answer.json["link"]
    assert link["expires_at"] == "2026-01-31T13:00:00Z"
    text = token_of(link["url"])
    for _ in range(2):
        session = trade(anyone, text)
        assert (session["view_only"], session["resume"], session["expires_at"]) == (True, text, link["expires_at"])
        asked = proxy.asked[-1]
        assert (asked.view_only, asked.take_over, asked.user) == (True, False, f"link:{link['id']}")
    assert anyone.post(STATUS, {"resume": text}).status_code == 200
    for path, body in ((LINKS, {"seconds": 60}), (REVOKE, {"id": link["id"]})):
        assert "only watches" in refusal(anyone, path, {"resume": text, **body}, 403)


def test_a_link_ends_when_it_is_revoked_or_expires(anyone: Asking, token: str, clock: Clock) -> None:
    resume = trade(anyone, token)["resume"]
    one, other = (anyone.post(LINKS, {"resume": resume, "seconds": 60}).json["link"] for _ in range(2))
    assert anyone.post(REVOKE, {"resume": resume, "id": one["id"]}).status_code == 204
    assert "revoked" in refusal(anyone, SESSIONS, {"token": token_of(one["url"])}, 403)
    trade(anyone, token_of(other["url"]))
    clock.forward(seconds=60)
    assert "expired" in refusal(anyone, SESSIONS, {"token": token_of(other["url"])}, 403)


def test_a_token_that_was_never_traded_makes_no_link(anyone: Asking, token: str) -> None:
    refusal(anyone, LINKS, {"resume": token, "seconds": 60}, 403)


@pytest.mark.parametrize("seconds", [0, -1, 86_401, "soon", None, 1.5])
def test_a_link_lasts_as_long_as_is_allowed(anyone: Asking, token: str, seconds: object) -> None:
    resume = trade(anyone, token)["resume"]
    assert "seconds" in refusal(anyone, LINKS, {"resume": resume, "seconds": seconds}, 400)


def test_a_link_of_another_server_is_not_there(
    anyone: Asking, demo: Asking, token: str, make: MakeServer, become: Become
) -> None:
    other = make("other")
    become(other, State.ACTIVE)
    made = demo.post(f"{PATH}/{other}/console-links", {"console_link": {"seconds": 60}}).json["console_link"]
    resume = trade(anyone, token)["resume"]
    refusal(anyone, REVOKE, {"resume": resume, "id": made["id"]}, 404)
    trade(anyone, token_of(made["url"]))


def test_tenants_make_list_and_revoke_links(anyone: Asking, demo: Asking, active: str) -> None:
    path = f"{PATH}/{active}/console-links"
    made = []
    for _ in range(3):
        answer = demo.post(path, {"console_link": {"seconds": 60}})
        assert answer.status_code == 201
        made.append(answer.json["console_link"])
    first = demo.get(f"{path}?limit=2").json
    assert [sorted(link) for link in first["console_links"]] == [["created_at", "expires_at", "id", "user_id"]] * 2
    following = demo.get(urlsplit(first["console_links_links"][0]["href"])._replace(scheme="", netloc="").geturl()).json
    listed = [link["id"] for link in (*first["console_links"], *following["console_links"])]
    assert sorted(listed) == sorted(link["id"] for link in made)
    assert demo.delete(f"{path}/{made[0]['id']}").status_code == 204
    assert demo.delete(f"{path}/{made[0]['id']}").status_code == 204
    assert demo.delete(f"{path}/{'0' * 36}").status_code == 404
    assert made[0]["id"] not in [link["id"] for link in demo.get(path).json["console_links"]]
    refusal(anyone, SESSIONS, {"token": token_of(made[0]["url"])}, 403)
    assert demo.get(f"{path}?marker=nosuch").status_code == 400


def test_a_server_has_no_more_links_than_it_may_have(demo: Asking, active: str) -> None:
    path = f"{PATH}/{active}/console-links"
    statuses = [demo.post(path, {"console_link": {"seconds": 60}}).status_code for _ in range(21)]
    assert statuses == [201] * 20 + [409]
