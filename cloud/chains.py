"""Chains of jobs on one instance: each begins when the one before it has worked, and the last ends the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import instances, nic_tags, nics, states
from cloud.context import Caller
from cloud.states import Action
from common.jobs import Opcode
from db.instances import Instance, State
from db.jobs import Job
from db.ports import Port

#: an operation, and what its job's row says beyond the instance's
Step = tuple[Opcode, Mapping[str, object]]


def begin(
    db: Session,
    instance: Instance,
    steps: Sequence[Step],
    *,
    action: Action,
    request_id: str,
    now: datetime,
    caller: Caller | None = None,
) -> list[Job]:
    """Leave the jobs for the submitter, and say what is under way where that is a task. The instance's row is held."""
    left = [
        instances.add_job(
            db, instance, action=action, request_id=request_id, now=now, caller=caller, opcode=opcode, spec=spec
        )
        for opcode, spec in steps
    ]
    task = states.RULES[action].task
    if task is not None:
        instance.task = task
        instance.updated_at = now
    return left


def tagging(tags: Sequence[str]) -> list[Step]:
    """Give the steps that set an instance's tags, which its node looks at as soon as a NIC comes."""
    return [(Opcode.TAGS_SET, {"tags": some}) for some in nic_tags.portions(tags)]


def telling(
    instance: Instance, ports: Sequence[Port], tags: Sequence[str], old: Sequence[Mapping[str, object]]
) -> list[Step]:
    """Give the steps that tell an instance's node of ports by tags of a new generation, and then remove the `old` ones.

    Where the guest runs, a NIC is given the name that it has in between: after that Ganeti runs the hook that looks at
    the tags.
    """
    steps = tagging(tags)
    if ports and instance.state is State.ACTIVE:
        name = nics.name_of(ports[0].id)
        steps.append((Opcode.SET_PARAMS, {"nics": [["modify", name, {"name": name}]], "hotplug": False}))
    steps += [(Opcode.TAGS_DEL, each) for each in old]
    port_ids = [port.id for port in ports]
    return [(opcode, {**spec, "port_ids": port_ids}) for opcode, spec in steps]
