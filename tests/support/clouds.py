"""A whole small cloud to test in: database, clock, project, user, backend, flavor, image, and a Ganeti in memory."""

from __future__ import annotations

import atexit
import functools
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from cloud import accounts, backends, creations, events, flavors, images, instances, network_keeper, quotas
from cloud.clients import Clients
from cloud.context import Caller, Cloud
from cloud.settings import CloudSettings
from cloud.states import Action
from cloud.submitter import Submitter
from cloud.vault import Vault, new_key
from common import config, messages, names
from common.jobs import JobStatus
from db import instances as instance_rows
from db import jobs as job_rows
from db import schema
from db.backends import Backend
from db.flavors import Flavor
from db.images import Image
from db.instances import Instance
from db.jobs import Job
from db.projects import Project
from db.quotas import Resource
from db.sessions import Sessions
from db.users import Role, User
from lab import scratch
from tests.support import ganeti
from tests.support.ganeti import FakeRapi

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PASSWORD = "correct horse"


class FakeClock:
    """A clock that a test moves. Each look at it takes a microsecond, so that no two moments are the same."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def __call__(self) -> datetime:
        self._now += timedelta(microseconds=1)
        return self._now

    def tick(self, seconds: float = 1.0) -> datetime:
        self._now += timedelta(seconds=seconds)
        return self._now


@functools.cache
def _template() -> Path:
    """An empty database with the schema, made once by the migrations and copied for each test."""
    folder = scratch.folder("schema")
    # a worker of several ends without this, and what it left goes with the next run
    atexit.register(scratch.remove, folder)
    path = folder / "empty.db"
    sessions = Sessions(config.Database(url=f"sqlite:///{path}"))
    schema.upgrade(sessions.engine)
    # the copy is of this one file: bring what lies in the log beside it home
    raw = sessions.engine.raw_connection()
    raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    sessions.close()
    return path


def sqlite_sessions(folder: Path) -> Sessions:
    """Open a fresh SQLite database with the schema in a folder."""
    path = folder / "syros.db"
    shutil.copyfile(_template(), path)
    return Sessions(config.Database(url=f"sqlite:///{path}"))


def begin_anew(sessions: Sessions, folder: Path) -> None:
    """Make of a database of `sqlite_sessions` a fresh one: its engine knows how to write its statements by now."""
    sessions.close()
    for left in folder.glob("syros.db*"):
        left.unlink()
    shutil.copyfile(_template(), folder / "syros.db")


def postgres_sessions(url: str) -> Sessions:
    """Bring an empty PostgreSQL database to the schema and open it."""
    sessions = Sessions(config.Database(url=url, pool_size=20))
    schema.upgrade(sessions.engine)
    return sessions


@dataclass
class World:
    """A cloud with one of everything, and its Ganeti."""

    cloud: Cloud
    clock: FakeClock
    vault: Vault
    rapi: FakeRapi
    backend: Backend
    project: Project
    user: User
    flavor: Flavor
    image: Image
    caller: Caller

    @property
    def clients(self) -> Clients:
        return ganeti.clients(self.rapi)

    # acting

    def create(self, name: str = "web", *, count: int = 1, caller: Caller | None = None) -> list[Instance]:
        spec = creations.CreateSpec(
            name=name, flavor_id=self.flavor.id, image_id=self.image.id, min_count=count, max_count=count
        )
        return creations.create(self.cloud, caller or self.fresh(), spec)

    def create_one(self, name: str = "web") -> str:
        return self.create(name)[0].id

    def act(self, instance_id: str, action: Action) -> None:
        self.clock.tick()
        instances.act(self.cloud, self.fresh(), instance_id, action)

    def delete(self, instance_id: str, caller: Caller | None = None) -> None:
        self.clock.tick()
        instances.delete(self.cloud, caller or self.fresh(), instance_id)

    def fresh(self, **changes: object) -> Caller:
        """The caller, with a request id of its own."""
        return replace(self.caller, request_id=names.new_request_id(), **changes)  # type: ignore[arg-type]

    def submitter(self) -> Submitter:
        return Submitter(self.cloud, self.clients)

    def submit(self) -> int:
        """Send what there is to send; give the number of jobs that were claimed."""
        self.clock.tick()
        return self.submitter().serve(self.known_backend())

    def keep(self) -> int:
        """Do what is next for networks' objects; give the number of objects that were claimed."""
        self.clock.tick()
        return network_keeper.keep(self.cloud, self.clients.of(self.backend), self.known_backend(), by="test")

    def settle_networks(self) -> list[str]:
        """Let every job of networks' objects work until nothing is left to do; give what was done."""
        before = len(self.rapi.calls)
        while self.keep():
            for job_id in self.rapi.open_jobs():
                if self.rapi.jobs[job_id].effect is not None:
                    self.rapi.finish(job_id)
        return [method for method, _, _ in self.rapi.calls[before:]]

    def deliver(self, event: messages.Event) -> events.Applied:
        self.clock.tick()
        return events.apply(self.cloud, event)

    def finish(self, instance_id: str, *, failed: object = None, canceled: bool = False) -> Job:
        """Submit what is due, end the instance's oldest open job in Ganeti, and deliver the event."""
        self.submit()
        job = self.under_way(instance_id)[0]
        assert job.ganeti_id is not None, "the job was not submitted"
        self.clock.tick()
        self.deliver(self.rapi.finish(job.ganeti_id, failed=failed, canceled=canceled))
        return self.job(job.id)

    def active(self, name: str = "web") -> str:
        """Create a server all the way to ACTIVE, looked at."""
        instance_id = self.create_one(name)
        self.finish(instance_id)
        self.look()
        return instance_id

    def look(self) -> int:
        from cloud import looks  # noqa: PLC0415  # most tests need none

        self.clock.tick()
        return looks.look(self.cloud, self.clients, self.known_backend())

    # seeing

    def instance(self, instance_id: str) -> Instance:
        with self.cloud.sessions.read() as db:
            found = instance_rows.get(db, instance_id)
        assert found is not None
        return found

    def run_out(self, instance_id: str) -> list[str]:
        """Let every job of an instance's work, oldest first; give their opcodes."""
        done = []
        while self.under_way(instance_id):
            done.append(self.finish(instance_id).opcode)
        return done

    def under_way(self, instance_id: str) -> list[Job]:
        """The instance's jobs that have not ended, oldest first."""
        return [job for job in reversed(self.jobs(instance_id)) if job.finished_at is None]

    def jobs(self, instance_id: str) -> Sequence[Job]:
        """The instance's jobs, newest first."""
        with self.cloud.sessions.read() as db:
            return job_rows.of_instance(db, instance_id)

    def job(self, job_id: int) -> Job:
        with self.cloud.sessions.read() as db:
            found = job_rows.get(db, job_id)
        assert found is not None
        return found

    def known_backend(self) -> Backend:
        return backends.get(self.cloud, self.backend.name)

    def used(self, project_id: str | None = None) -> tuple[int, int, int]:
        """What a project uses: instances, cores, MiB."""
        standing = quotas.standing(self.cloud, project_id or self.project.id)
        return (standing[Resource.INSTANCES].used, standing[Resource.CORES].used, standing[Resource.RAM].used)

    def set_quota(self, **limits: int) -> None:
        quotas.set_limits(self.cloud, self.project.id, {Resource(key): value for key, value in limits.items()})

    def change(self, instance_id: str, change: Callable[[Instance], None]) -> None:
        """Put an instance into a condition that would take many steps to reach."""
        with self.cloud.sessions.begin() as db:
            row = instance_rows.lock(db, instance_id)
            assert row is not None
            change(row)
            row.updated_at = self.clock()

    def stranger_caller(self, *, roles: tuple[Role, ...] = (Role.MEMBER,)) -> Caller:
        """Somebody of another project."""
        project = accounts.add_project(self.cloud, f"other-{names.new_hex_id()[:8]}")
        return Caller(
            user_id=names.new_hex_id(),
            user_name="other",
            project_id=project.id,
            project_name=project.name,
            roles=roles,
            request_id=names.new_request_id(),
        )


