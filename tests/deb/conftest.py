"""The packages, built once, and a Debian machine with systemd on which they are installed."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import machine as machines
from lab import process, scratch
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
BUILD_TIMEOUT = 900.0
#: what the tests run in the machine besides: autopkgtest, which asks for dpkg-dev
_TOOLS = "apt-get install -y --no-install-recommends autopkgtest dpkg-dev"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: str, section: str) -> list[str]:
    """Give the blocks of commands in a section of the documentation: what is documented is what is tried.

    What is under the section's own headings is of it too. Raises KeyError if there is no such section.
    """
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    heading = re.search(rf"^(#+) {re.escape(section)}\n", text, re.MULTILINE)
    if heading is None:
        raise KeyError(f"{page} has no section {section!r}")
    rest = text[heading.end() :]
    following = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return _BLOCK.findall(rest[: following.start()] if following else rest)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every package, built from this checkout as `make deb` builds them."""
    if subprocess.run(["dpkg-checkbuilddeps"], cwd=ROOT, capture_output=True, check=False).returncode:
        missing("what the packages are built with is not installed")
    folder = tmp_path_factory.mktemp("deb")
    process.run([str(ROOT / "debian/build"), str(folder)], timeout=BUILD_TIMEOUT)
    return sorted(folder.glob("*.deb"))


@pytest.fixture(scope="module")
def machine(packages: list[Path]) -> Iterator[machines.Machine]:
    """A machine with every role, PostgreSQL and RabbitMQ on it, which is up; nothing is set up yet."""
    if reason := machines.unavailable():
        missing(reason)
    folder = scratch.folder("machine")
    made = machines.Machine(folder / "root", folder / "console.log")
    try:
        made.make()
        target = made.root / "packages/build/deb"
        target.mkdir(parents=True)
        for package in packages:
            (target / package.name).write_bytes(package.read_bytes())
        installing, _, _ = commands("install.md", "One machine")
        made.prepare(f"apt-get update -q\n{installing}\n{_TOOLS}", folder="/packages")
        made.boot()
        yield made
    finally:
        made.stop()
        scratch.remove(folder)
