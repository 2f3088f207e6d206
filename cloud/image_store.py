"""The image store: a directory that the API servers and the Ganeti nodes share.

A file takes its name only when it is whole and on the disk; until then it is a part, whose name begins with a dot.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cloud import image_settings
from cloud.image_settings import ImageSettings
from common.errors import Unavailable

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PART = re.compile(rf"\.({_ID})\.[0-9a-f-]{{36}}\.part")
_FILE = re.compile(rf"({_ID})\.(?:raw|qcow2|upload)")


@dataclass(frozen=True)
class Kept:
    """A file of the store that its name says to be of an image."""

    path: Path
    image_id: str
    #: not whole, or not any more
    part: bool


@dataclass(frozen=True)
class Store:
    """A directory, and the bytes of its file system that stay free."""

    folder: Path
    keep_free: int

    def file(self, name: str) -> Path:
        """Give the path of a file by its name, which names nothing outside the store."""
        if "/" in name or name.startswith("."):
            raise ValueError(f"not a name in the store: {name!r}")
        return self.folder / name

    def part(self, image_id: str, claim: str) -> Path:
        """Give the path of what is being written, by who writes it."""
        return self.folder / f".{image_id}.{claim}.part"

    def room(self) -> int:
        """Tell how many bytes may be written; raises Unavailable for a store that is not there."""
        try:
            return shutil.disk_usage(self.folder).free - self.keep_free
        except OSError as err:
            raise Unavailable("the image store is not available; its operator has to mount or make it") from err

    def prepare(self) -> None:
        """Make the directory where it is missing; raises Unavailable."""
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as err:
            raise Unavailable("the image store is not available; its operator has to mount or make it") from err

    def publish(self, part: Path, name: str) -> None:
        """Give a part its name, at once, after its bytes are on the disk; what had the name is replaced."""
        # nodes read it as another user, or over NFS
        part.chmod(0o644)
        _sync(part)
        part.replace(self.file(name))
        _sync(self.folder)

    def kept(self) -> Iterator[Kept]:
        """List the files that are of images; the operator's own, by other names, are left out."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if found := _PART.fullmatch(path.name):
                yield Kept(path, found[1], part=True)
            elif found := _FILE.fullmatch(path.name):
                yield Kept(path, found[1], part=False)


def of(settings: ImageSettings) -> Store:
    """Give the store that the settings name."""
    return Store(settings.store, image_settings.size(settings.keep_free))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
