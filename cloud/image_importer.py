"""The importer: checks and converts what was uploaded, and sweeps what broken uploads and deleted images left.

Any number of them may run; each image is claimed for a while, and a claim that nobody renews is anybody's again.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cloud import backups, image_formats, image_settings, image_store, image_uploads
from cloud.context import Cloud
from cloud.image_store import Kept, Store
from common import daemon, names
from db import images
from db.images import DiskFormat, Image, ImageStatus

log = logging.getLogger(__name__)

_INTERVAL = 5.0
#: seconds without a byte after which a part that no row claims is nobody's
_STALE = 3600.0
_AGAIN = timedelta(seconds=60)


class Importer:
    """A thread that imports, one image at a time, until stopped."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._stop = threading.Event()
        self._loop = daemon.Loop("images", self._step, interval=_INTERVAL)

    def start(self) -> None:
        self._loop.start()

    def wake(self) -> None:
        """Have it look for work now."""
        self._loop.wake()

    def stop(self) -> None:
        """Stop; a conversion under way is given up, and begun again by whoever comes next."""
        self._stop.set()
        self._loop.stop()

    def _step(self) -> None:
        while not self._stop.is_set() and import_one(self._cloud, stop=self._stop):
            pass
        if not self._stop.is_set():
            sweep(self._cloud)


@dataclass(frozen=True)
class _Work:
    """A claimed image."""

    image_id: str
    claim: str
    form: DiskFormat


@dataclass(frozen=True)
class _Made:
    """The file that an import ended with."""

    name: str
    form: DiskFormat
    virtual_size: int
    size: int
    checksum: str | None = None
    os_hash: str | None = None


class _GivenUp(Exception):
    """The program stops, the image was deleted, or somebody else has it."""


def import_one(cloud: Cloud, *, stop: threading.Event | None = None) -> bool:
    """Check or convert one image that waits for it; tell whether there was one."""
    work = _claim(cloud)
    if work is None:
        return False
    store = image_store.of(cloud.images)
    facts = {"image": work.image_id, "form": work.form}
    try:
        made = _make(cloud, store, work, stop or threading.Event())
    except image_formats.Refused as err:
        log.warning("image.refused", extra={**facts, "reason": str(err)})
        _end(cloud, work, fault=str(err))
        _uploaded(store, work.image_id).unlink(missing_ok=True)
    except _GivenUp:
        log.info("image.given_up", extra=facts)
        _put_off(cloud, work, timedelta(0))
    except (image_formats.Failed, OSError) as err:
        log.warning("image.put_off", extra={**facts, "reason": str(err)})
        _put_off(cloud, work, _AGAIN)
    else:
        _end(cloud, work, made=made)
        _uploaded(store, work.image_id).unlink(missing_ok=True)
        log.info("image.imported", extra={**facts, "bytes": made.size})
    return True


def sweep(cloud: Cloud) -> int:
    """Queue images whose upload broke, and remove what is nobody's file; give the number of files removed."""
    now = cloud.clock()
    with cloud.sessions.read() as db:
        broken = images.abandoned(db, now)
    for image_id in broken:
        with cloud.sessions.begin() as db:
            image = images.lock(db, image_id)
            if image is not None and image.status is ImageStatus.SAVING and _expired(image, cloud):
                image_uploads.release(image, why="the upload was silent for too long")
                image.updated_at = now
                log.warning("image.upload_abandoned", extra={"image": image_id})
    kept = list(image_store.of(cloud.images).kept())
    with cloud.sessions.read() as db:
        rows = images.having(db, list({file.image_id for file in kept}))
    garbage = [file for file in kept if _is_garbage(cloud, file, rows.get(file.image_id))]
    for file in garbage:
        file.path.unlink(missing_ok=True)
        log.info("image.file_removed", extra={"image": file.image_id, "file": file.path.name})
    return len(garbage)


def _claim(cloud: Cloud) -> _Work | None:
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        image_id = images.claimable(db, now)
        image = images.lock(db, image_id) if image_id is not None else None
        if image is None or image.status is not ImageStatus.IMPORTING:
            return None
        if image.claimed_until is not None and image.claimed_until >= now:
            return None  # another was faster
        image.claim = names.new_id()
        image.claimed_until = now + timedelta(seconds=cloud.images.lease)
        return _Work(image.id, image.claim, image.disk_format)


