"""Where the hooks and the OS definition end up."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click.testing
import pytest

from ganeti_hooks import install, os_definition, post_hook


def test_every_hook_has_a_name_that_ganeti_runs(tmp_path: Path) -> None:
    install.install_hooks(tmp_path, tmp_path / "spool")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.parent.name.removesuffix("-post.d") for path in files) == sorted(install.HOOK_PATHS)
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", path.name) and os.access(path, os.X_OK) for path in files)


def test_installing_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        install.install_hooks(tmp_path / "hooks", tmp_path / "spool")
        install.install_os(tmp_path / "os")
    assert len(list((tmp_path / "hooks").rglob("*-post.d/*"))) == len(install.HOOK_PATHS)


def test_the_standard_spool_needs_no_change_of_the_program() -> None:
    source = Path(post_hook.__file__).read_text(encoding="utf-8")
    assert f'SPOOL = "{post_hook.SPOOL}"\n' in source
    assert f'IMAGES = Path("{os_definition.IMAGES}")\n' in Path(os_definition.__file__).read_text(encoding="utf-8")


def test_the_os_definition_is_complete(tmp_path: Path) -> None:
    install.install_os(tmp_path, tmp_path / "images")
    folder = tmp_path / "syros"
    assert (folder / "ganeti_api_version").read_text() == "20\n"
    assert (folder / "variants.list").read_text() == "default\n"
    assert [line.split()[0] for line in (folder / "parameters.list").read_text().splitlines()] == [
        "image",
        "image_format",
        "guest_url",
        "guest_token",
        "image_url",
        "image_token",
    ]
    assert all(os.access(folder / script, os.X_OK) for script in ("create", "export", "import", "rename", "verify"))


def run(folder: Path, *more: str) -> click.testing.Result:
    where = ["--hooks-dir", f"{folder}/hooks", "--spool", f"{folder}/spool", "--os-dir", f"{folder}/os"]
    return click.testing.CliRunner().invoke(install.main, [*where, "--ganeti-dir", f"{folder}/ganeti", *more])


def test_without_nft_the_network_script_is_not_installed_and_the_operator_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    told = run(tmp_path)
    assert told.exit_code == 1
    assert "nft is not installed" in told.output
    assert not (tmp_path / "ganeti").exists()
    assert run(tmp_path, "--no-network").exit_code == 0
    assert (tmp_path / "os" / "syros").is_dir()


def test_a_network_script_of_somebody_else_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/sbin/nft")
    (tmp_path / "ganeti").mkdir()
    (tmp_path / "ganeti" / install.NETWORK_NAME).write_text("#!/bin/sh\n")
    told = run(tmp_path)
    assert told.exit_code == 1
    assert "another program's" in told.output
