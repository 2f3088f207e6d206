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

from cloud import chains, firewall_tags, nic_tags
from cloud.chains import Step
from cloud.context import Cloud
from cloud.states import Action
from common import names
from common.jobs import JobStatus, Opcode
from db import firewall_due, jobs, security_groups
from db import instances as instance_rows
from db import ports as port_rows
from db.instances import Instance
from db.ports import Port
from db.security_groups import Allowed

Rules = Mapping[str, Sequence[Allowed]]

log = logging.getLogger(__name__)

_BATCH = 50
#: until a change that did not work is tried again
_PAUSE = timedelta(seconds=30)


def plan(cloud: Cloud) -> int:
    """Leave the jobs for firewalls that are due, on instances that nothing is under way on; give how many instances."""
    with cloud.sessions.read() as db:
        due = firewall_due.instances(db, before=cloud.clock(), limit=_BATCH)
    return sum(_plan_one(cloud, instance_id) for instance_id in due)


def values(db: Session, ports: Sequence[Port]) -> Mapping[str, tuple[str, ...]]:
    """Give what tags say of the firewalls of ports by their rules, by port; a port that never had one has no tag."""
    return _values(ports, security_groups.rules_of(db, [port.id for port in ports]))


def tell(db: Session, ports: Sequence[Port]) -> Mapping[str, tuple[str, ...]]:
    """Give what tags are to say of the firewalls of ports, by port, and take it for said. The rows are held."""
    return _said(ports, security_groups.rules_of(db, [port.id for port in ports]))


def conclude(db: Session, job: jobs.Job, *, now: datetime) -> None:
    """Take in that a job has ended: what it should have brought to the nodes, and may not have, is due again."""
    if job.action != Action.FIREWALL or job.opcode == Opcode.TAGS_DEL or job.status is JobStatus.SUCCESS:
        return
    for port in port_rows.lock_several(db, job.spec["port_ids"]):
        if port.instance_id == job.instance_id:
            port.firewall_due_at = port.firewall_due_at or now + _PAUSE
            port.firewall_digest = None


def _plan_one(cloud: Cloud, instance_id: str) -> bool:
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        instance = instance_rows.lock(db, instance_id)
        if instance is None or instance.state not in firewall_due.STATES or jobs.open_of_instance(db, instance_id):
            return False
        held = port_rows.lock_several(db, [port.id for port in port_rows.of_instance(db, instance_id)])
        due = [port for port in held if port.firewall_due_at is not None]
        rules = security_groups.rules_of(db, [port.id for port in due])
        changed = [port for port in due if firewall_tags.digest(rules.get(port.id)) != port.firewall_digest]
        for port in due:
            # nodes know the others' rules already
            port.firewall_due_at = None
        for port in changed:
            port.firewall_generation += 1
        steps = _steps(instance, changed, _said(changed, rules))
        chains.begin(db, instance, steps, action=Action.FIREWALL, request_id=names.new_request_id(), now=now)
    if changed:
        log.info("firewall.changes", extra={"instance": instance_id, "ports": len(changed)})
    return bool(changed)


def _said(ports: Sequence[Port], rules: Rules) -> Mapping[str, tuple[str, ...]]:
    found = _values(ports, rules)
    for port in ports:
        port.firewall_due_at = None
        if port.id in found:
            port.firewall_digest = firewall_tags.digest(rules.get(port.id))
    return found


def _values(ports: Sequence[Port], rules: Rules) -> Mapping[str, tuple[str, ...]]:
    return {
        port.id: firewall_tags.of(rules.get(port.id), generation=port.firewall_generation)
        for port in ports
        if port.firewalled or port.firewall_generation
    }


def _steps(instance: Instance, ports: Sequence[Port], told: Mapping[str, Sequence[str]]) -> list[Step]:
    tags = [nic_tags.tag(port_id, firewall_tags.KEY, value) for port_id, own in told.items() for value in own]
    old = []
    for port in ports:
        prefix = nic_tags.tag(port.id, firewall_tags.KEY, "")
        old.append({"prefix": prefix, "keep": f"{prefix}{port.firewall_generation}:"})
    return chains.telling(instance, ports, tags, old)
