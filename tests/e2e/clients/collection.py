"""Takes one namespace of collections out of the package `ansible`, which brings them all: half a gigabyte."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def main(namespace: str, packages: str, folder: str) -> None:
    """Unpack it from the wheel in `packages`, into `folder`/ansible_collections."""
    (wheel,) = Path(packages).glob("ansible-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        wanted = [name for name in archive.namelist() if name.startswith(f"ansible_collections/{namespace}/")]
        archive.extractall(folder, wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
