"""What Debian's piuparts finds: all packages, installed without a running systemd and purged, leave nothing."""

import os
import shutil
import subprocess
from pathlib import Path

from lab import debian, process
from tests.conftest import missing

#: base-files makes /opt without owning it, so that it goes with the last package that has something in it
_EXPECTED = "/opt"
_TIMEOUT = 900.0


def test_piuparts_finds_nothing(packages: list[Path], tmp_path: Path) -> None:
    if shutil.which("piuparts") is None or os.geteuid() != 0:
        missing("not installed, or not root: piuparts")
    repository = tmp_path / "repository"
    repository.mkdir()
    for package in packages:
        shutil.copy(package, repository)
    # they depend on each other: piuparts gets what a package needs from an archive
    index = subprocess.run(
        ["dpkg-scanpackages", "."], cwd=repository, capture_output=True, text=True, timeout=120, check=True
    )
    (repository / "Packages").write_text(index.stdout)
    base = tmp_path / "base.tar.gz"
    debian.install(base, ("ca-certificates", "eatmydata"))
    said = process.run(
        [
            *("piuparts", "--basetgz", str(base), "--distribution", debian.SUITE, "--log-level", "error"),
            *("--apt", "--bindmount", str(repository), "--extra-repo", f"deb [trusted=yes] file://{repository} ./"),
            # what dependencies leave behind is theirs to mend; test_upgrade.py upgrades
            *("--warn-on-others", "--no-upgrade-test", "--ignore", _EXPECTED, "syros-allinone"),
        ],
        timeout=_TIMEOUT,
    )
    assert "FAIL" not in said
