"""What an operator may decide about images; the same for every program that works on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common import config

GIB = 1024**3


@dataclass(frozen=True)
class ImageSettings:
    """The image store, and who may put how much into it."""

    store: Path = config.setting(
        Path("/srv/syros/images"), "directory of the images' files; the API servers and the Ganeti nodes share it"
    )
    uploads: str = config.setting("members", "who may make and upload images: members or admin")
    max_size: float = config.setting(100.0, "GiB that an uploaded file may have")
    max_disk: float = config.setting(1024.0, "GiB that an image may take on a disk, as its own header says")
    keep_free: float = config.setting(1.0, "GiB of the store's file system that uploads leave free")
    quota_images: int = config.setting(100, "images that a project may have; -1 for no limit")
    quota_size: float = config.setting(200.0, "GiB that a project's images may have together; -1 for no limit")
    worker: bool = config.setting(True, "whether the API's processes check and convert what was uploaded")
    lease: float = config.setting(120.0, "seconds of silence after which an upload or a conversion counts as broken")
    patience: float = config.setting(7200.0, "seconds that a conversion may take")
    linger: float = config.setting(600.0, "seconds that the file of a deleted image stays, for servers that begin")

    def __post_init__(self) -> None:
        if self.uploads not in ("members", "admin"):
            raise config.ConfigError(f"[images] uploads: {self.uploads!r} is neither members nor admin")


def size(gib: float) -> int:
    """Give a number of GiB in bytes."""
    return int(gib * GIB)
