"""Brings the firewalls of ports to the nodes: by tags of a new generation, and a change that has them looked at.

What changes a port's rules marks it as due, in its own transaction. Here, later, all that is due of an instance becomes
one chain of jobs: the tags of the new generation are set; where the guest runs, a NIC is given the name that it has,
after which Ganeti runs the hook that loads the rules (`ganeti_hooks/firewall_hook.py`); and the old tags are removed.
An instance has one such chain at a time, whatever changes meanwhile, and it keeps nobody from using the server.
Lock order: instance, job, port.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cloud import firewall_tags, instances, nic_tags, nics
from cloud.context import Cloud
from cloud.states import Action
from common import names
from common.jobs import JobStatus, Opcode
from db import firewall_due, jobs, security_groups
from db import instances as instance_rows
from db import ports as port_rows
from db.instances import Instance, State
from db.ports import Port

log = logging.getLogger(__name__)

_BATCH = 50
#: until a change that did not work is tried again
_PAUSE = timedelta(seconds=30)


def plan(cloud: Cloud) -> int:
    """Leave the jobs for firewalls that are due, on instances that nothing is under way on; give how many instances."""
    with cloud.sessions.read() as db:
        due = firewall_due.instances(db, before=cloud.clock(), limit=_BATCH)
    return sum(_plan_one(cloud, instance_id) for instance_id in due)


def tell(db: Session, ports: Sequence[Port]) -> Mapping[str, tuple[str, ...]]:
    """Give what tags are to say of the firewalls of ports, by port, and take it for said. The rows are held.

    A port that never had a firewall has no tag.
    """
    rules = security_groups.rules_of(db, [port.id for port in ports])
    found = {}
    for port in ports:
        port.firewall_due_at = None
        if port.firewalled or port.firewall_generation:
            found[port.id] = firewall_tags.of(rules.get(port.id), generation=port.firewall_generation)
            port.firewall_digest = firewall_tags.digest(rules.get(port.id))
    return found


def conclude(db: Session, job: jobs.Job, *, now: datetime) -> None:
    """Take in that a job has ended: what it should have brought to the nodes, and may not have, is due again."""
    if job.action != Action.FIREWALL or job.opcode == Opcode.TAGS_DEL or job.status is JobStatus.SUCCESS:
        return
    for port_id in sorted(job.spec["port_ids"]):
        port = port_rows.lock(db, port_id)
        if port is not None and port.instance_id == job.instance_id:
            port.firewall_due_at = port.firewall_due_at or now + _PAUSE
            port.firewall_digest = None


def _plan_one(cloud: Cloud, instance_id: str) -> bool:
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        instance = instance_rows.lock(db, instance_id)
        if instance is None or instance.state not in firewall_due.STATES or jobs.open_of_instance(db, instance_id):
            return False
        held = [port_rows.lock(db, port.id) for port in sorted(port_rows.of_instance(db, instance_id), key=_by_id)]
        due = [port for port in held if port is not None and port.firewall_due_at is not None]
        changed = _changed(db, due)
        for port in changed:
            port.firewall_generation += 1
        request_id = names.new_request_id()
        for opcode, spec in _steps(instance, changed, tell(db, changed)):
            instances.add_job(
                db,
                instance,
                action=Action.FIREWALL,
                request_id=request_id,
                now=now,
                opcode=opcode,
                spec={**spec, "port_ids": [port.id for port in changed]},
            )
    if changed:
        log.info("firewall.changes", extra={"instance": instance_id, "ports": len(changed)})
    return bool(changed)


def _changed(db: Session, due: Sequence[Port]) -> list[Port]:
    """Give those of the due ports of which nodes are not to hear what they know; the others are due no more."""
    rules = security_groups.rules_of(db, [port.id for port in due])
    changed = []
    for port in due:
        port.firewall_due_at = None
        if firewall_tags.digest(rules.get(port.id)) != port.firewall_digest:
            changed.append(port)
    return changed


def _by_id(port: Port) -> str:
    return port.id


def _steps(
    instance: Instance, ports: Sequence[Port], values: Mapping[str, Sequence[str]]
) -> list[tuple[Opcode, Mapping[str, object]]]:
    tags = [nic_tags.tag(port_id, firewall_tags.KEY, value) for port_id, own in values.items() for value in own]
    steps: list[tuple[Opcode, Mapping[str, object]]] = [
        (Opcode.TAGS_SET, {"tags": some}) for some in nic_tags.portions(tags)
    ]
    if ports and instance.state is State.ACTIVE:
        name = nics.name_of(ports[0].id)
        steps.append((Opcode.SET_PARAMS, {"nics": [["modify", name, {"name": name}]], "hotplug": False}))
    for port in ports:
        prefix = nic_tags.tag(port.id, firewall_tags.KEY, "")
        keep = f"{prefix}{port.firewall_generation}:"
        steps.append((Opcode.TAGS_DEL, {"prefix": prefix, "keep": keep}))
    return steps
