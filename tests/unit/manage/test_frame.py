"""Configuration, formats, failures: what every command shares."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cloud.vault import Vault
from common import bus, config
from common.errors import Conflict, Invalid, NotFound
from manage import failures, groups, output
from manage.__main__ import cli
from manage.failures import Exit
from rapi.errors import RapiRefused, RapiUnreachable
from tests.unit.manage.conftest import Operator


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        found += commands(command, (*path, name)) if isinstance(command, click.Group) else [((*path, name), command)]
    return found


@pytest.mark.parametrize("path", [path for path, _ in commands(cli)], ids=" ".join)
def test_every_command_tells_what_it_does_and_takes_a_format(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"])

    assert result.exit_code == 0
    assert "--format" in result.stdout
    assert result.stdout.splitlines()[2].strip()


def test_help_and_a_new_key_need_no_configuration(bare: Operator) -> None:
    bare.environ["SYROS_CONFIG"] = "/nowhere/syros.toml"

    key = bare.json("key", "new")["key"]

    Vault(config.Secrets(key=key))
    assert "backend" in bare.run("--help").out


def test_an_unreadable_configuration_is_one_line_and_code_2(bare: Operator) -> None:
    answer = bare.run("--config", "/nowhere/syros.toml", "project", "list", code=2)

    assert answer.err == "syros-manage: /nowhere/syros.toml: No such file or directory\n"


def test_the_configuration_file_may_be_named_on_the_command_line(bare: Operator) -> None:
    del bare.environ["SYROS_CONFIG"], bare.environ["SYROS_DATABASE_URL"]
    path = bare.file("other.toml", f'[database]\nurl = "sqlite:///{bare.folder}/other.db"\n')

    bare.run("--config", path, "db", "upgrade")

    assert (bare.folder / "other.db").exists()


def test_an_old_schema_names_the_command_that_helps(bare: Operator) -> None:
    answer = bare.run("project", "list", code=1)

    assert "syros-manage db upgrade" in answer.err
    assert "SELECT" not in answer.err


@pytest.fixture
def elsewhere(bare: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, without a word of where the database is."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("common.config.DEFAULT_PATH", tmp_path / "nowhere" / "syros.toml")
    del bare.environ["SYROS_CONFIG"], bare.environ["SYROS_DATABASE_URL"]
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["project", "list"],
        ["project", "add", "acme"],
        ["flavor", "list"],
        ["image", "list"],
        ["db", "version"],
        ["db", "check"],
        ["pool", "show"],
        ["backend", "refresh"],
    ],
    ids=" ".join,
)
def test_a_database_that_is_not_there_is_said_and_not_made(
    bare: Operator, elsewhere: Path, arguments: list[str]
) -> None:
    said = bare.run(*arguments, code=3).err
    assert said.count("\n") == 1
    for word in (f"{elsewhere}/var/syros.db", "--config", "SYROS_CONFIG", "syros.toml", "`syros-manage setup`"):
        assert word in said
    assert list(elsewhere.iterdir()) == []


def test_the_health_of_nothing_is_told_and_nothing_is_made(bare: Operator, elsewhere: Path) -> None:
    told = bare.json("status", code=3)
    (database,) = [check for check in told["checks"] if check["check"] == "database"]
    assert database["state"] == "unreachable"
    assert "--config" in database["detail"]
    assert list(elsewhere.iterdir()) == []


def test_a_setup_without_a_configuration_makes_nothing_in_the_folder(bare: Operator, elsewhere: Path) -> None:
    bare.run("setup", "--check", "--secrets", str(bare.folder / "secrets"), code=None)
    assert list(elsewhere.iterdir()) == []


def test_an_upgrade_makes_a_database_that_is_not_there(bare: Operator, elsewhere: Path) -> None:
    bare.run("db", "upgrade")
    assert (elsewhere / "var" / "syros.db").exists()
    assert bare.json("project", "list") == []


def test_an_absent_database_is_code_3_and_shows_no_password(bare: Operator) -> None:
    pytest.importorskip("psycopg2")
    bare.environ["SYROS_DATABASE_URL"] = "postgresql+psycopg2://syros:hunter2@127.0.0.1:1/syros"

    answer = bare.run("project", "list", code=3)

    assert answer.err.startswith("syros-manage: the database can't be reached: ")
    assert answer.err.count("\n") == 1
    assert "hunter2" not in answer.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("no"), Exit.WRONG),
        (Conflict("no"), Exit.WRONG),
        (Invalid("no"), Exit.USAGE),
        (config.ConfigError("no"), Exit.USAGE),
        (RapiRefused(status=404, error_class="HttpNotFound", reason="no"), Exit.WRONG),
        (RapiUnreachable("no", sent=False), Exit.UNREACHABLE),
        (bus.BusUnreachable("no"), Exit.UNREACHABLE),
        (PermissionError("no"), Exit.WRONG),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_failure_has_its_exit_code(error: Exception, code: Exit) -> None:
    assert failures.explain(error, None)[1] is code


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (bus.BusUnreachable("Connection refused"), "the bus can't be reached: Connection refused"),
        (FileNotFoundError(2, "No such file or directory", "/nowhere"), "/nowhere: No such file or directory"),
    ],
)
def test_it_is_said_what_was_not_reached_or_read(error: Exception, line: str) -> None:
    assert failures.explain(error, None)[0] == line


def test_only_the_first_line_of_an_error_is_shown() -> None:
    assert failures.explain(NotFound("first\nsecond"), None)[0] == "first"


def test_a_wrong_option_is_code_2(operator: Operator) -> None:
    assert "No such option" in operator.run("project", "list", "--colour", code=2).err


def test_a_pipe_gets_tab_separated_lines(operator: Operator) -> None:
    operator.run("project", "add", "acme")

    lines = operator.run("project", "list").out.splitlines()

    assert lines[0].split("\t") == ["id", "name", "enabled", "description", "created_at"]
    assert lines[1].split("\t")[1:4] == ["acme", "yes", "-"]


def test_a_table_may_be_asked_for_before_or_after_the_command(operator: Operator) -> None:
    operator.run("project", "add", "acme")

    before = operator.run("--format", "table", "project", "list").out
    after = operator.run("project", "list", "--format", "table").out

    assert before == after
    assert "───" in before


def test_times_in_json_are_iso_and_utc(operator: Operator) -> None:
    assert operator.json("project", "add", "acme")["created_at"].endswith("Z")


def test_an_empty_list_is_an_empty_list(operator: Operator) -> None:
    assert operator.json("backend", "list") == []
    assert operator.run("backend", "list").out.count("\n") == 1


@pytest.mark.parametrize("form", ["table", "plain"])
def test_a_tenants_words_cannot_steer_the_terminal(operator: Operator, form: str) -> None:
    operator.run("project", "add", "acme", "--description", "\x1b[2Jgone [bold]\u202e\ttab")

    shown = operator.run("project", "list", "--format", form).out

    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2Jgone" in shown.replace("\n", "")


def test_what_is_printable_stays_as_it_is() -> None:
    assert output.printable("Σύρος [web]") == "Σύρος [web]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_made_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])

    assert "syros-manage" in result.stdout
    assert "_SYROS_MANAGE_COMPLETE" in result.stdout


def test_every_group_is_of_our_kind() -> None:
    assert all(isinstance(command, groups.Command) for _, command in commands(cli))
