"""Random requests, from a fixed seed, to every operation that the API describes."""

from __future__ import annotations

import collections
import dataclasses
import random
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import flask
import orjson
import pytest
from werkzeug.test import TestResponse

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import accounts
from cloud.settings import CloudSettings
from db.users import Role
from tests.support import clouds, consoles, fuzz
from tests.support.clouds import World
from tests.unit.apiserver.asking import Asking

SEED = 20_260_131
ROUNDS = 15
#: seconds after which a request in this process counts as hanging
HANGING = 10.0

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
_PEOPLE = {"ann": ("red", Role.MEMBER), "bob": ("blue", Role.MEMBER), "root": ("office", Role.ADMIN)}


@pytest.fixture(autouse=True)
def same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ids follow from the seed too: the order in which they are learned decides what is asked."""
    dice = random.Random(SEED)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=dice.getrandbits(128), version=4))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = CloudSettings(quota_instances=40, quota_cores=-1, quota_ram=-1, guest_url="https://cloud.example:8774")
    made = clouds.world(clouds.sqlite_sessions(tmp_path), settings=settings)
    for name, (project, role) in _PEOPLE.items():
        accounts.add_project(made.cloud, project)
        accounts.add_user(made.cloud, name, password=clouds.PASSWORD, default_project=project)
        accounts.grant(made.cloud, user=name, project=project, role=role)
    yield made
    made.cloud.sessions.close()


@pytest.fixture
def app(world: World) -> flask.Flask:
    shown = consoles.desk(consoles.Places(), consoles.FakeProxy())
    cloud = dataclasses.replace(world.cloud, vault=world.vault, console_desk=shown)
    return create_app(cloud, ApiSettings(public_url="http://cloud.example:8774"), bus_ready=lambda: True)


def log_in(app: flask.Flask, user: str) -> Asking:
    return Asking(app.test_client()).as_user(user, clouds.PASSWORD)


def send(asking: Asking, request: fuzz.Request) -> TestResponse:
    data = None if request.body is None else orjson.dumps(_sendable(request.body))
    return asking.client.open(
        request.path,
        method=request.method,
        query_string=dict(request.query),
        data=data,
        headers={"X-Auth-Token": asking.token or "", "Content-Type": "application/json"},
        buffered=True,  # files that are sent are closed
    )


def _sendable(value: fuzz.Json) -> fuzz.Json:
    """Give numbers that JSON's writer does not know their nearest that it does."""
    if isinstance(value, dict):
        return {key: _sendable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_sendable(each) for each in value]
    return float(value) if isinstance(value, int) and abs(value) >= 2**63 else value


def test_each_path_that_names_a_thing_says_that_there_may_be_none(app: flask.Flask) -> None:
    description = app.test_client().get("/swagger.json").json
    named = {path: item for path, item in description["paths"].items() if "{" in path.replace("{version}", "")}
    silent = [
        f"{method} {path}"
        for path, item in named.items()
        for method, operation in item.items()
        if method != "parameters" and "404" not in operation["responses"]
    ]
    assert named
    assert not silent


@pytest.mark.parametrize("user", ["ann", "root"])
def test_no_operation_fails_hangs_or_answers_with_what_it_does_not_describe(
    app: flask.Flask, world: World, user: str
) -> None:
    asking = log_in(app, user)
    known = [world.image.id, world.flavor.id, world.project.id, world.user.id]
    dice = fuzz.Dice(asking.get("/swagger.json").json, SEED, known)
    wrong: collections.Counter[str] = collections.Counter()
    for request in dice.requests(ROUNDS):
        if _ends_the_session(request):
            continue
        began = time.monotonic()
        answer = send(asking, request)
        if time.monotonic() - began > HANGING:
            wrong[f"{request.operation} hangs"] += 1
        if answer.status_code not in request.documented:
            wrong[f"{request.operation} answers {answer.status_code}: {answer.text[:120]}"] += 1
        elif answer.status_code >= 500 and answer.status_code not in (501, 503):
            wrong[f"{request.operation} fails with {answer.status_code}: {request.body!r}"] += 1
        dice.learn(set(_ID.findall(answer.text)))
    assert not wrong, "\n".join(f"{count} x {what}" for what, count in sorted(wrong.items()))


def _ends_the_session(request: fuzz.Request) -> bool:
    """Whether the request could take away from the users of this test what they log in with."""
    changes_people = request.method in ("DELETE", "PATCH", "PUT") and "/identity/" in request.path
    return changes_people or "password" in request.path


def test_two_tenants_with_random_calls_never_see_each_others_ids(app: flask.Flask, world: World) -> None:
    shared = {world.image.id, world.flavor.id}
    asking = {user: log_in(app, user) for user in ("ann", "bob")}
    description = asking["ann"].get("/swagger.json").json
    dice = {user: fuzz.Dice(description, SEED + len(user), list(shared)) for user in asking}
    owned: dict[str, set[str]] = {user: _make(asking[user], world) for user in asking}
    for user, other in (("ann", "bob"), ("bob", "ann")):
        dice[user].learn(owned[user])
        dice[user].strange = sorted(owned[other])
    compared = 0
    for pair in zip(*(dice[user].requests(ROUNDS) for user in asking), strict=True):
        for (user, other), request in zip((("ann", "bob"), ("bob", "ann")), pair, strict=True):
            if _ends_the_session(request):
                continue
            answer = send(asking[user], request)
            seen = set(_ID.findall(answer.text)) - _sent(request)
            assert not seen & owned[other], f"{request.operation} shows {user} what is {other}'s: {answer.text}"
            if request.method == "POST" and answer.status_code in (201, 202) and request.path.endswith("/servers"):
                owned[user] |= set(_ID.findall(answer.text)) - owned[other] - shared
            compared += len(seen)
    for user, other in (("ann", "bob"), ("bob", "ann")):
        for one in owned[other]:
            assert asking[user].get(f"/compute/v2.1/servers/{one}").status_code in (400, 404)
            assert asking[user].delete(f"/compute/v2.1/servers/{one}").status_code in (400, 404)
    assert compared > 0


def _make(asking: Asking, world: World) -> set[str]:
    """Make servers for a tenant; give their ids."""
    body = {"server": {"name": "web", "imageRef": world.image.id, "flavorRef": world.flavor.id}}
    return {asking.post("/compute/v2.1/servers", body).json["server"]["id"] for _ in range(4)}


def _sent(request: fuzz.Request) -> set[str]:
    """The ids that the request itself names: an answer may say them back."""
    return set(_ID.findall(f"{request.path} {dict(request.query)} {request.body!r}"))
