"""Backups: images of a server that make a series, of which the newest are kept.

The older ones go when a new one can be used, and not before: a backup that fails takes none away.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from db import images
from db.images import Image, ImageStatus

log = logging.getLogger(__name__)

_SERIES = "backup_type"


def rotate(db: Session, image: Image, now: datetime) -> None:
    """Delete what is too many in the series of an image that has just become active; protected images stay, uncounted.

    What is no backup is passed.
    """
    if image.rotation is None or image.server_id is None:
        return
    db.flush()
    series = [
        each
        for each in images.active_of_server(db, image.server_id)
        if each.rotation is not None
        and not each.protected
        and each.project_id == image.project_id
        and each.properties.get(_SERIES) == image.properties.get(_SERIES)
    ]
    for old in series[image.rotation :]:
        remove(old, now)
        log.info("image.rotated", extra={"image": old.id, "backup": image.id, "server": image.server_id})


def remove(image: Image, now: datetime) -> None:
    """Mark an image as deleted; its file goes later, and who is at work on it finds out."""
    image.deleted_at = image.updated_at = now
    image.status = ImageStatus.DELETED
    image.claim = image.claimed_until = image.progress = None
