"""Images: what an instance's disk starts as. The bytes lie in the image store of each backend's nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base, projects, sorting
from db.sorting import Order


class Visibility(StrEnum):
    """Who sees an image."""

    PUBLIC = "public"
    #: everybody by its id, nobody in a list that does not ask for such
    COMMUNITY = "community"
    #: its project, and those that it made members
    SHARED = "shared"
    PRIVATE = "private"


class ImageStatus(StrEnum):
    """Whether an image can be used."""

    #: without a file yet
    QUEUED = "queued"
    #: the file is on its way
    SAVING = "saving"
    #: the file is here, and is being checked or converted
    IMPORTING = "importing"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    #: the file was refused
    KILLED = "killed"
    DELETED = "deleted"


class DiskFormat(StrEnum):
    """How the image's file is to be read; VMDK only until it is converted."""

    RAW = "raw"
    QCOW2 = "qcow2"
    VMDK = "vmdk"


class Image(base.Base):
    __tablename__ = "images"
    __table_args__ = (
        base.partial_index("ix_images_live", "created_at", "id", where="deleted_at IS NULL"),
        base.partial_index("ix_images_unfinished", "status", where="status IN ('saving', 'importing')"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255), index=True)
    status: Mapped[ImageStatus] = mapped_column(base.Word(ImageStatus))
    visibility: Mapped[Visibility] = mapped_column(base.Word(Visibility))
    #: the project that owns it; None: the operator's
    project_id: Mapped[str | None] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    #: file name in the image store; None: nothing is deployed, the guest brings its own disk
    file: Mapped[str | None] = mapped_column(sa.String(255))
    disk_format: Mapped[DiskFormat] = mapped_column(base.Word(DiskFormat))
    #: bytes
    size: Mapped[int] = mapped_column(sa.BigInteger)
    #: GiB
    min_disk: Mapped[int] = mapped_column(default=0)
    #: MiB
    min_ram: Mapped[int] = mapped_column(default=0)
    #: MD5 of the file, as clients check what they download
    checksum: Mapped[str | None] = mapped_column(sa.String(128))
    #: SHA-512 of the file
    os_hash: Mapped[str | None] = mapped_column(sa.String(128))
    #: bytes that it takes on a disk; None while nobody has looked
    virtual_size: Mapped[int | None] = mapped_column(sa.BigInteger)
    protected: Mapped[bool] = mapped_column(default=False)
    hidden: Mapped[bool] = mapped_column(default=False)
    tags: Mapped[list[str]] = mapped_column(default=list)
    properties: Mapped[dict[str, str]] = mapped_column(default=dict)
    #: percent of the conversion under way
    progress: Mapped[int | None]
    #: why the file was refused
    fault: Mapped[str | None] = mapped_column(sa.String(500))
    #: the server that it was made of; the row may be gone before the image
    server_id: Mapped[str | None] = mapped_column(sa.String(36), index=True)
    #: of a backup: how many of its series are kept once it is active
    rotation: Mapped[int | None]
    #: who is at work on the file, and until when that counts without another word
    claim: Mapped[str | None] = mapped_column(sa.String(36))
    claimed_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class MemberStatus(StrEnum):
    """What a project that an image is shared with says to it."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Member(base.Base):
    """A project that an image is shared with."""

    __tablename__ = "image_members"

    image_id: Mapped[str] = mapped_column(sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True, index=True)
    status: Mapped[MemberStatus] = mapped_column(base.Word(MemberStatus))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


@dataclass(frozen=True)
class Filter:
    """Which images a list shows; None means any.

    With `changes_since` the deleted ones count too. Community images are listed only where they are asked for.
    """

    name: str | None = None
    #: any of these
    statuses: Sequence[ImageStatus] = ()
    visibility: Visibility | None = None
    #: with community images, where no visibility is named
    community: bool = False
    #: for images that are shared with the project: what it says to them
    member_status: MemberStatus | None = MemberStatus.ACCEPTED
    hidden: bool | None = False
    protected: bool | None = None
    owner: str | None = None
    disk_format: DiskFormat | None = None
    tags: Sequence[str] = ()
    size_min: int | None = None
    size_max: int | None = None
    min_ram: int | None = None
    min_disk: int | None = None
    ids: Sequence[str] | None = None
    #: made of this server
    server_id: str | None = None
    #: made of a server, or not
    snapshot: bool | None = None
    changes_since: datetime | None = None
    #: newest first, if there are none
    orders: Sequence[Order] = ()


#: what lists can be sorted by, by the names that clients use
SORT_KEYS: Mapping[str, sorting.Column] = {
    "created_at": Image.created_at,
    "updated_at": Image.updated_at,
    "id": Image.id,
    "name": Image.name,
    "status": Image.status,
    "visibility": Image.visibility,
    "disk_format": Image.disk_format,
    "size": Image.size,
    "min_disk": Image.min_disk,
    "min_ram": Image.min_ram,
}


def get(session: orm.Session, image_id: str) -> Image | None:
    return session.get(Image, image_id)


def lock(session: orm.Session, image_id: str) -> Image | None:
    """Get an image's row and hold it until the transaction ends."""
    query = sa.select(Image).where(Image.id == image_id).with_for_update(of=Image)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def by_name(session: orm.Session, name: str) -> Sequence[Image]:
    query = sa.select(Image).where(Image.name == name, Image.deleted_at.is_(None))
    return session.scalars(query.order_by(Image.created_at.desc())).all()


