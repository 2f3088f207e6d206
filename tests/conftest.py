"""Shared fixtures: real servers on private ports, started when a test first asks for one and gone after the run.

A server that this machine lacks skips its tests on a laptop and fails them when CI=true; what was left out is said in
one line each at the end of the run.
"""

import itertools
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from xdist.scheduler import LoadScopeScheduling

from lab import ganeti as ganeti_bed
from lab import postgres as postgres_server
from lab import rabbitmq as rabbitmq_server
from lab import scratch

#: suites that share servers, or of which two modules at a time are more than a machine can bear
TOGETHER = {"contract": "ganeti", "lab": "ganeti", "deb": "packages"}
LEFT_OUT = "left out: "
_names = itertools.count(1)


def missing(reason: str) -> NoReturn:
    """Leave the test out, saying why; in CI, where nothing may be left out, fail it."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{reason}, and CI leaves nothing out", pytrace=False)
    pytest.skip(LEFT_OUT + reason)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where the servers of this run keep their data."""
    folder = scratch.folder("servers")
    yield folder
    scratch.remove(folder)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[postgres_server.Postgres]:
    """A PostgreSQL server of this run's own."""
    if reason := postgres_server.unavailable():
        missing(reason)
    server = postgres_server.Postgres(server_folder / "postgres", durable=False)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def postgres_url(postgres: postgres_server.Postgres) -> Iterator[str]:
    """The URL of an empty PostgreSQL database for one test."""
    name = f"test_{next(_names)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def module_postgres_url(postgres: postgres_server.Postgres) -> Iterator[str]:
    """The URL of a PostgreSQL database that the tests of one module share."""
    name = f"test_{next(_names)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def rabbitmq(server_folder: Path) -> Iterator[rabbitmq_server.RabbitMQ]:
    """A RabbitMQ broker of this run's own; a test that stops it starts it again."""
    if reason := rabbitmq_server.unavailable():
        missing(reason)
    server = rabbitmq_server.RabbitMQ(server_folder / "rabbitmq")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def amqp_url(rabbitmq: rabbitmq_server.RabbitMQ) -> Iterator[str]:
    """The URL of an empty RabbitMQ virtual host for one test."""
    name = f"test-{next(_names)}"
    yield rabbitmq.create_vhost(name)
    rabbitmq.delete_vhost(name)


@pytest.fixture(scope="session")
def ganeti() -> Iterator[ganeti_bed.Cluster]:
    """A real Ganeti cluster of one node, shared by the tests of this run: leave no instance behind.

    LAB_GANETI=3.1 makes it one of Debian's backport.
    """
    if reason := ganeti_bed.unavailable():
        missing(reason)
    cluster = ganeti_bed.Cluster(scratch.folder("ganeti"), version=os.environ.get("LAB_GANETI", ""))
    cluster.start()
    yield cluster
    cluster.stop()


class Together(LoadScopeScheduling):
    """What stays in one process where several run the tests: a module, and some suites."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return TOGETHER.get(Path(module).parts[1], module)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:  # its logs have no type
    """With --dist loadscope, have that be the scope."""
    return Together(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Say, in one line each, what was left out and why: last of all but pytest's own summary line."""
    yield
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        # A skip's longrepr is (file, line, "Skipped: reason").
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[text.removeprefix("Skipped: ").removeprefix(LEFT_OUT)] += 1
    if not reasons:
        return
    terminalreporter.section("left out")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} test{'s' if count > 1 else ''}: {reason}")
