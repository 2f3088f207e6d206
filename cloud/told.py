"""Brings to the nodes what has changed of that which guests are told: name servers, routes, gateways, MTUs.

What changes it (a subnet, a network) marks the ports in its own transaction, in one statement however many they are.
Here, later, an instance's ports that are due become one chain of jobs: the tags of a new generation are set; where the
guest runs, a NIC is given the name that it has, after which Ganeti runs the hook that leaves nfdhcpd the new bindings
(`ganeti_hooks/firewall_hook.py`); and the old tags are removed. A backend has a few such chains at a time, and they
come after everybody else's jobs: who uses a server meanwhile waits for its own chain at most.
Lock order: instance, job, ports by id.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cloud import chains, firewall_tags, nic_tags
from cloud.chains import Step
from cloud.context import Cloud
from cloud.nic_tags import Fact
from cloud.states import Action
from common import names
from common.jobs import JobStatus, Opcode
from db import instances as instance_rows
from db import jobs, told_due
from db import ports as port_rows
from db.instances import Instance
from db.ports import Place, Port

log = logging.getLogger(__name__)

#: chains that a backend has at once: as many as keep it busy, and no more than leave it free for others
AT_ONCE = 8
#: until a change that did not work is tried again
_PAUSE = timedelta(seconds=30)


def plan(cloud: Cloud) -> int:
    """Leave the jobs for some of what is due, on instances that nothing is under way on; give how many instances."""
    now = cloud.clock()
    due: list[str] = []
    with cloud.sessions.read() as db:
        for backend_id in told_due.backends(db, before=now):
            free = AT_ONCE - told_due.under_way(db, backend_id=backend_id, action=Action.TELL)
            if free > 0:
                due += told_due.instances(db, backend_id=backend_id, before=now, limit=free)
    return sum(_plan_one(cloud, instance_id) for instance_id in due)


def take_for_told(places: Sequence[Place], ports: Collection[Port]) -> None:
    """Record that nodes are told of these ports what tags say of them now. The rows are held; so they were as read."""
    facts = nic_tags.facts(places)
    for port in ports:
        port.told_due_at = None
        port.told_digest = nic_tags.digest(facts.get(port.id, ()))


def conclude(db: Session, job: jobs.Job, *, now: datetime) -> None:
    """Take in that a job has ended: what it should have brought to the nodes, and may not have, is due again."""
    if job.action != Action.TELL or job.opcode == Opcode.TAGS_DEL or job.status is JobStatus.SUCCESS:
        return
    for port in port_rows.lock_several(db, job.spec["port_ids"]):
        if port.instance_id == job.instance_id:
            port.told_due_at = port.told_due_at or now + _PAUSE
            port.told_digest = None


def _plan_one(cloud: Cloud, instance_id: str) -> bool:
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        instance = instance_rows.lock(db, instance_id)
        if instance is None or instance.state not in told_due.STATES or jobs.open_of_instance(db, instance_id):
            return False
        held = port_rows.lock_several(db, [port.id for port in port_rows.of_instance(db, instance_id)])
        places = port_rows.places(db, [instance_id]).get(instance_id, ())
        facts = nic_tags.facts(places)
        # a subnet's gateway decides about the instance's other ways out, too
        changed = [port for port in held if nic_tags.digest(facts.get(port.id, ())) != port.told_digest]
        for port in changed:
            port.told_generation += 1
        take_for_told(places, held)
        steps = _steps(instance, changed, facts)
        chains.begin(db, instance, steps, action=Action.TELL, request_id=names.new_request_id(), now=now)
    if changed:
        log.info("told.changes", extra={"instance": instance_id, "ports": len(changed)})
    return bool(changed)


def _steps(instance: Instance, ports: Sequence[Port], facts: Mapping[str, Sequence[Fact]]) -> list[Step]:
    tags = [
        nic_tags.prefix(port.id) + value
        for port in ports
        for value in nic_tags.values(facts.get(port.id, ()), generation=port.told_generation)
    ]
    old = []
    for port in ports:
        keep = [
            nic_tags.tag(port.id, firewall_tags.KEY, ""),
            nic_tags.tag(port.id, nic_tags.TOLD, f"{port.told_generation}:"),
        ]
        old.append({"prefix": nic_tags.prefix(port.id), "keep": keep})
    return chains.telling(instance, ports, tags, old)
