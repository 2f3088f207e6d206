"""Sessions: `begin()` for changes, `read()` for looking. A transaction is short and has no network call inside."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson
import sqlalchemy as sa
from sqlalchemy import event, orm
from sqlalchemy.engine import make_url

from common import config

_BUSY_TIMEOUT_MS = 15_000


class Sessions:
    """One database, its connection pool and its two ways in."""

    def __init__(self, settings: config.Database) -> None:
        self.url = settings.url
        self._sqlite = make_url(settings.url).get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(settings) if self._sqlite else _postgres_engine(settings)
        # a second door to the same SQLite file: readers need not queue for the write lock
        self._readers = self.engine.execution_options(syros_read=True)

    @contextlib.contextmanager
    def begin(self) -> Iterator[orm.Session]:
        """Open a transaction that commits at the end, or rolls back when something is raised."""
        with orm.Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def read(self) -> Iterator[orm.Session]:
        """Open a transaction for reading; whatever is changed inside is rolled back."""
        with orm.Session(self._readers, expire_on_commit=False, autoflush=False) as session:
            yield session

    def joining(self, session: orm.Session) -> Sessions:
        """Give sessions whose transactions are steps of one that is open already; it alone commits."""
        return _Joined(self, session)

    def ready(self) -> bool:
        """Tell whether the database answers."""
        try:
            with self.read() as session:
                session.execute(sa.select(1))
        except sa.exc.SQLAlchemyError:
            return False
        return True

    def now(self) -> datetime | None:
        """Give the time by the database's clock; None where that is this machine's."""
        if self._sqlite:
            return None
        with self.read() as session:
            told: datetime | None = session.scalar(sa.select(sa.func.clock_timestamp()))
        return told

    def close(self) -> None:
        self.engine.dispose()


class _Joined(Sessions):
    """The way into a transaction that somebody else opened."""

    def __init__(self, outer: Sessions, session: orm.Session) -> None:
        self.url = outer.url
        self.engine = outer.engine
        self._session = session

    @contextlib.contextmanager
    def begin(self) -> Iterator[orm.Session]:
        """Open a savepoint: when something is raised, this step alone is rolled back."""
        with self._session.begin_nested():
            yield self._session

    @contextlib.contextmanager
    def read(self) -> Iterator[orm.Session]:
        """Look at the transaction's own state; whoever reads changes nothing."""
        yield self._session


def sqlite_file(url: str) -> Path | None:
    """Give the file that an SQLite database is, or is to be, in; None for any other database, and one in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def is_outage(error: BaseException) -> bool:
    """Tell whether the database was away or overloaded, so that trying again later makes sense.

    Deadlocks and serialization failures count: the transaction was rolled back whole.
    """
    if isinstance(error, sa.exc.TimeoutError | sa.exc.InterfaceError | sa.exc.OperationalError):
        return True
    return isinstance(error, sa.exc.DBAPIError) and bool(error.connection_invalidated)


def _postgres_engine(settings: config.Database) -> sa.Engine:
    timeout_ms = int(settings.statement_timeout * 1000)
    return sa.create_engine(
        settings.url,
        pool_size=settings.pool_size,
        max_overflow=settings.pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c statement_timeout={timeout_ms} -c idle_in_transaction_session_timeout=60000",
            "application_name": "syros",
        },
    )


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _sqlite_engine(settings: config.Database) -> sa.Engine:
    file = sqlite_file(settings.url)
    engine = sa.create_engine(
        settings.url,
        connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        pool_size=20,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
    )

    if file is not None:

        @event.listens_for(engine, "do_connect")
        def on_do_connect(*_: object) -> None:
            file.parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        # the driver's own transactions begin too late for BEGIN IMMEDIATE: SQLAlchemy says when
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={_BUSY_TIMEOUT_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        # A writer takes the write lock at once: upgrading a read transaction later can't wait, it fails.
        reading = connection.get_execution_options().get("syros_read", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine
