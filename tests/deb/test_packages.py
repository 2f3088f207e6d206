"""The packages, as Debian's own tools see them."""

import subprocess
from pathlib import Path


def test_there_is_one_for_every_role(packages: list[Path]) -> None:
    assert [package.name.partition("_")[0].removeprefix("syros-") for package in packages] == [
        "allinone", "apiserver", "common", "dispatcher", "eventd", "ganeti-hooks", "manage", "metadatad", "nfdhcpd",
        "node", "seriald", "vncauthproxy",
    ]  # fmt: skip


def test_lintian_finds_no_error(packages: list[Path]) -> None:
    done = subprocess.run(
        ["lintian", "--fail-on", "error", "--allow-root", *map(str, packages)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_the_machine_that_built_them_is_in_them(packages: list[Path], tmp_path: Path) -> None:
    (common,) = (package for package in packages if package.name.startswith("syros-common_"))
    subprocess.run(["dpkg-deb", "-x", common, tmp_path], check=True, timeout=120)
    built_in = str(packages[0].parent).encode()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and built_in in path.read_bytes()] == []
