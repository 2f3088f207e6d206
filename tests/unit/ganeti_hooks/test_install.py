"""Where the hooks and the OS definition end up."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
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


@pytest.fixture
def removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node whose package is gone: what was installed has no interpreter any more. Gives the folder of it all."""
    monkeypatch.setattr("shutil.which", lambda _: "/usr/sbin/nft")
    assert run(tmp_path, "--python", str(tmp_path / "gone/python")).exit_code == 0
    shutil.rmtree(tmp_path / "os" / install.OS_NAME)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/bash").write_text('#!/bin/sh\necho "ganeti: $*"\n')
    (tmp_path / "bin/bash").chmod(0o755)
    return tmp_path


def connected(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the network script with a shell of the test's own in the place of bash."""
    path = {"PATH": f"{folder}/bin:{os.defpath}"}
    program = [str(folder / "ganeti" / install.NETWORK_NAME)]
    return subprocess.run(program, env={**path, **environ}, capture_output=True, text=True, timeout=20, check=False)


def test_what_a_removal_leaves_connects_the_guests_of_others_as_ganeti_does(removed: Path) -> None:
    told = connected(removed, INTERFACE="tap0", INSTANCE="web.example.org")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("ganeti: -e -c source /usr/lib/ganeti/net-common; setup_bridge")
    assert connected(removed, INTERFACE="gnt.com.0", INSTANCE="web.example.org").stdout == ""


def test_what_a_removal_leaves_has_no_guest_of_ours_start_unguarded(removed: Path) -> None:
    told = connected(removed, INTERFACE="tap0", INSTANCE="syros-8f1c")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == (
        f"syros: tap0 of syros-8f1c: {removed}/gone/python is gone: install syros-ganeti-hooks, or purge it\n"
    )


def test_hooks_that_a_removal_leaves_do_nothing(removed: Path) -> None:
    hooks = [path for path in (removed / "hooks").rglob("*") if path.is_file()]
    assert len(hooks) > len(install.HOOK_PATHS)
    master = {"GANETI_MASTER": socket.gethostname(), "GANETI_OP_CODE": "OP_INSTANCE_STARTUP"}
    for hook in hooks:
        ended = subprocess.run([hook], env=master, capture_output=True, text=True, timeout=20, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", ""), hook
    assert list((removed / "spool").iterdir()) == []
