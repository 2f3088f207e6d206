"""Rebuilds: a server's disk begins again as an image, its id, addresses and size stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud import guests, images, instances, policy, states
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common.errors import Conflict, Invalid
from common.jobs import Opcode
from db import backends, jobs
from db.instances import Instance, State


@dataclass(frozen=True)
class RebuildSpec:
    """What a rebuild changes; None leaves a thing as it is."""

    image_id: str
    name: str | None = None
    metadata: Mapping[str, str] | None = None
    access_ipv4: str | None = None
    access_ipv6: str | None = None
    #: what the guest's first boot sets; it has to be new there, as its disk is
    password: str | None = field(default=None, repr=False)
    files: tuple[guests.File, ...] | None = None


def begin(cloud: Cloud, caller: Caller, instance_id: str, spec: RebuildSpec) -> Instance:
    """Begin to rebuild a server; raises NotFound, Invalid for the image or the files, Busy or Conflict.

    A running server runs again afterwards, a stopped one stays stopped, and a broken one runs.
    """
    policy.require(caller, Operation.SERVER_WRITE)
    if spec.files:
        guests.check(cloud, guests.GuestSpec(files=spec.files, insists=True))
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        rule = states.check(Action.REBUILD, state=instance.state, task=instance.task, what=f"server {instance_id}")
        if instance.state is State.ERROR and instance.present is not True:
            raise Conflict(f"server {instance_id} was never there to be rebuilt; delete it and create another")
        image = images.usable(db, caller, spec.image_id)
        if image.file is None:
            raise Invalid(f"rebuild.imageRef: image {image.id} has no file to install")
        if image.min_disk > instance.disk or image.min_ram > instance.ram:
            raise Invalid(f"rebuild.imageRef: image {image.id} needs more disk or memory than the server has")
        backend = backends.get(db, instance.backend_id)
        if backend is None or not backend.os:
            raise Conflict("this server's backend installs no images")
        _change(cloud, instance, spec)
        guests.renew(db, cloud, instance, password=spec.password, files=spec.files)
        instances.add_job(
            db,
            instance,
            action=Action.REBUILD,
            request_id=caller.request_id,
            now=cloud.clock(),
            caller=caller,
            spec={
                "image_id": image.id,
                "image_file": image.file,
                "image_format": image.disk_format,
                "start": instance.state is not State.STOPPED,
            },
        )
        instance.task = rule.task
        instance.progress = None
        instance.updated_at = cloud.clock()
    cloud.wake()
    return instance


def conclude(instance: Instance, job: jobs.Job, *, done: bool) -> None:
    """Take in how a rebuild ended. The rows are held; what is no such job changes nothing."""
    if job.action == Action.REBUILD and job.opcode == Opcode.REINSTALL and done:
        instance.image_id = str(job.spec["image_id"])


def _change(cloud: Cloud, instance: Instance, spec: RebuildSpec) -> None:
    if spec.name is not None:
        instance.name = spec.name
    if spec.metadata is not None:
        instances.check_metadata(cloud, spec.metadata)
        instance.meta = dict(spec.metadata)
    if spec.access_ipv4 is not None:
        instance.access_ipv4 = spec.access_ipv4
    if spec.access_ipv6 is not None:
        instance.access_ipv6 = spec.access_ipv6