def names(session: orm.Session, image_ids: Sequence[str]) -> Mapping[str, str]:
    return dict(session.execute(sa.select(Image.id, Image.name).where(Image.id.in_(image_ids))).all())


def active_of_server(session: orm.Session, server_id: str) -> Sequence[Image]:
    """Hold the images of a server that can be used, newest first."""
    query = sa.select(Image).where(Image.server_id == server_id, Image.status == ImageStatus.ACTIVE)
    return session.scalars(query.order_by(Image.created_at.desc(), Image.id.desc()).with_for_update()).all()


def page(
    session: orm.Session, wanted: Filter, *, limit: int, project_id: str | None, after: Image | None = None
) -> Sequence[Image]:
    """List images: those that a project may see, or all of them if `project_id` is None."""
    query = sa.select(Image).where(*_conditions(wanted))
    if project_id is not None:
        query = query.where(_listed_for(project_id, wanted))
    orders = sorting.complete(wanted.orders or (Order(Image.created_at, descending=True),), Image.id)
    return session.scalars(sorting.arranged(query, orders, after=after).limit(limit)).all()


def owned(session: orm.Session, project_id: str, *, but: str | None = None) -> tuple[int, int]:
    """Tell how many images a project owns and their bytes, one image left out of account.

    Holds the project's row until the transaction ends: two that count at once must not both find room.
    """
    gate = sa.select(projects.Project.id).where(projects.Project.id == project_id)
    session.execute(gate.with_for_update(key_share=True))
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(Image.size), 0)).where(
        Image.project_id == project_id, Image.deleted_at.is_(None)
    )
    count, size = session.execute(query.where(Image.id != but) if but else query).one()
    return int(count), int(size)


def claimable(session: orm.Session, now: datetime) -> str | None:
    """Name an image whose file waits to be checked and that nobody is at work on, the oldest first."""
    query = sa.select(Image.id).where(
        Image.status == ImageStatus.IMPORTING,
        Image.claimed_until.is_(None) | (Image.claimed_until < now),
    )
    return session.scalars(query.order_by(Image.updated_at, Image.id).limit(1)).first()


def abandoned(session: orm.Session, now: datetime) -> Sequence[str]:
    """Name the images whose upload was heard of last too long ago."""
    query = sa.select(Image.id).where(Image.status == ImageStatus.SAVING, Image.claimed_until < now)
    return session.scalars(query.limit(100)).all()


def having(session: orm.Session, image_ids: Sequence[str]) -> Mapping[str, Image]:
    """Get those of the images that there are or were."""
    return {row.id: row for row in session.scalars(sa.select(Image).where(Image.id.in_(image_ids)))}


def member(session: orm.Session, image_id: str, project_id: str) -> Member | None:
    return session.get(Member, (image_id, project_id))


def members(session: orm.Session, image_id: str) -> Sequence[Member]:
    query = sa.select(Member).where(Member.image_id == image_id)
    return session.scalars(query.order_by(Member.created_at, Member.project_id)).all()


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    exact: tuple[tuple[orm.InstrumentedAttribute[Any], object], ...] = (
        (Image.name, wanted.name),
        (Image.visibility, wanted.visibility),
        (Image.hidden, wanted.hidden),
        (Image.protected, wanted.protected),
        (Image.project_id, wanted.owner),
        (Image.disk_format, wanted.disk_format),
        (Image.min_ram, wanted.min_ram),
        (Image.min_disk, wanted.min_disk),
        (Image.server_id, wanted.server_id),
    )
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in exact if value is not None]
    if wanted.changes_since is None:
        found.append(Image.deleted_at.is_(None))
    else:
        found.append(Image.updated_at >= wanted.changes_since)
    if wanted.statuses:
        found.append(Image.status.in_(wanted.statuses))
    if wanted.size_min is not None:
        found.append(Image.size >= wanted.size_min)
    if wanted.size_max is not None:
        found.append(Image.size <= wanted.size_max)
    if wanted.snapshot is not None:
        found.append(Image.server_id.is_not(None) if wanted.snapshot else Image.server_id.is_(None))
    if wanted.ids is not None:
        found.append(Image.id.in_(wanted.ids))
    # as text, since the two databases have no JSON operator in common; a quote within a tag is escaped
    found.extend(
        sa.cast(Image.tags, sa.Text).contains(json.dumps(tag, ensure_ascii=False), autoescape=True)
        for tag in wanted.tags
    )
    return found


def _listed_for(project_id: str, wanted: Filter) -> sa.ColumnElement[bool]:
    shared = sa.exists().where(Member.image_id == Image.id, Member.project_id == project_id)
    if wanted.member_status is not None:
        shared = shared.where(Member.status == wanted.member_status)
    listed = (
        (Image.visibility == Visibility.PUBLIC)
        | (Image.project_id == project_id)
        | ((Image.visibility == Visibility.SHARED) & shared)
    )
    if wanted.community or wanted.visibility is Visibility.COMMUNITY:
        listed = listed | (Image.visibility == Visibility.COMMUNITY)
    return listed
