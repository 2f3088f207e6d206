"""`syros-manage setup --check` on real servers: why one does not serve us is told by its own words."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from cloud import vault
from common.bus import BusUnreachable, Fault, rabbit
from lab.rabbitmq import RabbitMQ
from manage.setup.policies import POLICIES


class Installation:
    """Runs `syros-manage setup` with files of its own, told where the servers are."""

    def __init__(self, folder: Path, database: str, broker: str) -> None:
        self._folder = folder
        self._config = folder / "syros.toml"
        self.point(database, broker)

    def point(self, database: str, broker: str) -> None:
        """Have configuration and secrets name these servers."""
        secrets = self._folder / "secrets"
        secrets.mkdir(mode=0o700, exist_ok=True)
        texts = {"database-url": database, "bus-url": broker, "key": vault.new_key()}
        for name, text in texts.items():
            (secrets / name).touch(mode=0o600)
            (secrets / name).write_text(text)
        sections = {"database": "url_file", "bus": "url_file", "secrets": "key_file"}
        lines = [
            f"[{section}]\n{key} = {json.dumps(str(secrets / name))}"
            for (section, key), name in zip(sections.items(), texts, strict=True)
        ]
        self._config.write_text("\n".join(lines) + "\n")

    def setup(self, *options: str) -> tuple[int, dict[str, Any]]:
        """Give the exit code, and the rows by step."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SYROS_")}
        where = ["--secrets", str(self._folder / "secrets"), "--clouds", str(self._folder / "clouds.yaml")]
        # no rabbitmqctl: it would ask another broker than this run's
        environ["PATH"] = str(self._folder)
        told = ["--database-url-file", self._folder / "secrets/database-url"]
        told += ["--bus-url-file", self._folder / "secrets/bus-url"]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "manage",
                "--config",
                self._config,
                "--format",
                "json",
                "setup",
                *where,
                *told,
                *options,
            ],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, {row["step"]: row for row in json.loads(done.stdout)}


@pytest.fixture
def installation(tmp_path: Path, postgres_url: str, amqp_url: str) -> Installation:
    return Installation(tmp_path, postgres_url, amqp_url)


def test_an_installation_is_set_up_and_found_well(installation: Installation) -> None:
    code, rows = installation.setup()
    assert code == 0, rows
    assert rows["schema"]["state"] == "made"
    code, rows = installation.setup("--check")
    assert {row["state"] for row in rows.values()} == {"ok"}, rows
    assert rows["database clock"]["detail"] == "within 5 s of this machine's"
    assert code == 0


def test_a_database_that_does_not_answer_is_told_without_its_password(
    installation: Installation, amqp_url: str
) -> None:
    installation.setup()
    # nobody listens there
    installation.point("postgresql+psycopg2://syros:guessed@127.0.0.1:1/syros", amqp_url)
    code, rows = installation.setup("--check")
    assert code == 1
    assert "Connection refused" in rows["schema"]["detail"]
    assert "guessed" not in json.dumps(rows)
    assert rows["admin"]["state"] == "warning"


def test_each_refusal_of_the_broker_is_told_apart(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    parts = urlsplit(amqp_url)
    vhost = parts.path.removeprefix("/")
    rabbitmq.create_user("poor", "pw", vhost=vhost)

    def fault(user: str, where: str = vhost, *, port: int = parts.port or 0, scheme: str = "amqp") -> Fault | None:
        trouble = rabbit.RabbitBus(f"{scheme}://{user}@127.0.0.1:{port}/{where}").trouble()
        return None if trouble is None else trouble.fault

    assert fault("poor:pw") is None
    assert fault("poor:guessed") is Fault.LOGIN
    assert fault("poor:pw", quote("nowhere")) is Fault.VHOST
    assert fault("poor:pw", port=1) is Fault.UNREACHABLE
    assert fault("poor:pw", scheme="amqps") is Fault.UNREACHABLE
    rabbitmq.manage("PUT", f"/api/permissions/{vhost}/poor", {"configure": "", "write": "", "read": ".*"})
    assert fault("poor:pw") is Fault.PERMISSION
    rabbitmq.manage("DELETE", f"/api/permissions/{vhost}/poor")
    assert fault("poor:pw") is Fault.VHOST


def test_a_queue_that_is_full_refuses_and_loses_nothing(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    """What the policy of events says, with a limit that a test can reach: who publishes is told, and keeps it."""
    queue, definition = POLICIES["syros-events"]
    vhost = urlsplit(amqp_url).path.removeprefix("/")
    body = {"pattern": f"^{queue}$", "definition": {**definition, "max-length-bytes": 2000}, "apply-to": "queues"}
    broker = rabbit.RabbitBus(amqp_url)
    broker.connect().close()
    rabbitmq.manage("PUT", f"/api/policies/{vhost}/syros-events", body)
    publisher = broker.publisher()

    def publish_until_refused() -> None:
        for _ in range(200):
            publisher.publish([b"x" * 500])

    with pytest.raises(BusUnreachable, match="could not take"):
        publish_until_refused()
    publisher.close()
