"""A PostgreSQL server of our own: private data folder, port and password; loopback only."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from lab import process

USER = "syros"
SYSTEM_USER = "postgres"


def unavailable() -> str | None:
    """Why this machine cannot run one, or None."""
    return None if _binary("initdb") else "PostgreSQL is not installed"


class Postgres:
    """One server; `start` makes its data folder on first use, `stop` leaves it for the next start."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.port = 0
        self.password = secrets.token_urlsafe(18)
        self.durable = durable
        self._data = folder / "data"
        self._process: process.Guarded | None = None

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Return when the server answers."""
        if not self._data.exists():
            self._initialise()
        self.port = self.port or process.free_port()
        # Without fsync it still survives the kill of its processes, only not that of the machine.
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
            "max_connections": "200",
            "timezone": "UTC",
            # benchmarks ask when a row was committed
            "track_commit_timestamp": "on",
        }
        command = [_required("postgres"), "-D", str(self._data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
        self._process = process.Guarded(
            process.as_user(SYSTEM_USER, command),
            log=self.folder / "log",
            env=_environment(),
            stop_signal=signal.SIGINT,
        )
        process.wait_until(self._answers, what=f"PostgreSQL does not answer, see {self.folder}/log", timeout=60)

    def stop(self) -> None:
        """Shut it down in good order."""
        if self._process:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Kill every process of it, as a power cut would."""
        if self._process:
            self._process.kill()
            self._process = None

    def url(self, database: str = "postgres") -> str:
        """Where SQLAlchemy finds a database of this server."""
        return f"postgresql+psycopg2://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database and give its URL."""
        self._sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, throwing out whoever is still connected."""
        self._sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _sql(self, statement: str) -> None:
        import psycopg2  # noqa: PLC0415 - an extra: the lab must load without it to say what is missing

        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=USER, password=self.password, dbname="postgres"
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _initialise(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password + "\n")
        process.give_to(SYSTEM_USER, self.folder, secret)
        command = [_required("initdb"), "-D", str(self._data), "-U", USER, f"--pwfile={secret}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        command += [] if self.durable else ["--no-sync"]
        process.run(process.as_user(SYSTEM_USER, command), env=_environment())

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise process.LabError(f"PostgreSQL ended at once: {(self.folder / 'log').read_text()[-2000:]}")
        command = [_required("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, env=_environment(), check=False).returncode == 0


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def _binary(name: str) -> str | None:
    # Debian keeps them out of the PATH, in a folder for each version; the newest one serves.
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return str(found[-1]) if found else shutil.which(name)


def _required(name: str) -> str:
    path = _binary(name)
    if path is None:
        raise process.LabError(f"{name} is not installed")
    return path
