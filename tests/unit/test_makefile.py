"""What `make` installs, where several of it run at once in one clone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0

#: stands for python3, and for the Python of a virtualenv; two pips in one virtualenv at a time fail, as real ones may
PYTHON = """#!/bin/sh
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo venv >>said ;;
    *" --version") ;;
    *" install "*) mkdir busy && sleep 0.3 && rmdir busy && echo install >>said ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def make(clone: Path, target: str) -> subprocess.Popen[str]:
    # a `make` that runs the tests says to its own children how they are to be run
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    command = ["make", f"PYTHON={clone}/python", target]
    return subprocess.Popen(command, cwd=clone, env=environ, stderr=subprocess.PIPE, text=True)


def test_two_at_once_install_one_after_the_other(clone: Path) -> None:
    running = [make(clone, target) for target in (".venv/.run", ".venv/.dev")]
    for each in running:
        _, said = each.communicate(timeout=PATIENCE)
        assert each.returncode == 0, said
    assert (clone / "said").read_text().split().count("venv") == 1
    assert all((clone / ".venv" / name).exists() for name in (".run", ".dev"))


def test_two_of_a_kind_install_once(clone: Path) -> None:
    running = [make(clone, ".venv/.dev") for _ in range(2)]
    for each in running:
        _, said = each.communicate(timeout=PATIENCE)
        assert each.returncode == 0, said
    assert (clone / "said").read_text().split() == ["venv", "install"]
