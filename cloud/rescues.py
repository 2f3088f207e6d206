"""Rescues: a server boots from its backend's rescue system, a CD, with its own disk attached; and back.

Each is a chain of jobs, as a resize is: the server is stopped, its hypervisor parameters are changed, and it is started
again, whatever becomes of that. It counts as rescued as soon as the parameters are changed: from then on it boots so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import chains, instances, policy, states
from cloud.chains import Step
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common.errors import Unsupported
from common.jobs import Opcode
from db import backends, jobs
from db.backends import Backend
from db.instances import Instance, State

#: Ganeti's way to take a parameter of the instance's own back
_INHERITED = "default"
_IMAGE = "cdrom_image_path"
#: what boots from a CD, besides the image: no kernel of the node's, and a drive that any system knows
_FROM_CD = {"boot_order": "cdrom", "cdrom_disk_type": "ide", "kernel_path": ""}


def begin(cloud: Cloud, caller: Caller, instance_id: str) -> None:
    """Begin to boot a server from the rescue system; it runs afterwards.

    Raises NotFound, Busy, Conflict, or Unsupported where the server's backend has no rescue system.
    """
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        backend = backends.get(db, instance.backend_id)
        if backend is None or backend.rescue_image is None:
            raise Unsupported("rescue: there is no rescue system where this server runs")
        hvparams = {**_FROM_CD, _IMAGE: backend.rescue_image}
        _add_steps(db, cloud, instance, caller=caller, action=Action.RESCUE, hvparams=hvparams)
    cloud.wake()


def end(cloud: Cloud, caller: Caller, instance_id: str) -> None:
    """Begin to boot a rescued server from its own disk again; raises NotFound, or Conflict for one that is not."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        hvparams = _usual(backends.get(db, instance.backend_id))
        _add_steps(db, cloud, instance, caller=caller, action=Action.UNRESCUE, hvparams=hvparams)
    cloud.wake()


def conclude(instance: Instance, job: jobs.Job, *, done: bool, now: datetime) -> None:
    """Take in how a job of a rescue ended. The rows are held; what is no such job changes nothing.

    A server that may be set to the rescue system counts as rescued: then there is a way back.
    """
    if job.opcode != Opcode.SET_PARAMS:
        return
    if job.action == Action.RESCUE and (done or job.error_class == jobs.LOST):
        instance.rescued_at = now
    elif job.action == Action.UNRESCUE and done:
        instance.rescued_at = None


def _usual(backend: Backend | None) -> Mapping[str, str]:
    """What the instances of a backend were made with: its own parameters, or else the cluster's."""
    own = backend.hvparams if backend is not None else {}
    return {name: own.get(name, _INHERITED) for name in (*_FROM_CD, _IMAGE)}


def _add_steps(
    db: Session, cloud: Cloud, instance: Instance, *, caller: Caller, action: Action, hvparams: Mapping[str, str]
) -> None:
    rule = states.check(action, state=instance.state, task=instance.task, what=f"server {instance.id}")
    steps: list[Step] = [
        (rule.opcode, {"hvparams": dict(hvparams)}),
        (Opcode.STARTUP, {"always": instance.state is State.ACTIVE}),
    ]
    if instance.state is State.ACTIVE:
        steps.insert(0, (Opcode.SHUTDOWN, {}))
    now = cloud.clock()
    chains.begin(db, instance, steps, action=action, request_id=caller.request_id, now=now, caller=caller)
