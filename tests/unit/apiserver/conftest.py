"""An app on a SQLite database of its own, with a tenant, a stranger of another tenant, a reader and an admin."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import flask
import pytest

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import accounts
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common import config
from db import schema
from db.sessions import Sessions
from db.users import Role
from tests.unit.apiserver.asking import Asking


class Clock:
    """A clock that stands still until it is set forward."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Bus:
    """The broker, as far as the API asks for it."""

    up: bool = True


@pytest.fixture(scope="session")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the schema and the people, to be copied."""
    path = tmp_path_factory.mktemp("apiserver") / "populated.db"
    sessions = Sessions(config.Database(url=f"sqlite:///{path}"))
    schema.upgrade(sessions.engine)
    cloud = Cloud(sessions, CloudSettings())
    for name, project, role in (
        ("demo", "demo", Role.MEMBER),
        ("watcher", "demo", Role.READER),
        ("stranger", "elsewhere", Role.MEMBER),
        ("admin", "admin", Role.ADMIN),
    ):
        if project not in {row.name for row in accounts.all_projects(cloud)}:
            accounts.add_project(cloud, project)
        accounts.add_user(cloud, name, password=f"{name}-secret", default_project=project)
        accounts.grant(cloud, user=name, project=project, role=role)
    sessions.close()
    return path


@dataclass(frozen=True)
class Shared:
    """What these tests share, since making an app takes longer than most of them."""

    #: where the app's database is while a test runs
    path: Path
    sessions: Sessions
    clock: Clock
    bus: Bus
    app: flask.Flask


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    path = tmp_path_factory.mktemp("shared") / "syros.db"
    sessions, clock, bus = Sessions(config.Database(url=f"sqlite:///{path}")), Clock(), Bus()
    cloud = Cloud(sessions, CloudSettings(), clock=clock)
    app = create_app(cloud, ApiSettings(public_url="http://cloud.example:8774"), bus_ready=lambda: bus.up)
    yield Shared(path, sessions, clock, bus, app)
    sessions.close()


@pytest.fixture
def sessions(shared: Shared, populated: Path) -> Iterator[Sessions]:
    """The database as it was in the beginning, whatever the test before made of it."""
    shutil.copy(populated, shared.path)
    yield shared.sessions
    shared.sessions.close()
    for left in shared.path.parent.iterdir():
        left.unlink()


@pytest.fixture
def clock(shared: Shared) -> Clock:
    shared.clock.now = Clock().now
    return shared.clock


@pytest.fixture
def bus(shared: Shared) -> Bus:
    shared.bus.up = True
    return shared.bus


@pytest.fixture
def cloud(sessions: Sessions, clock: Clock) -> Cloud:
    return Cloud(sessions, CloudSettings(), clock=clock)


@pytest.fixture
def app(shared: Shared, cloud: Cloud, bus: Bus) -> flask.Flask:
    """The app, once the cloud is as the tests expect it."""
    return shared.app


@pytest.fixture
def own_app(cloud: Cloud) -> flask.Flask:
    """An app for one test alone, which may change it."""
    return create_app(cloud, ApiSettings(public_url="http://cloud.example:8774"), bus_ready=lambda: True)


@pytest.fixture
def anyone(app: flask.Flask) -> Asking:
    """Somebody without a token."""
    return Asking(app.test_client())


@pytest.fixture
def demo(anyone: Asking) -> Asking:
    return anyone.as_user("demo")


@pytest.fixture
def stranger(anyone: Asking) -> Asking:
    return anyone.as_user("stranger")


@pytest.fixture
def admin(anyone: Asking) -> Asking:
    return anyone.as_user("admin")
