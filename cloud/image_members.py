"""Whom an image is shared with: its owner names projects, and each says whether it wants the image in its lists."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from cloud import image_changes, images, policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common.errors import Conflict, Forbidden, NotFound
from db import images as image_rows
from db.images import Image, Member, MemberStatus, Visibility

_MOST = 128


def add(cloud: Cloud, caller: Caller, image_id: str, project_id: str) -> Member:
    """Share an image with a project; raises NotFound, Forbidden, Conflict for one that is a member already."""
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        image = image_changes.hold(db, caller, image_id)
        _require_shared(image)
        if image_rows.member(db, image_id, project_id) is not None:
            raise Conflict(f"image {image_id} is shared with {project_id} already")
        if len(image_rows.members(db, image_id)) >= _MOST:
            raise Conflict(f"image {image_id} is shared with {_MOST} projects, and can't be with more")
        member = Member(
            image_id=image_id, project_id=project_id, status=MemberStatus.PENDING, created_at=now, updated_at=now
        )
        db.add(member)
    return member


def page(cloud: Cloud, caller: Caller, image_id: str) -> Sequence[Member]:
    """List an image's members: all of them for its owner, itself for a member; raises NotFound, Forbidden."""
    with cloud.sessions.read() as db:
        image = images.visible(db, caller, image_rows.get(db, image_id), image_id)
        _require_shared(image)
        found = image_rows.members(db, image_id)
        return found if _owns(caller, image) else [row for row in found if row.project_id == caller.project_id]


def get(cloud: Cloud, caller: Caller, image_id: str, project_id: str) -> Member:
    """Give one member; raises NotFound, also for others than the caller's own project unless it owns the image."""
    with cloud.sessions.read() as db:
        image = images.visible(db, caller, image_rows.get(db, image_id), image_id)
        return _member(db, caller, image, project_id)


def answer(cloud: Cloud, caller: Caller, image_id: str, project_id: str, *, status: MemberStatus) -> Member:
    """Say what a member says to the image; raises NotFound, Forbidden to everybody but the member and admins."""
    with cloud.sessions.begin() as db:
        image = images.visible(db, caller, image_rows.lock(db, image_id), image_id)
        member = _member(db, caller, image, project_id)
        policy.require(caller, Operation.IMAGE_WRITE)
        if project_id != caller.project_id:
            policy.require(caller, Operation.IMAGE_WRITE_ALL)
        member.status = status
        member.updated_at = cloud.clock()
    return member


def remove(cloud: Cloud, caller: Caller, image_id: str, project_id: str) -> None:
    """Share an image no longer with a project; raises NotFound, Forbidden to everybody but the owner and admins."""
    with cloud.sessions.begin() as db:
        image = image_changes.hold(db, caller, image_id)
        db.delete(_member(db, caller, image, project_id))


def _member(db: Session, caller: Caller, image: Image, project_id: str) -> Member:
    _require_shared(image)
    member = image_rows.member(db, image.id, project_id)
    if member is None or not (_owns(caller, image) or project_id == caller.project_id):
        raise NotFound(f"image {image.id} is not shared with {project_id}")
    return member


def _owns(caller: Caller, image: Image) -> bool:
    return image.project_id == caller.project_id or policy.allows(caller.roles, Operation.IMAGE_WRITE_ALL)


def _require_shared(image: Image) -> None:
    if image.visibility is not Visibility.SHARED:
        raise Forbidden(f"image {image.id} is {image.visibility}; only those that are shared have members")
