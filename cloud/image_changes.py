"""What owners and admins do to images, their files apart: register, change, tag, deactivate, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cloud import backups, images, policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from db import images as image_rows
from db import projects
from db.images import DiskFormat, Image, ImageStatus, Visibility

_PROPERTIES = 128
_TAGS = 128


@dataclass(frozen=True)
class NewImage:
    """An image that has no file yet; sizes in GiB and MiB. Without an owner it is the caller's project's."""

    name: str
    disk_format: DiskFormat = DiskFormat.RAW
    id: str | None = None
    owner: str | None = None
    visibility: Visibility = Visibility.SHARED
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    hidden: bool = False
    tags: Sequence[str] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


class Verb(StrEnum):
    """What a change does."""

    #: set one of the image's own attributes
    SET = "set"
    #: set a property, there or not
    PUT = "put"
    #: set a property that is there
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True)
class Change:
    """One step of an update; an attribute's value is of its type, a property's is text."""

    verb: Verb
    name: str
    value: object = None


def create(cloud: Cloud, caller: Caller, spec: NewImage) -> Image:
    """Register an image; raises Forbidden, Conflict for an id that is taken, Invalid, QuotaExceeded."""
    try:
        with cloud.sessions.begin() as db:
            return insert(db, cloud, caller, spec)
    except IntegrityError as err:
        raise Conflict(f"the id {spec.id} is taken") from err


def insert(db: Session, cloud: Cloud, caller: Caller, spec: NewImage) -> Image:
    """Register an image within a transaction; raises as `create` does, but for an id that is taken."""
    require_uploads(cloud, caller)
    owner = spec.owner or caller.project_id
    if owner != caller.project_id:
        policy.require(caller, Operation.IMAGE_WRITE_ALL)
    if spec.visibility is Visibility.PUBLIC:
        policy.require(caller, Operation.IMAGE_PUBLISH)
    _check_counts(spec.tags, spec.properties)
    if projects.get(db, owner) is None:
        raise Invalid(f"owner: there is no project {owner}")
    _check_quota(db, cloud, caller, owner)
    image = _new(spec, owner, cloud.clock())
    db.add(image)
    return image


def update(cloud: Cloud, caller: Caller, image_id: str, changes: Sequence[Change]) -> Image:
    """Make all of the changes, in their order, or none; raises NotFound, Forbidden, Conflict, Invalid."""
    with cloud.sessions.begin() as db:
        image = hold(db, caller, image_id)
        for change in changes:
            _apply(db, caller, image, change)
        _check_counts(image.tags, image.properties)
        if changes:
            image.updated_at = cloud.clock()
    return image


def set_properties(
    cloud: Cloud, caller: Caller, image_id: str, decide: Callable[[Mapping[str, str]], Mapping[str, str]]
) -> Image:
    """Give an image the properties that `decide` makes of those it has; raises as `update` does."""
    with cloud.sessions.begin() as db:
        image = hold(db, caller, image_id)
        found = dict(decide(image.properties))
        _check_counts(image.tags, found)
        image.properties = found
        image.updated_at = cloud.clock()
    return image


def add_tag(cloud: Cloud, caller: Caller, image_id: str, tag: str) -> None:
    """Tag an image; a second time changes nothing."""
    with cloud.sessions.begin() as db:
        image = hold(db, caller, image_id)
        if tag not in image.tags:
            _check_counts([*image.tags, tag], image.properties)
            image.tags = [*image.tags, tag]
            image.updated_at = cloud.clock()


def remove_tag(cloud: Cloud, caller: Caller, image_id: str, tag: str) -> None:
    """Take a tag off; raises NotFound if it is not on."""
    with cloud.sessions.begin() as db:
        image = hold(db, caller, image_id)
        if tag not in image.tags:
            raise NotFound(f"image {image_id} has no tag {tag}")
        image.tags = [each for each in image.tags if each != tag]
        image.updated_at = cloud.clock()


def deactivate(cloud: Cloud, caller: Caller, image_id: str) -> None:
    """Keep an image from being used and downloaded; a second time changes nothing. For admins."""
    _turn(cloud, caller, image_id, {ImageStatus.ACTIVE: ImageStatus.DEACTIVATED})


def reactivate(cloud: Cloud, caller: Caller, image_id: str) -> None:
    """Let a deactivated image be used again; a second time changes nothing. For admins."""
    _turn(cloud, caller, image_id, {ImageStatus.DEACTIVATED: ImageStatus.ACTIVE})


def delete(cloud: Cloud, caller: Caller, image_id: str) -> None:
    """Delete an image; raises NotFound, Forbidden, also for a protected one. Servers made from it keep running.

    Its file goes later, and an upload or a conversion under way finds out by itself.
    """
    with cloud.sessions.begin() as db:
        image = hold(db, caller, image_id)
        if image.protected:
            raise Forbidden(f"image {image_id} is protected and can't be deleted")
        backups.remove(image, cloud.clock())


def hold(db: Session, caller: Caller, image_id: str) -> Image:
    """Give an image that the caller may change, its row held; raises NotFound, Forbidden."""
    image = images.visible(db, caller, image_rows.lock(db, image_id), image_id)
    policy.require(caller, Operation.IMAGE_WRITE)
    if image.project_id != caller.project_id:
        policy.require(caller, Operation.IMAGE_WRITE_ALL)
    return image


def require_uploads(cloud: Cloud, caller: Caller) -> None:
    """Raise Forbidden for a caller who may not bring images into the cloud."""
    policy.require(caller, Operation.IMAGE_WRITE)
    if cloud.images.uploads == "admin" and not policy.allows(caller.roles, Operation.IMAGE_WRITE_ALL):
        raise Forbidden("only admins make images in this cloud")


def _new(spec: NewImage, owner: str, now: datetime) -> Image:
    return Image(
        id=spec.id or names.new_id(),
        name=spec.name,
        status=ImageStatus.QUEUED,
        visibility=spec.visibility,
        project_id=owner,
        disk_format=spec.disk_format,
        size=0,
        min_disk=spec.min_disk,
        min_ram=spec.min_ram,
        protected=spec.protected,
        hidden=spec.hidden,
        tags=list(dict.fromkeys(spec.tags)),
        properties=dict(spec.properties),
        created_at=now,
        updated_at=now,
    )


def _apply(db: Session, caller: Caller, image: Image, change: Change) -> None:
    if change.verb is Verb.SET:
        _set(db, caller, image, change)
        return
    there = change.name in image.properties
    if change.verb is not Verb.PUT and not there:
        raise Conflict(f"the image has no property {change.name}")
    kept = {key: value for key, value in image.properties.items() if key != change.name}
    if change.verb is not Verb.REMOVE:
        kept[change.name] = str(change.value)
    image.properties = kept


# Any: each attribute's value was checked to be of its type by who read the request.
def _set(db: Session, caller: Caller, image: Image, change: Change) -> None:
    value: Any = change.value
    if change.name == "visibility" and value is Visibility.PUBLIC and image.visibility is not Visibility.PUBLIC:
        policy.require(caller, Operation.IMAGE_PUBLISH)
    if change.name == "project_id" and value != image.project_id:
        policy.require(caller, Operation.IMAGE_WRITE_ALL)
        if projects.get(db, value) is None:
            raise Invalid(f"owner: there is no project {value}")
    if change.name == "disk_format" and value is not image.disk_format and image.status is not ImageStatus.QUEUED:
        raise Forbidden("disk_format: it can't be changed once there is a file")
    setattr(image, change.name, value)


def _turn(cloud: Cloud, caller: Caller, image_id: str, moves: Mapping[ImageStatus, ImageStatus]) -> None:
    with cloud.sessions.begin() as db:
        image = images.visible(db, caller, image_rows.lock(db, image_id), image_id)
        policy.require(caller, Operation.IMAGE_DEACTIVATE)
        if image.status in moves.values():
            return
        if image.status not in moves:
            raise Forbidden(f"image {image_id} is {image.status}: only one that is active or deactivated can be turned")
        image.status = moves[image.status]
        image.updated_at = cloud.clock()


def _check_quota(db: Session, cloud: Cloud, caller: Caller, owner: str) -> None:
    most = cloud.images.quota_images
    if most < 0 or policy.allows(caller.roles, Operation.IMAGE_WRITE_ALL):
        return
    count, _ = image_rows.owned(db, owner)
    if count >= most:
        raise QuotaExceeded(f"quota exceeded for images: used {count} of {most}")


def _check_counts(tags: Sequence[str], properties: Mapping[str, str]) -> None:
    if len(tags) > _TAGS:
        raise Invalid(f"tags: {_TAGS} at most")
    if len(properties) > _PROPERTIES:
        raise Invalid(f"an image has {_PROPERTIES} properties at most")