def world(sessions: Sessions, *, settings: CloudSettings | None = None, clock: FakeClock | None = None) -> World:
    """Furnish a database that has the schema and nothing else."""
    time = clock or FakeClock()
    cloud = Cloud(sessions=sessions, settings=settings or CloudSettings(), clock=time)
    vault = Vault(config.Secrets(key=new_key()))
    rapi = FakeRapi(time)
    backend = add_backend(cloud, vault, "ganeti1")
    backends.refresh(cloud, ganeti.clients(rapi), backend)
    project = accounts.add_project(cloud, "demo")
    with sessions.begin() as db:
        # without argon2's tens of milliseconds; tests of logging in make their own users
        user = User(id=names.new_hex_id(), name="demo", enabled=True, default_project_id=project.id, created_at=time())
        db.add(user)
    accounts.grant(cloud, user=user.id, project=project.id, role=Role.MEMBER)
    flavor = flavors.add(cloud, flavors.FlavorSpec(id="1", name="m1.small", vcpus=2, ram=1024, disk=10))
    image = images.add(cloud, images.ImageSpec(name="debian-12", file="debian-12.raw"))
    caller = Caller(
        user_id=user.id,
        user_name=user.name,
        project_id=project.id,
        project_name=project.name,
        roles=(Role.MEMBER,),
        request_id=names.new_request_id(),
    )
    return World(
        cloud=cloud,
        clock=time,
        vault=vault,
        rapi=rapi,
        backend=backends.get(cloud, backend.name),
        project=project,
        user=user,
        flavor=flavor,
        image=image,
        caller=caller,
    )


def add_backend(cloud: Cloud, vault: Vault, name: str, *, max_jobs: int = 20) -> Backend:
    spec = backends.BackendSpec(
        name=name,
        rapi_urls=("https://127.0.0.1:5080",),
        rapi_user="syros",
        rapi_password="secret-of-rapi",
        max_jobs=max_jobs,
    )
    return backends.add(cloud, vault, spec)


def statuses(jobs: Sequence[Job]) -> list[tuple[str, JobStatus]]:
    """What happened, oldest first."""
    return [(job.action, job.status) for job in reversed(jobs)]


def count_statements(sessions: Sessions, run: Callable[[], object]) -> list[str]:
    """List the SQL that a call sends, without BEGIN and COMMIT."""
    return statements_of(sessions.engine, run)


def statements_of(target: sa.Engine | type[sa.Engine], run: Callable[[], object]) -> list[str]:
    """List the SQL that a call sends by an engine, or by any of them, without BEGIN and COMMIT."""
    seen: list[str] = []

    def on_execute(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    sa.event.listen(target, "before_cursor_execute", on_execute)
    try:
        run()
    finally:
        sa.event.remove(target, "before_cursor_execute", on_execute)
    return seen


@contextmanager
def away(sessions: Sessions) -> Iterator[None]:
    """The database refuses every statement meanwhile."""

    def refuse(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("the server is away"))

    sa.event.listen(sessions.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(sessions.engine, "before_cursor_execute", refuse)
