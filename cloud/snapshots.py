"""Snapshots: an image that is made of a stopped server's disk.

Three jobs: the instance is given a token as a parameter of its OS, Ganeti's export runs the OS definition on its node,
which sends the disk to us by that token, and the token is taken off again, whatever became of the rest. Where the image
is from then on is in cloud/image_copies.py; the server's state stays as it is all the while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from cloud import chains, image_changes, instances, policy, states
from cloud.chains import Step
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common.errors import Conflict
from common.jobs import Opcode
from db import backends, image_copies
from db import images as image_rows
from db.images import DiskFormat, Image, ImageStatus, Visibility
from db.instances import Instance, State

#: properties that say what an image is itself, and nothing of images made of its servers
_OWN = frozenset({"image_type", "instance_uuid", "base_image_ref", "user_id", "backup_type"})


@dataclass(frozen=True)
class Backup:
    """What makes an image one of a series: its name (`daily`), and how many of the series are kept."""

    series: str
    rotation: int


@dataclass(frozen=True)
class SnapshotSpec:
    """What the image is to be called, and properties of the caller's choice."""

    name: str
    properties: Mapping[str, str] = field(default_factory=dict)
    backup: Backup | None = None


def begin(cloud: Cloud, caller: Caller, instance_id: str, spec: SnapshotSpec) -> Image:
    """Begin to make an image of a stopped server; raises NotFound, Busy, Conflict, Forbidden or QuotaExceeded."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        what = f"server {instance_id}"
        if instance.task is None and instance.state is State.ACTIVE:
            raise Conflict(f"{what} is running; stop it first: Ganeti can't copy a disk that is in use")
        states.check(Action.CREATE_IMAGE, state=instance.state, task=instance.task, what=what)
        _check(db, cloud, instance)
        image = image_changes.insert(db, cloud, caller, _image(db, caller, instance, spec))
        image.status = ImageStatus.SAVING
        image.server_id = instance.id
        image.rotation = spec.backup.rotation if spec.backup else None
        _add_steps(db, cloud, caller, instance, image.id)
    cloud.wake()
    return image


def _check(db: Session, cloud: Cloud, instance: Instance) -> None:
    backend = backends.get(db, instance.backend_id)
    if not cloud.settings.guest_url:
        raise Conflict("images can't be made of servers here: the operator has set no guest_url")
    if backend is None or not backend.os:
        raise Conflict("this server's backend has no OS definition that could copy its disk")
    if not instance.disk or backend.disk_template == "diskless" or instance.node is None:
        raise Conflict(f"server {instance.id} has no disk that an image could be made of")


def _add_steps(db: Session, cloud: Cloud, caller: Caller, instance: Instance, image_id: str) -> None:
    steps: list[Step] = [
        (Opcode.SET_PARAMS, {"image_id": image_id}),
        (Opcode.EXPORT, {"image_id": image_id}),
        (Opcode.SET_PARAMS, {"always": True}),
    ]
    now, action = cloud.clock(), Action.CREATE_IMAGE
    left = chains.begin(db, instance, steps, action=action, request_id=caller.request_id, now=now, caller=caller)
    copies = next(job for job in left if job.opcode == Opcode.EXPORT)
    limited = not policy.allows(caller.roles, Operation.IMAGE_WRITE_ALL)
    db.add(image_copies.ImageCopy(image_id=image_id, job_id=copies.id, limited=limited, created_at=now))


def _image(db: Session, caller: Caller, instance: Instance, spec: SnapshotSpec) -> image_changes.NewImage:
    """Describe the image as nova does: what its base says of itself, where it comes from, what the caller adds."""
    base = image_rows.get(db, instance.image_id) if instance.image_id else None
    inherited = {key: value for key, value in base.properties.items() if key not in _OWN} if base else {}
    origin = {"image_type": "snapshot", "instance_uuid": instance.id, "user_id": caller.user_id}
    if spec.backup is not None:
        origin |= {"image_type": "backup", "backup_type": spec.backup.series}
    if base is not None:
        origin["base_image_ref"] = base.id
    return image_changes.NewImage(
        name=spec.name,
        disk_format=DiskFormat.QCOW2,
        visibility=Visibility.PRIVATE,
        min_disk=instance.disk,
        min_ram=base.min_ram if base else 0,
        properties={**inherited, **spec.properties, **origin},
    )
