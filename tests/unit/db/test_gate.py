"""Programs wait for a schema that is behind, and go on when it is ahead."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from common import config
from common.supervisor import Supervisor
from db import gate, schema
from db.gate import Gate, Gated
from db.sessions import Sessions
from tests.support import clouds

EARLIER = "0001"
ROOT = Path(__file__).parents[3]


class Listener(Supervisor):
    """A supervisor that remembers what it is told."""

    def __init__(self) -> None:
        super().__init__({})
        self.told: list[str] = []

    def tell(self, state: str) -> None:
        self.told.append(state)


@pytest.fixture(autouse=True)
def _short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_AGE", 0.01)


def at(engine: sa.Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_an_empty_schema_is_behind(tmp_path: Path) -> None:
    empty = Sessions(config.Database(url=f"sqlite:///{tmp_path}/empty.db"))
    found = schema.standing(empty.engine)
    assert (found.behind, found.ahead) == (True, False)


def test_a_schema_of_this_programs_is_neither_behind_nor_ahead(tmp_path: Path) -> None:
    found = schema.standing(clouds.sqlite_sessions(tmp_path).engine)
    assert (found.behind, found.ahead, str(found)) == (False, False, f"at {schema.head()}")


def test_a_schema_of_an_earlier_program_closes_the_gate_until_it_is_upgraded(tmp_path: Path) -> None:
    engine, listener = clouds.sqlite_sessions(tmp_path).engine, Listener()
    at(engine, EARLIER)
    found = Gate(engine, supervisor=listener)
    reason = found.reason()
    assert reason is not None
    assert EARLIER in reason
    assert "syros-manage db upgrade" in reason
    assert listener.told == [f"STATUS=waiting: the schema is {reason}"]

    head = schema.head()
    assert head is not None
    at(engine, head)

    assert found.wait(threading.Event())
    assert found.reason() is None


def test_a_schema_of_a_later_program_lets_this_one_go_on(tmp_path: Path) -> None:
    engine = clouds.sqlite_sessions(tmp_path).engine
    at(engine, "later")
    found = Gate(engine)
    assert schema.standing(engine).ahead
    assert found.reason() is None
    assert found.wait(threading.Event())


def test_a_gate_once_open_asks_no_more(tmp_path: Path) -> None:
    engine = clouds.sqlite_sessions(tmp_path).engine
    found = Gate(engine)
    assert found.reason() is None
    at(engine, EARLIER)
    assert found.reason() is None


def test_a_database_that_is_away_is_not_called_old_and_opens_nothing(tmp_path: Path) -> None:
    sessions = clouds.sqlite_sessions(tmp_path)
    found = Gate(sessions.engine)
    with clouds.away(sessions):
        assert found.reason() is None
    at(sessions.engine, EARLIER)
    assert wait_for_reason(found) is not None


def wait_for_reason(found: Gate) -> str | None:
    """Ask until an answer is no longer the remembered one."""
    asked = threading.Event()
    for _ in range(1000):
        if (reason := found.reason()) is not None:
            return reason
        asked.wait(0.01)
    return None


def test_what_is_behind_a_closed_gate_is_neither_started_nor_stopped(tmp_path: Path) -> None:
    engine = clouds.sqlite_sessions(tmp_path).engine
    at(engine, EARLIER)
    calls: list[str] = []
    gated = Gated(Gate(engine), start=lambda: calls.append("start"), stop=lambda: calls.append("stop"))
    gated.start()
    gated.stop()
    assert calls == []


def test_what_is_behind_an_open_gate_is_started_and_stopped(tmp_path: Path) -> None:
    started, calls = threading.Event(), list[str]()
    gated = Gated(Gate(clouds.sqlite_sessions(tmp_path).engine), start=started.set, stop=lambda: calls.append("stop"))
    gated.start()
    assert started.wait(30)
    gated.stop()
    assert calls == ["stop"]


def test_a_program_that_can_not_start_what_is_behind_the_gate_ends(tmp_path: Path) -> None:
    clouds.sqlite_sessions(tmp_path)
    (database,) = tmp_path.glob("*.db")
    program = f"""
import time
from common import config
from db.gate import Gate, Gated
from db.sessions import Sessions

gate = Gate(Sessions(config.Database(url="sqlite:///{database}")).engine)
Gated(gate, start=lambda: 1 / 0, stop=lambda: None).start()
time.sleep(60)
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False).returncode == 1
