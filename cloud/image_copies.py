"""Copies of servers' disks on their way into images: the token that a node shows, its upload, and how it all ended.

The token goes to Ganeti as a public parameter, where an operator could read it: so it is worth one upload to one image,
while the job that copies lasts. Only its digest is kept.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import image_store, image_uploads
from cloud.context import Cloud
from cloud.guests import Ticket
from cloud.image_uploads import Stream, Upload
from common.errors import CloudError, Gone, Unauthorized
from common.jobs import JobStatus, Opcode
from db import image_copies, images, jobs
from db.image_copies import ImageCopy
from db.images import DiskFormat, Image, ImageStatus

log = logging.getLogger(__name__)

#: below the API's URL; the image's id follows
PATH = "/guest/v1/images"

_TOKEN_BYTES = 32


def wanted(cloud: Cloud, image_id: str) -> bool:
    """Tell whether the image still waits for its file: it may have been deleted meanwhile."""
    with cloud.sessions.read() as db:
        image = images.get(db, image_id)
        return image is not None and _waits(image)


def issue(cloud: Cloud, image_id: str) -> Ticket | None:
    """Make the token of a copy that is about to begin; one made before is void. None: the image is not wanted."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with cloud.sessions.begin() as db:
        image = images.lock(db, image_id)
        copy = image_copies.get(db, image_id)
        if image is None or copy is None or not _waits(image):
            return None
        copy.token_digest = _digest(token)
    return Ticket(f"{cloud.settings.guest_url.rstrip('/')}{PATH}/{image_id}", token)


def receive(
    cloud: Cloud, token: str, image_id: str, stream: Stream, *, form: DiskFormat, length: int | None = None
) -> None:
    """Give an image the file that its token was made for, once; a file that is refused ends the image as killed.

    Raises Unauthorized for a token that nobody knows, or another image's; Gone for one that was used or whose image is
    gone; and as image_uploads.take does.
    """
    upload = _begin(cloud, token, image_id, form=form)
    image_uploads.take(cloud, upload, stream, length=length)


def conclude(db: Session, job: jobs.Job, *, why: str, now: datetime) -> None:
    """Take in that a job has ended: an image that still waits for its copy gets none. What is no such job is passed."""
    if job.opcode != Opcode.EXPORT or "image_id" not in job.spec:
        return
    image = images.lock(db, str(job.spec["image_id"]))
    copy = image_copies.get(db, str(job.spec["image_id"]))
    if copy is not None:
        db.delete(copy)
    if image is not None and image.status is ImageStatus.SAVING:
        done = job.status is JobStatus.SUCCESS
        _kill(image, "the copy ended without a file" if done else why, now)


def _begin(cloud: Cloud, token: str, image_id: str, *, form: DiskFormat) -> Upload:
    digest = _digest(token)
    with cloud.sessions.begin() as db:
        image = images.lock(db, image_id)
        copy = image_copies.by_digest(db, digest)
        if image is None or copy is None or copy.image_id != image_id:
            log.warning("image.token_unknown", extra={"image": image_id})
            raise Unauthorized("there is no such token for this image")
        if why := _spent(db, copy, image):
            log.warning("image.token_refused", extra={"image": image_id, "reason": why})
            raise Gone(why)
        copy.used_at = cloud.clock()
        try:
            image_store.of(cloud.images).prepare()
            image.disk_format = form
            return image_uploads.claim(db, cloud, image, limited=copy.limited)
        except CloudError as err:
            refusal = err
            _kill(image, str(err), cloud.clock())
    # after the commit: the token is used up, and the image's owner is to see why
    raise refusal


def _spent(db: Session, copy: ImageCopy, image: Image) -> str | None:
    """Tell why a token is worth nothing, or None. The image's row is held, so of all who try one is told that."""
    if copy.used_at is not None:
        return "the token has been used"
    if not _waits(image):
        return "the image is gone"
    job = jobs.get(db, copy.job_id)
    if job is None or job.finished_at is not None:
        return "the token's job has ended"
    return None


def _waits(image: Image) -> bool:
    return image.status is ImageStatus.SAVING and image.deleted_at is None


def _kill(image: Image, why: str, now: datetime) -> None:
    image.status, image.fault, image.size = ImageStatus.KILLED, why[:500], 0
    image.claim = image.claimed_until = None
    image.updated_at = now


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
