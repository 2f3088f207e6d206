"""One file, a section per program, the environment above it; what can't be meant is an error that helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from common import config


@dataclass(frozen=True)
class Garden:
    """Every kind of key."""

    name: str = config.setting("eden", "what it is called")
    trees: int = config.setting(2, "how many")
    acres: float = config.setting(1.5, "how large")
    walled: bool = config.setting(False, "whether there is a wall")
    gate: Path = config.setting(Path("/gate"), "where to go in")
    fruits: tuple[str, ...] = config.setting(("apple",), "what grows there")
    owner: str | None = config.setting(None, "whose it is")
    password: str = config.setting("", "what to say at the gate", secret=True)


def garden(text: str = "", environ: Mapping[str, str] | None = None, *, folder: Path) -> Garden:
    """Read a [bus] section as if it were a garden: the name of a section has to be a known one."""
    path = folder / "syros.toml"
    path.write_text(text)
    return config.Config.read(path, environ or {}).section("bus", Garden)


def test_without_a_file_or_variables_the_defaults_count() -> None:
    assert config.Config({}, {}, origin="test").section("bus", Garden) == Garden()


def test_the_file_sets_keys_of_every_kind(tmp_path: Path) -> None:
    text = """
        [bus]
        name = "kew"
        trees = 14000
        acres = 326
        walled = true
        gate = "/victoria"
        fruits = ["fig", "olive"]
        owner = "crown"
    """

    assert garden(text, folder=tmp_path) == Garden(
        name="kew",
        trees=14000,
        acres=326.0,
        walled=True,
        gate=Path("/victoria"),
        fruits=("fig", "olive"),
        owner="crown",
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environ = {
        "SYROS_BUS_TREES": "3",
        "SYROS_BUS_ACRES": "0.5",
        "SYROS_BUS_WALLED": "yes",
        "SYROS_BUS_GATE": "/back",
        "SYROS_BUS_FRUITS": "fig, olive,",
        "SYROS_BUS_OWNER": "",
    }

    read = garden('[bus]\nname = "kew"\ntrees = 1\nowner = "crown"', environ, folder=tmp_path)

    assert read == Garden(
        name="kew", trees=3, acres=0.5, walled=True, gate=Path("/back"), fruits=("fig", "olive"), owner=None
    )


def test_variables_of_other_sections_and_programs_do_not_matter(tmp_path: Path) -> None:
    assert garden(environ={"SYROS_API_PORT": "1", "BUS_TREES": "2", "SYROS_CONFIG": "x"}, folder=tmp_path) == Garden()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[buss]", r"syros\.toml: unknown section \[buss\]; did you mean bus\?"),
        ("[zebra]", r"syros\.toml: unknown section \[zebra\]; known are api, bus, "),
        ("[bus]\ntress = 1", r"syros\.toml: \[bus\] tress: unknown key; did you mean trees\?"),
        ("[bus]\nname_file = '/etc/hostname'", r"\[bus\] name_file: unknown key; did you mean name\?"),
        ("[bus]\ntrees = 'many'", r"\[bus\] trees: 'many' is not int"),
        ("[bus]\ntrees = 1.5", r"\[bus\] trees: 1.5 is not int"),
        ("[bus]\ntrees = true", r"\[bus\] trees: True is not int"),
        ("[bus]\nname = 5", r"\[bus\] name: 5 is not str"),
        ("[bus]\nwalled = 'perhaps'", r"\[bus\] walled: 'perhaps' is not bool"),
        ("[bus]\nfruits = [1]", r"\[bus\] fruits: a list of texts is expected"),
        ("bus = 1", r"syros\.toml: bus is not a section"),
        ("[bus", r"syros\.toml: Expected"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_names_the_place(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match=complaint):
        garden(text, folder=tmp_path)


def test_an_unknown_variable_of_a_section_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match=r"SYROS_BUS_TRES: unknown key; did you mean trees\?"):
        garden(environ={"SYROS_BUS_TRES": "1"}, folder=tmp_path)


def test_a_secret_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")

    assert garden(f"[bus]\npassword_file = '{secret}'", folder=tmp_path).password == "open sesame"
    assert garden(environ={"SYROS_BUS_PASSWORD_FILE": str(secret)}, folder=tmp_path).password == "open sesame"


def test_a_credential_of_the_file_s_name_is_read_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("swordfish\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert garden("[bus]\npassword_file = '/not/for/us/password'", environ, folder=tmp_path).password == "swordfish"


def test_a_secret_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="secret file /nowhere/at/all: No such file"):
        garden("[bus]\npassword_file = '/nowhere/at/all'", folder=tmp_path)


def test_a_secret_is_not_shown_by_repr() -> None:
    assert "hush" not in repr(Garden(password="hush"))


def test_the_file_that_syros_config_names_is_read_when_none_is_given(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text("[bus]\ntrees = 7")

    assert config.Config.read(None, {config.ENV_PATH: str(path)}).section("bus", Garden).trees == 7


def test_a_file_that_is_named_but_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="No such file"):
        config.Config.read(tmp_path / "nothing.toml", {})


def test_without_any_file_the_defaults_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_PATH", tmp_path / "nothing.toml")

    assert config.Config.read(None, {}).section("bus", Garden) == Garden()


def test_a_variable_of_an_unknown_section_is_refused_with_the_nearest() -> None:
    with pytest.raises(config.ConfigError, match=r"SYROS_DATBASE_URL.*did you mean database"):
        config.Config.read(None, {"SYROS_DATBASE_URL": "sqlite://"})
