"""`syros-manage setup`: what is missing is made, what is there is left, what can not be done is said with a remedy."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from manage.setup import database
from tests.unit.manage.conftest import Answer, Operator

Setup = Callable[..., Answer]
STEPS = ["secrets", "database", "broker", "policies", "schema", "tls", "admin"]
BROKER = "amqps://syros:hush@broker.example/syros"


@pytest.fixture
def setup(operator: Operator, tmp_path: Path) -> Setup:
    """Run it with a database and a broker from elsewhere, in folders of the test's."""
    url, bus = tmp_path / "url", tmp_path / "bus"
    url.write_text(operator.environ["SYROS_DATABASE_URL"] + "\n")
    bus.write_text(BROKER + "\n")
    operator.environ["SYROS_BUS_URL"] = BROKER

    def run(*more: str) -> Answer:
        where = ["--secrets", str(tmp_path / "secrets"), "--clouds", str(tmp_path / "clouds" / "clouds.yaml")]
        where += ["--tls", str(tmp_path / "tls")]
        told = ["--database-url-file", str(url), "--bus-url-file", str(bus)]
        return operator.run("--format", "json", "setup", *where, *told, *more, code=None)

    return run


def states(answer: Answer) -> dict[str, str]:
    return {row["step"]: row["state"] for row in answer.json}


def test_everything_is_made_once(setup: Setup) -> None:
    first, second = setup(), setup()
    assert (first.code, second.code) == (0, 0)
    assert states(first) == {**dict.fromkeys(STEPS, "made"), "schema": "ok", "policies": "ok", "tls": "ok"}
    assert states(second) == dict.fromkeys(STEPS, "ok")


def test_a_database_that_is_a_file_is_made_and_not_by_a_check(setup: Setup, tmp_path: Path) -> None:
    file = tmp_path / "syros.db"
    file.unlink()
    assert states(setup("--check"))["schema"] == "trouble"
    assert not file.exists()
    assert states(setup())["schema"] == "made"
    file.unlink()
    assert states(setup("--check"))["schema"] == "trouble"
    assert not file.exists()


def test_secrets_are_root_s_alone_and_never_change(setup: Setup, tmp_path: Path) -> None:
    setup()
    folder = tmp_path / "secrets"
    before = {each.name: each.read_text() for each in folder.iterdir()}
    assert set(before) == {
        "key", "console-token", "metadata-secret", "vncauthproxy-token", "database-url", "bus-url"
    }  # fmt: skip
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "key").chmod(0o644)
    setup()
    assert {each.name: each.read_text() for each in folder.iterdir()} == before
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600


def test_no_secret_is_shown(setup: Setup, tmp_path: Path) -> None:
    shown = setup().out + setup("--check").out
    secrets = [each.read_text().strip() for each in (tmp_path / "secrets").iterdir()]
    assert [each for each in secrets if each in shown and not each.startswith("sqlite")] == []
    assert "hush" not in shown


def test_a_check_changes_nothing_and_says_what_is_missing(setup: Setup, tmp_path: Path) -> None:
    before = setup("--check")
    assert before.code == 1
    assert not (tmp_path / "secrets").exists()
    details = {row["step"]: row["detail"] for row in before.json}
    assert "is without key, console-token" in details["secrets"]
    setup()
    assert setup("--check").code == 0


def test_clouds_yaml_of_others_is_left_alone(setup: Setup, tmp_path: Path) -> None:
    file = tmp_path / "clouds" / "clouds.yaml"
    file.parent.mkdir()
    file.write_text("clouds: {}\n")
    setup()
    assert file.read_text() == "clouds: {}\n"
    made = file.with_name("clouds.syros.yaml")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_a_configuration_that_reads_another_database_is_said(setup: Setup, operator: Operator) -> None:
    operator.environ["SYROS_DATABASE_URL"] = "sqlite://"
    answer = setup()
    assert answer.code == 1
    assert answer.json[-1]["step"] == "schema"
    assert "url_file" in answer.json[-1]["remedy"]


def test_without_a_database_here_or_elsewhere_the_remedy_is_said(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = operator.run("--format", "json", "setup", "--secrets", str(tmp_path / "secrets"), code=1)
    assert json.loads(answer.out)[-1] == {
        "step": "database",
        "state": "trouble",
        "detail": "runuser is not on this machine",
        "remedy": database.REMEDY,
    }
    assert not (tmp_path / "secrets" / "database-url").exists()


def test_no_admin_is_left_whose_password_is_nowhere(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "clouds").write_text("a file where the folder should be")
    assert setup().code != 0
    (tmp_path / "clouds").unlink()
    assert states(setup())["admin"] == "made"
    assert "password" in (tmp_path / "clouds/clouds.yaml").read_text()


def test_a_broker_that_programs_do_not_use_is_not_said_to_be_made(setup: Setup, operator: Operator) -> None:
    operator.environ["SYROS_BUS_URL"] = "amqp://elsewhere.example/"
    assert states(setup())["broker"] == "trouble"


def test_a_broker_s_url_that_is_none_is_said_without_it(setup: Setup, operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "bus").write_text("amqp://syros:hu[sh@broker.example/syros")
    answer = setup()
    assert answer.code == 1
    assert "%5B" in answer.out
    assert "hu[sh" not in answer.out
