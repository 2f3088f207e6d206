"""Many senders of the same key at once, on PostgreSQL."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import flask
import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import accounts, quotas
from db.instances import Instance
from db.users import Role
from tests.support import clouds
from tests.support.clouds import World
from tests.unit.apiserver.asking import Asking

SENDERS = 16
PATH = "/compute/v2.1/servers"


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    made = clouds.world(clouds.postgres_sessions(postgres_url))
    accounts.add_user(made.cloud, "sender", password=clouds.PASSWORD, default_project=made.project.name)
    accounts.grant(made.cloud, user="sender", project=made.project.name, role=Role.MEMBER)
    yield made
    made.cloud.sessions.close()


@pytest.fixture
def app(world: World) -> flask.Flask:
    cloud = dataclasses.replace(world.cloud, vault=world.vault)
    return create_app(cloud, ApiSettings(public_url="http://cloud.example:8774"), bus_ready=lambda: True)


def at_once(app: flask.Flask, world: World, body: object, **headers: str) -> list[TestResponse]:
    """Send the same POST from many threads at once."""
    token = Asking(app.test_client()).as_user("sender", clouds.PASSWORD).token
    start = threading.Barrier(SENDERS)

    def send(_number: int) -> TestResponse:
        asking = Asking(app.test_client(), token)
        start.wait()
        return asking.post(PATH, body, **headers)

    with ThreadPoolExecutor(SENDERS) as pool:
        return list(pool.map(send, range(SENDERS)))


def servers(world: World) -> int:
    with world.cloud.sessions.read() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(Instance)) or 0


def test_sixteen_senders_of_one_key_get_one_server_and_one_answer(app: flask.Flask, world: World) -> None:
    for number in range(5):
        body = {"server": {"name": f"web-{number}", "imageRef": world.image.id, "flavorRef": world.flavor.id}}
        given = at_once(app, world, body, Idempotency_Key=f"create {number}")
        assert {answer.status_code for answer in given} == {202}, [answer.text for answer in given]
        assert len({answer.data for answer in given}) == 1
        assert len({answer.headers["Location"] for answer in given}) == 1
        assert sum("Idempotency-Replayed" not in answer.headers for answer in given) == 1
        assert servers(world) == number + 1
    assert world.used()[0] == 5
    assert quotas.audit(world.cloud) == []


def test_sixteen_senders_of_one_refused_request_get_one_refusal(app: flask.Flask, world: World) -> None:
    body = {"server": {"name": "web", "imageRef": world.image.id, "flavorRef": "none"}}
    given = at_once(app, world, body, Idempotency_Key="refused")
    assert {answer.status_code for answer in given} == {400}
    assert len({answer.data for answer in given}) == 1
    assert servers(world) == 0
