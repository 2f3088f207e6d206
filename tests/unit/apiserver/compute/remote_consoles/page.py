"""What clients ask for consoles, and what the console page does with what they are given."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.unit.apiserver.asking import Asking

PATH = "/compute/v2.1/servers"
SESSIONS, STATUS, LINKS, REVOKE = (f"/console/v1/{each}" for each in ("sessions", "status", "links", "links/revoke"))


def ask(client: Asking, server: str, action: str, kind: str) -> Any:
    answer = client.post(f"{PATH}/{server}/action", {action: {"type": kind}})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json["console"]


def token_of(url: str) -> str:
    (token,) = parse_qs(urlsplit(url).query)["token"]
    return token


def trade(client: Asking, token: str) -> Any:
    answer = client.post(SESSIONS, {"token": token})
    assert answer.status_code == 200, answer.text
    return answer.json["session"]


def refusal(client: Asking, path: str, body: object, status: int) -> str:
    answer = client.post(path, body)
    assert answer.status_code == status, answer.text
    (fault,) = answer.json.values()
    assert fault["code"] == status
    return str(fault["message"])
