"""An operator with a database and a bus of their own, and a simulated cluster to talk to."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from cloud import accounts, backends, creations, flavors, sweeper, vault
from cloud.clients import Clients
from cloud.context import Caller, Cloud
from cloud.settings import CloudSettings
from cloud.submitter import Submitter
from common import bus, config, names
from common.bus.memory import MemoryBus
from db import schema
from db.instances import Instance
from db.sessions import Sessions
from db.users import Role
from gntsim import settings as gntsim_settings
from gntsim.server import Simulator
from manage.__main__ import cli
from manage.context import Wiring
from manage.node.host import Host
from tests.support import clouds


class Answer:
    """What a command gave back."""

    def __init__(self, result: Result) -> None:
        self.code = result.exit_code
        self.out = result.stdout
        self.err = result.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Operator:
    """Runs commands as a shell would, against one database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = vault.new_key()
        self.bus: bus.Bus = MemoryBus()
        #: a machine with nothing on it
        self.host = Host(folder / "machine", name=lambda: "cloud.example")
        self.config = folder / "syros.toml"
        self.config.write_text("")
        self.environ = {
            "SYROS_CONFIG": str(self.config),
            "SYROS_DATABASE_URL": f"sqlite:///{folder}/syros.db",
            "SYROS_SECRETS_KEY": self.key,
        }
        self.sessions = Sessions(config.Database(url=self.environ["SYROS_DATABASE_URL"]))
        self.cloud = Cloud(sessions=self.sessions, settings=CloudSettings())

    def run(self, *arguments: str, code: int | None = 0, stdin: str | None = None) -> Answer:
        """Run a command; it has to end with this code, if one is given."""
        wiring = Wiring(environ=self.environ, make_bus=lambda _: self.bus, host=self.host)
        result = CliRunner().invoke(cli, arguments, input=stdin, obj=wiring)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        answer = Answer(result)
        if code is not None:
            assert answer.code == code, f"{answer.out}\n{answer.err}"
        return answer

    def json(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Any:
        return self.run(*arguments, "--format", "json", code=code, stdin=stdin).json

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def die(self, body: bytes, reason: str) -> str:
        """Have the dispatcher find a message dead; give the letter's id."""
        before = {letter.id for letter in self.bus.dead_letters(1000)}
        self.bus.publisher().publish([body])
        stop = threading.Event()

        def judge(_body: bytes) -> bus.Judgement:
            stop.set()
            return bus.Judgement(bus.Verdict.DEAD, reason)

        self.bus.consume(judge, stop=stop)
        (letter,) = [letter.id for letter in self.bus.dead_letters(1000) if letter.id not in before]
        return letter


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its schema, to be copied: migrations take longer than most tests."""
    path = tmp_path_factory.mktemp("manage") / "template.db"
    sessions = Sessions(config.Database(url=f"sqlite:///{path}"))
    schema.upgrade(sessions.engine)
    sessions.close()
    return path


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Operator]:
    """An operator whose database is empty."""
    operator = Operator(tmp_path)
    (tmp_path / "syros.db").touch()
    yield operator
    operator.sessions.close()


@pytest.fixture
def operator(bare: Operator, empty_database: Path) -> Operator:
    """An operator whose database has its schema and nothing in it."""
    shutil.copy(empty_database, bare.folder / "syros.db")
    return bare


@pytest.fixture(autouse=True)
def _quiet_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pytest's own log handlers where they are."""
    monkeypatch.setattr("common.log.set_up", lambda **_: None)


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A cluster that works at once, for tests that leave it as it was."""
    made = Simulator(
        gntsim_settings.Settings(
            data_dir=tmp_path_factory.mktemp("cluster"), durations=gntsim_settings.Durations(scale=0.0)
        )
    )
    made.start()
    yield made
    made.stop()


def add_arguments(operator: Operator, simulator: Simulator, *more: str) -> Sequence[str]:
    """Give the command that adds the simulated cluster."""
    password = operator.file("rapi-password", "secret\n")
    trust = () if any(word.startswith("--trust") for word in more) else ("--ca-file", str(simulator.ca_file))
    return (
        *("backend", "add", "lab", "--rapi-url", simulator.url, "--rapi-user", "syros", "--disk-template", "file"),
        *("--rapi-password-file", password, *trust, *more),
    )


def statements(run: Callable[[], object]) -> int:
    """Count the SQL that a command sends, over connections of its own."""
    seen = clouds.statements_of(sa.Engine, run)
    assert seen
    return len(seen)


class Tenancy:
    """A project with a user, a flavor, and a cluster to make servers on."""

    def __init__(self, operator: Operator, simulator: Simulator) -> None:
        self.operator = operator
        operator.run(*add_arguments(operator, simulator))
        cloud = operator.cloud
        self.project = accounts.add_project(cloud, "acme")
        self.user = accounts.add_user(cloud, "ann", password="correct horse")
        flavors.add(cloud, flavors.FlavorSpec(id="1", name="m1.tiny", vcpus=1, ram=64, disk=1))
        self.backend = backends.get(cloud, "lab")
        self.clients = Clients(cloud.settings, vault.Vault(config.Secrets(key=operator.key)))

    def caller(self) -> Caller:
        return Caller(
            user_id=self.user.id,
            user_name=self.user.name,
            project_id=self.project.id,
            project_name=self.project.name,
            roles=(Role.MEMBER,),
            request_id=names.new_request_id(),
        )

    def create(self, name: str = "web", *, caller: Caller | None = None, image_id: str | None = None) -> Instance:
        spec = creations.CreateSpec(name=name, flavor_id="1", image_id=image_id)
        return creations.create(self.operator.cloud, caller or self.caller(), spec)[0]

    def wait_for_jobs(self) -> None:
        client = self.clients.of(self.backend)
        for job in client.get_jobs():
            info: list[Any] | None = None
            while info is None or info[0] not in ("success", "error", "canceled"):
                info = client.wait_for_job_change(job["id"], fields=["status"], previous_info=info)["job_info"]

    def settle(self) -> None:
        """Send what waits, let Ganeti do it, and hear of it."""
        submitter = Submitter(self.operator.cloud, self.clients)
        while submitter.serve(self.backend):
            pass
        self.wait_for_jobs()
        sweeper.settle_silent_jobs(self.operator.cloud, self.clients, self.backend, patience=timedelta(seconds=-60))


@pytest.fixture
def tenancy(operator: Operator, simulator: Simulator) -> Iterator[Tenancy]:
    made = Tenancy(operator, simulator)
    yield made
    made.wait_for_jobs()  # an instance that a test left in the making is not in the list below
    client = made.clients.of(made.backend)
    for row in client.get_instances(bulk=True):
        client.delete_instance(row["name"], reason="tidy", shutdown_timeout=0)
    made.wait_for_jobs()  # and no more: what a test left unsent must not be sent now
    made.clients.close()
