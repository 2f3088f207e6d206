"""The packages, as Debian's own tools see them."""

import subprocess
from pathlib import Path

import pytest

from tests.deb.conftest import ROOT


def test_there_is_one_for_every_role(packages: list[Path]) -> None:
    assert [package.name.partition("_")[0].removeprefix("syros-") for package in packages] == [
        "allinone", "apiserver", "common", "dispatcher", "eventd", "ganeti-hooks", "manage", "metadatad", "nfdhcpd",
        "node", "seriald", "vncauthproxy",
    ]  # fmt: skip


def lint(*files: Path) -> str:
    """Have lintian look; give what it says. Its errors and warnings fail the test, unless an override names them."""
    done = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--display-info", "--allow-root", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    grave = [line for line in done.stdout.splitlines() if line.startswith(("E: ", "W: "))]
    assert (done.returncode, grave) == (0, []), done.stderr
    return done.stdout


def test_lintian_finds_nothing_in_the_packages_that_is_not_explained(packages: list[Path]) -> None:
    assert [line for line in lint(*packages).splitlines() if "-override " in line] == []


def test_lintian_finds_nothing_in_the_source_that_is_not_explained(tmp_path: Path) -> None:
    tree = tmp_path / "syros"
    tree.mkdir()
    copy = 'cd "$0" && git ls-files -z | xargs -0 cp -P --parents -t "$1"'
    subprocess.run(["sh", "-euc", copy, str(ROOT), str(tree)], check=True, timeout=120)
    subprocess.run(["dpkg-source", "--build", "syros"], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    (source,) = tmp_path.glob("*.dsc")
    assert [line for line in lint(source).splitlines() if "-override " in line] == []


@pytest.mark.parametrize("file", sorted((ROOT / "debian").rglob("*lintian-overrides")), ids=lambda file: file.name)
def test_an_override_says_why(file: Path) -> None:
    assert file.read_text().startswith("# ")


def test_nothing_of_the_machine_that_built_them_is_in_them(packages: list[Path], tmp_path: Path) -> None:
    (common,) = (package for package in packages if package.name.startswith("syros-common_"))
    subprocess.run(["dpkg-deb", "-x", common, tmp_path], check=True, timeout=120)
    built_in = str(packages[0].parent).encode()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and built_in in path.read_bytes()] == []


def test_the_virtualenv_comes_with_no_other_python_than_its_own(packages: list[Path], tmp_path: Path) -> None:
    (common,) = (package for package in packages if package.name.startswith("syros-common_"))
    subprocess.run(["dpkg-deb", "-x", common, tmp_path], check=True, timeout=120)
    (folder,) = (tmp_path / "opt/venvs/syros/lib").glob("python3.*")
    minor = int(folder.name.removeprefix("python3."))
    asked = ["dpkg-deb", "--field", common, "Depends"]
    depends = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    assert f"python3 (>= 3.{minor}~), python3 (<< 3.{minor + 1}~)" in depends
