"""What a program's command line makes of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from common import command, config


@dataclass(frozen=True)
class Own:
    port: int = config.setting(1, "a port")

    def __post_init__(self) -> None:
        if self.port < 0:
            raise ValueError("port: it is below zero")


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """How the log was set up."""
    found: list[dict[str, object]] = []
    monkeypatch.setattr("common.log.set_up", lambda **wanted: found.append(wanted))
    return found


def run(tmp_path: Path, text: str) -> Result:
    @click.command()
    @command.config_option
    def main(path: Path | None) -> None:
        click.echo(str(command.settings(path, "eventd", Own).port))

    file = tmp_path / "syros.toml"
    file.write_text(text)
    return CliRunner().invoke(main, ["--config", str(file)])


def test_a_section_is_read_and_the_log_set_up(tmp_path: Path, logged: list[dict[str, object]]) -> None:
    result = run(tmp_path, '[eventd]\nport = 7\n[log]\nlevel = "DEBUG"\nformat = "json"\n')
    assert (result.exit_code, result.stdout) == (0, "7\n")
    assert logged == [{"level": "DEBUG", "form": "json"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[evntd]\n", "did you mean eventd?"),
        ("[eventd]\nprt = 7\n", "did you mean port?"),
        ("[eventd]\nport = -7\n", "port: it is below zero"),
        ("[log]\nlevels = 1\n", "did you mean level?"),
        ("nonsense", "syros.toml"),
    ],
)
def test_what_can_not_be_meant_is_one_line(
    tmp_path: Path, logged: list[dict[str, object]], text: str, said: str
) -> None:
    result = run(tmp_path, text)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