def _make(cloud: Cloud, store: Store, work: _Work, stop: threading.Event) -> _Made:
    """Turn what was uploaded into the image's file; what was done before a crash is found done."""
    name = f"{work.image_id}.qcow2"
    uploaded, final = _uploaded(store, work.image_id), store.file(name)
    most = image_settings.size(cloud.images.max_disk)
    if not uploaded.exists():
        if not final.exists():
            raise image_formats.Refused("the uploaded file is gone from the image store")
        size = image_formats.virtual_size(final, DiskFormat.QCOW2, most=most)
        return _described(final, size)
    size = image_formats.virtual_size(uploaded, work.form, most=most)
    if work.form is DiskFormat.QCOW2:
        store.publish(uploaded, name)
        return _Made(name, DiskFormat.QCOW2, size, final.stat().st_size)
    part = store.part(work.image_id, work.claim)
    with _removed_if_broken(part):
        tick = _Ticker(cloud, store, work, stop)
        image_formats.convert(uploaded, work.form, part, tick=tick, seconds=cloud.images.patience)
        tick(100, now=True)
        store.publish(part, name)
    return _described(final, size)


class _Ticker:
    """Called with the progress: keeps the claim and shows the progress, and ends what has no more use."""

    def __init__(self, cloud: Cloud, store: Store, work: _Work, stop: threading.Event) -> None:
        self._cloud, self._store, self._work, self._stop = cloud, store, work, stop
        self._told = time.monotonic()

    def __call__(self, percent: int, *, now: bool = False) -> None:
        if self._stop.is_set():
            raise _GivenUp
        if not now and time.monotonic() - self._told < 1.0:
            return
        self._told = time.monotonic()
        if self._store.room() < 0:
            raise image_formats.Failed("the image store is full")
        with self._cloud.sessions.begin() as db:
            image = images.lock(db, self._work.image_id)
            if image is None or image.claim != self._work.claim:
                raise _GivenUp
            image.progress = percent
            image.claimed_until = self._cloud.clock() + timedelta(seconds=self._cloud.images.lease)


def _described(path: Path, virtual_size: int) -> _Made:
    md5, sha512 = hashlib.md5(usedforsecurity=False), hashlib.sha512()
    with path.open("rb") as file:
        while chunk := file.read(image_uploads.CHUNK):
            md5.update(chunk)
            sha512.update(chunk)
    return _Made(path.name, DiskFormat.QCOW2, virtual_size, path.stat().st_size, md5.hexdigest(), sha512.hexdigest())


def _end(cloud: Cloud, work: _Work, *, made: _Made | None = None, fault: str | None = None) -> None:
    with cloud.sessions.begin() as db:
        image = images.lock(db, work.image_id)
        if image is None or image.claim != work.claim:
            return  # deleted meanwhile, or another's by now
        image.claim = image.claimed_until = image.progress = None
        image.updated_at = cloud.clock()
        if made is None:
            image.status, image.fault, image.size = ImageStatus.KILLED, (fault or "")[:500], 0
            return
        image.status, image.file, image.disk_format = ImageStatus.ACTIVE, made.name, made.form
        image.virtual_size, image.size = made.virtual_size, made.size
        image.checksum = made.checksum or image.checksum
        image.os_hash = made.os_hash or image.os_hash
        backups.rotate(db, image, cloud.clock())


def _put_off(cloud: Cloud, work: _Work, pause: timedelta) -> None:
    with cloud.sessions.begin() as db:
        image = images.lock(db, work.image_id)
        if image is not None and image.claim == work.claim:
            image.claim, image.claimed_until = None, cloud.clock() + pause


@contextmanager
def _removed_if_broken(part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _uploaded(store: Store, image_id: str) -> Path:
    return store.file(f"{image_id}.upload")


def _expired(image: Image, cloud: Cloud) -> bool:
    return image.claimed_until is not None and image.claimed_until < cloud.clock()


def _is_garbage(cloud: Cloud, file: Kept, image: Image | None) -> bool:
    if image is None:
        return False  # of another installation, perhaps: not ours to remove
    if file.part:
        return (image.claim is None or image.claim not in file.path.name) and _age(file.path) > _STALE
    if image.deleted_at is not None:
        return cloud.clock() - image.deleted_at > timedelta(seconds=cloud.images.linger)
    settled = image.status not in (ImageStatus.SAVING, ImageStatus.IMPORTING)
    return settled and file.path.name != image.file and _age(file.path) > _STALE


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
