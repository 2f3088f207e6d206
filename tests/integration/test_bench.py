"""What `make bench` measures can be measured: here with little of it, and nothing is said of the figures."""

import pytest

from common import config
from db import schema
from db.sessions import Sessions
from tests.bench import addresses


def test_addresses_of_an_empty_and_of_a_fragmented_subnet(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "HOLES", 1000)
    monkeypatch.setattr(addresses, "ROUNDS", 5)
    sessions = Sessions(config.Database(url=postgres_url))
    schema.upgrade(sessions.engine)
    empty, fragmented = addresses.measure(sessions)
    sessions.close()
    assert (empty.samples, fragmented.samples) == (5, 5)
    assert fragmented.note.endswith("times the empty one")
