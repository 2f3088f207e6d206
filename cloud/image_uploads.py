"""Uploads: an image's bytes, from a stream into the store, once, and whole or not at all.

The row is claimed before the first byte and renewed on the way; whoever has lost the claim keeps nothing. Broken
uploads leave a part, which the importer sweeps, and a row that is then queued again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from cloud import backups, image_changes, image_formats, image_settings, image_store, policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import CloudError, Conflict, Invalid, QuotaExceeded, Unavailable
from db import images
from db.images import DiskFormat, Image, ImageStatus

log = logging.getLogger(__name__)

CHUNK = 1024 * 1024
#: bytes between looks at the room that is left
_STRIDE = 64 * CHUNK


class Stream(Protocol):
    """Where the bytes come from; a read may give fewer than asked for, and none at the end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Upload:
    """An upload under way, and the bytes that it may bring."""

    image_id: str
    claim: str
    form: DiskFormat
    most: int
    owner: str | None
    limited: bool


@dataclass(frozen=True)
class Received:
    """A file that is whole."""

    size: int
    checksum: str
    os_hash: str
    head: bytes


def receive(cloud: Cloud, caller: Caller, image_id: str, stream: Stream, *, length: int | None = None) -> None:
    """Give a queued image its file; raises NotFound, Forbidden, Conflict, Invalid, QuotaExceeded, Unavailable.

    A raw file makes the image active at once; others are checked and converted by the importer. `length`, where it is
    known, has what is too large refused before it is sent. When the stream breaks, its error passes through.
    """
    image_changes.require_uploads(cloud, caller)
    image_store.of(cloud.images).prepare()
    with cloud.sessions.begin() as db:
        image = image_changes.hold(db, caller, image_id)
        if image.status is not ImageStatus.QUEUED:
            raise Conflict(f"image {image_id} is {image.status}; only one that is queued takes a file")
        limited = not policy.allows(caller.roles, Operation.IMAGE_WRITE_ALL)
        upload = claim(db, cloud, image, limited=limited)
    take(cloud, upload, stream, length=length)


def claim(db: Session, cloud: Cloud, image: Image, *, limited: bool) -> Upload:
    """Begin an upload to an image that waits for its file, its row held; raises Invalid for a format.

    `limited` tells whether the project's quota counts.
    """
    if image.disk_format is not DiskFormat.RAW and not image_formats.available():
        raise Invalid(
            f"disk_format: {image.disk_format} can't be checked here, since qemu-img is not installed; raw is taken"
        )
    now = cloud.clock()
    image.status = ImageStatus.SAVING
    image.claim = names.new_id()
    image.claimed_until = now + timedelta(seconds=cloud.images.lease)
    image.updated_at = now
    most = image_settings.size(cloud.images.max_size)
    if limited and image.project_id is not None:
        most = min(most, _quota_left(db, cloud, image.project_id, image.id))
    return Upload(image.id, image.claim, image.disk_format, most, image.project_id, limited)


def take(cloud: Cloud, upload: Upload, stream: Stream, *, length: int | None) -> None:
    """Take in the file of an upload that has begun; raises as `receive` does."""
    store = image_store.of(cloud.images)
    image_id = upload.image_id
    part = store.part(image_id, upload.claim)
    with _undone_unless_finished(cloud, upload, part):
        _check_length(store, upload, length)
        received = _copy(cloud, store, upload, stream, part)
        _check_content(upload, received, length)
        _renew(cloud, upload)
        name = f"{image_id}.{'raw' if upload.form is DiskFormat.RAW else 'upload'}"
        store.publish(part, name)
        _finish(cloud, upload, received, name)
    log.info("image.received", extra={"image": image_id, "bytes": received.size, "form": upload.form})
    if upload.form is not DiskFormat.RAW:
        cloud.wake_importer()


def release(image: Image, *, why: str) -> None:
    """Let an image wait for its file again; its row is held. One that is made of a server gets no second file."""
    image.status = ImageStatus.QUEUED
    image.size = 0
    image.claim = image.claimed_until = None
    if image.server_id is not None:
        image.status, image.fault = ImageStatus.KILLED, why[:500]


