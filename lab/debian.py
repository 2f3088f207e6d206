"""A Debian in a folder, from the archive that this machine uses."""

from collections.abc import Sequence
from pathlib import Path

from lab import process

SUITE = "bookworm"

_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_TIMEOUT = 900.0


def install(root: Path, packages: Sequence[str], *options: str) -> None:
    """Make a minimal one with these packages too: about a minute. Raises LabError."""
    sources = [str(_SOURCES)] if _SOURCES.exists() else []
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}", *options]
    process.run([*command, SUITE, str(root), *sources], timeout=_TIMEOUT)
