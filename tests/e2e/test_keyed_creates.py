"""The API dies after a create is committed and before it is answered: sent again with its key, it is not done again."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from db.instances import Instance
from lab import process, scratch
from tests.e2e import agreement, fleet

ROUNDS = 6
PATIENCE = 60.0


@pytest.fixture
def cloud(postgres_url: str, amqp_url: str) -> Iterator[fleet.Fleet]:
    folder = scratch.folder("fleet")
    built = fleet.Fleet(folder, database_url=postgres_url, amqp_url=amqp_url)
    try:
        built.start()
        yield built
    finally:
        built.stop()
        scratch.remove(folder)


def test_a_create_whose_answer_was_lost_is_not_done_again(cloud: fleet.Fleet) -> None:
    image = cloud.client.call("GET", "/images")["images"][0]["id"]
    for number in range(ROUNDS):
        body = {"server": {"name": f"keyed-{number}", "flavorRef": "1", "imageRef": image}}
        unread = _send(cloud, body, key=f"key-{number}")
        _wait_for_servers(cloud, number + 1)
        cloud.kill("apiserver")
        unread.close()
        cloud.revive()
        process.wait_until(cloud.client.ready, what="the API is back", timeout=PATIENCE)
        (_, first), (replayed, again) = (_read(_send(cloud, body, key=f"key-{number}")) for _ in range(2))
        assert first == again
        assert replayed == "true"
        assert first["server"]["id"] in _made(cloud)
        assert len(_made(cloud)) == number + 1
    agreement.wait(cloud.disagreements, patience=PATIENCE, logs=cloud.folder, what="agreement")


def _made(cloud: fleet.Fleet) -> list[str]:
    with cloud.sessions.read() as db:
        return list(db.scalars(sa.select(Instance.id)))


def _wait_for_servers(cloud: fleet.Fleet, count: int) -> None:
    process.wait_until(lambda: len(_made(cloud)) == count, what="the create is committed", timeout=PATIENCE)


def _send(cloud: fleet.Fleet, body: object, *, key: str) -> http.client.HTTPConnection:
    """Send a create and leave its answer unread."""
    address = urllib.parse.urlsplit(cloud.client.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    headers = {"Content-Type": "application/json", "X-Auth-Token": cloud.client.token, "Idempotency-Key": key}
    connection.request("POST", "/compute/v2.1/servers", json.dumps(body), headers)
    return connection


def _read(connection: http.client.HTTPConnection) -> tuple[str | None, dict[str, dict[str, str]]]:
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 202, text
    return answer.headers["Idempotency-Replayed"], json.loads(text)
