"""The packages, built once, and a Debian machine with systemd on which they are installed."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import machine as machines
from lab import process, scratch
from tests.conftest import missing
from tests.deb.site import add_packages

ROOT = Path(__file__).parents[2]
#: a kernel may be without nftables' `queue`, which nfdhcpd's rules say
WITHOUT_RULES = "[Service]\nExecStartPre=\n"
BUILD_TIMEOUT = 900.0
#: what the tests run in the machine besides: autopkgtest, which asks for dpkg-dev
_TOOLS = "apt-get install -y --no-install-recommends autopkgtest dpkg-dev"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def commands(page: str, section: str) -> list[str]:
    """Give the blocks of commands in a section of the documentation: what is documented is what is tried.

    What is under the section's own headings is of it too. Raises KeyError if there is no such section.
    """
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    # a comment of a shell's looks like a heading
    prose = _FENCED.sub(lambda block: " " * len(block[0]), text)
    heading = re.search(rf"^(#+) {re.escape(section)}\n", prose, re.MULTILINE)
    if heading is None:
        raise KeyError(f"{page} has no section {section!r}")
    following = re.compile(rf"^#{{1,{len(heading[1])}}} ", re.MULTILINE).search(prose, heading.end())
    return _BLOCK.findall(text[heading.end() : following.start() if following else None])


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every package, built from this checkout as `make deb` builds them."""
    if subprocess.run(["dpkg-checkbuilddeps"], cwd=ROOT, capture_output=True, check=False).returncode:
        missing("what the packages are built with is not installed")
    folder = tmp_path_factory.mktemp("deb")
    process.run([str(ROOT / "debian/build"), str(folder)], timeout=BUILD_TIMEOUT)
    return sorted(folder.glob("*.deb"))


@pytest.fixture(scope="session")
def bare() -> Iterator[machines.Machine]:
    """A bare Debian that others are copied from; it is never up."""
    if reason := machines.unavailable():
        missing(reason)
    folder = scratch.folder("bare")
    made = machines.Machine(folder / "root", folder / "console.log")
    try:
        # what Debian's installer leaves on a machine, and its smallest variant does not have
        made.make("cron", "ifupdown", "openssh-server")
        yield made
    finally:
        scratch.remove(folder)


@pytest.fixture(scope="module")
def machine(bare: machines.Machine, packages: list[Path]) -> Iterator[machines.Machine]:
    """A machine with every role, PostgreSQL and RabbitMQ on it, which is up; nothing is set up yet."""
    folder = scratch.folder("machine")
    made = machines.Machine(folder / "root", folder / "console.log")
    try:
        made.copy(bare)
        add_packages(made, packages)
        installing, _, _ = commands("install.md", "One machine")
        made.prepare(f"apt-get update -q\n{installing}\n{_TOOLS}", folder="/packages")
        made.boot()
        yield made
    finally:
        made.stop()
        scratch.remove(folder)