@contextlib.contextmanager
def _undone_unless_finished(cloud: Cloud, upload: Upload, part: Path) -> Iterator[None]:
    """Take everything back when the block does not end well, whatever ended it."""
    try:
        yield
    except BaseException as err:
        part.unlink(missing_ok=True)
        with cloud.sessions.begin() as db:
            image = images.lock(db, upload.image_id)
            if image is not None and image.claim == upload.claim:
                release(image, why=str(err) if isinstance(err, CloudError) else "the upload broke")
                image.updated_at = cloud.clock()
        log.warning("image.upload_broken", extra={"image": upload.image_id})
        raise


def _check_length(store: image_store.Store, upload: Upload, length: int | None) -> None:
    if length is not None and length > upload.most:
        raise QuotaExceeded(f"the file has {length} bytes; {upload.most} are allowed")
    if (length or 0) > store.room():
        raise Unavailable("the image store has no room for this file")


def _copy(cloud: Cloud, store: image_store.Store, upload: Upload, stream: Stream, part: Path) -> Received:
    md5, sha512 = hashlib.md5(usedforsecurity=False), hashlib.sha512()
    size, head, looked = 0, b"", 0
    renewed = time.monotonic()
    with part.open("xb") as file:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > upload.most:
                raise QuotaExceeded(f"the file has more than the {upload.most} bytes that are allowed")
            if len(head) < image_formats.HEAD:
                head = (head + chunk)[: image_formats.HEAD]
            file.write(chunk)
            md5.update(chunk)
            sha512.update(chunk)
            if size - looked >= _STRIDE:
                looked = size
                if store.room() < 0:
                    raise Unavailable("the image store is full")
            if time.monotonic() - renewed > cloud.images.lease / 4:
                renewed = time.monotonic()
                _renew(cloud, upload)
    return Received(size=size, checksum=md5.hexdigest(), os_hash=sha512.hexdigest(), head=head)


def _check_content(upload: Upload, received: Received, length: int | None) -> None:
    if length is not None and received.size != length:
        # a connection that breaks looks like the end of the body to some servers
        raise Invalid(f"the upload ended after {received.size} of {length} bytes")
    if received.size == 0:
        raise Invalid("the file is empty")
    try:
        image_formats.check_head(received.head, upload.form)
    except image_formats.Refused as err:
        raise Invalid(str(err)) from err


def _renew(cloud: Cloud, upload: Upload) -> None:
    with cloud.sessions.begin() as db:
        image = _claimed(db, upload)
        image.claimed_until = cloud.clock() + timedelta(seconds=cloud.images.lease)


def _finish(cloud: Cloud, upload: Upload, received: Received, name: str) -> None:
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        image = _claimed(db, upload)
        if upload.limited and upload.owner and received.size > _quota_left(db, cloud, upload.owner, upload.image_id):
            # another upload of the project has ended meanwhile
            raise QuotaExceeded("the project's quota for the size of its images does not cover this file")
        image.size, image.checksum, image.os_hash = received.size, received.checksum, received.os_hash
        image.claim = image.claimed_until = image.fault = None
        image.updated_at = now
        if upload.form is DiskFormat.RAW:
            image.status, image.file, image.virtual_size = ImageStatus.ACTIVE, name, received.size
            backups.rotate(db, image, now)
        else:
            image.status, image.progress = ImageStatus.IMPORTING, 0


def _claimed(db: Session, upload: Upload) -> Image:
    """Hold the row of an upload that still counts; raises Conflict."""
    image = images.lock(db, upload.image_id)
    if image is None or image.claim != upload.claim:
        raise Conflict(f"image {upload.image_id} was deleted, or the upload was silent for too long")
    return image


def _quota_left(db: Session, cloud: Cloud, project_id: str, image_id: str) -> int:
    if cloud.images.quota_size < 0:
        return image_settings.size(cloud.images.max_size)
    _, used = images.owned(db, project_id, but=image_id)
    return max(0, image_settings.size(cloud.images.quota_size) - used)
