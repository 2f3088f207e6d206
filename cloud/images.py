"""Images, as callers see and operators keep them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from cloud import policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import Invalid, NotFound
from db import images
from db.images import DiskFormat, Filter, Image, ImageStatus, Visibility

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


@dataclass(frozen=True)
class ImageSpec:
    """A new image; `file` lies in the image store already. Sizes: bytes, GiB and MiB."""

    name: str
    file: str | None
    disk_format: DiskFormat = DiskFormat.RAW
    size: int = 0
    min_disk: int = 0
    min_ram: int = 0
    visibility: Visibility = Visibility.PUBLIC
    project_id: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


def get(cloud: Cloud, caller: Caller, image_id: str) -> Image:
    """Give an image that the caller may use; raises NotFound."""
    policy.require(caller, Operation.IMAGE_READ)
    with cloud.sessions.read() as db:
        return visible(db, caller, images.get(db, image_id), image_id)


def page(cloud: Cloud, caller: Caller, wanted: Filter, *, limit: int, marker: str | None = None) -> Sequence[Image]:
    """List images, newest first; raises Invalid for an unknown marker."""
    policy.require(caller, Operation.IMAGE_READ)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            try:
                after = visible(db, caller, images.get(db, marker), marker)
            except NotFound as err:
                raise Invalid(f"marker: {err}") from err
        project_id = None if caller.admin else caller.project_id
        return images.page(db, wanted, limit=limit, project_id=project_id, after=after)


def usable(db: Session, caller: Caller, image_id: str) -> Image:
    """Give the image that a request names; raises Invalid, since it is the request that is wrong."""
    try:
        image = visible(db, caller, images.get(db, image_id), image_id)
    except NotFound as err:
        raise Invalid(f"imageRef: {err}") from err
    if image.status is not ImageStatus.ACTIVE:
        raise Invalid(f"imageRef: image {image_id} is {image.status}")
    return image


def add(cloud: Cloud, spec: ImageSpec) -> Image:
    """Register an image whose file is in the image store; raises Invalid for a name that could lead elsewhere."""
    if spec.file is not None and not _FILE.fullmatch(spec.file):
        raise Invalid(f"file: {spec.file!r} is not a plain file name")
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        image = Image(
            id=names.new_id(),
            name=spec.name,
            status=ImageStatus.ACTIVE,
            visibility=spec.visibility,
            project_id=spec.project_id,
            file=spec.file,
            disk_format=spec.disk_format,
            size=spec.size,
            min_disk=spec.min_disk,
            min_ram=spec.min_ram,
            properties=dict(spec.properties),
            created_at=now,
            updated_at=now,
        )
        db.add(image)
    return image


def remove(cloud: Cloud, image_id: str) -> None:
    """Take an image off the list; raises NotFound. Servers made from it keep running."""
    with cloud.sessions.begin() as db:
        image = images.get(db, image_id)
        if image is None or image.deleted_at is not None:
            raise NotFound(f"there is no image {image_id}")
        image.deleted_at = image.updated_at = cloud.clock()
        image.status = ImageStatus.DELETED


def visible(db: Session, caller: Caller, image: Image | None, image_id: str) -> Image:
    """Give the image if the caller may know of it; raises NotFound."""
    if image is None or image.deleted_at is not None or not _seen(db, caller, image):
        raise NotFound(f"there is no image {image_id}")
    return image


def _seen(db: Session, caller: Caller, image: Image) -> bool:
    if caller.admin or image.visibility in (Visibility.PUBLIC, Visibility.COMMUNITY):
        return True
    if image.project_id == caller.project_id:
        return True
    return image.visibility is Visibility.SHARED and images.member(db, image.id, caller.project_id) is not None
