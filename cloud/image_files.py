"""Images' files, for whoever may download them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloud import image_store, images, policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common.errors import Forbidden, NotFound
from db.images import ImageStatus


@dataclass(frozen=True)
class ImageFile:
    """A file of the store, and its MD5 where it is known."""

    path: Path
    checksum: str | None


def find(cloud: Cloud, caller: Caller, image_id: str) -> ImageFile | None:
    """Give an image's file, None while it has none; raises NotFound, Forbidden for one that is deactivated."""
    image = images.get(cloud, caller, image_id)
    if image.status is ImageStatus.DEACTIVATED and not policy.allows(caller.roles, Operation.IMAGE_DEACTIVATE):
        raise Forbidden(f"image {image_id} is deactivated")
    if image.file is None or image.status not in (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED):
        return None
    path = image_store.of(cloud.images).file(image.file)
    if not path.is_file():
        raise NotFound(f"the file of image {image_id} is not in this image store")
    return ImageFile(path, image.checksum)
