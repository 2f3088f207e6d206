"""The second half of a floating IP's way from one server to another: it has left the first, and comes to the second.

What is asked for is kept with the floating IP when its detaching begins, in one transaction (cloud.floating_ips). Here,
once no server has it, the attaching begins: whoever dies in between, it is never at both, and goes on. Where it can't
come to the second server, it stays associated with nothing.
"""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from cloud import floating_ips
from cloud.context import Caller, Cloud
from cloud.floating_ips import Target
from common.errors import Busy, CloudError
from db import floating_ips as rows
from db import jobs, projects
from db import ports as port_rows
from db.floating_ips import FloatingIp
from db.users import Role

log = logging.getLogger(__name__)

_BATCH = 50


def plan(cloud: Cloud) -> int:
    """Begin to attach what has left its former server, to servers that nothing is under way on; give how many."""
    with cloud.sessions.read() as db:
        due = rows.on_their_way(db, limit=_BATCH)
    return sum(_go_on(cloud, floating_id, named=named) for floating_id, named in due)


def _go_on(cloud: Cloud, floating_id: str, *, named: str) -> bool:
    try:
        with cloud.sessions.begin() as db:
            return _arrive(db, cloud, floating_id, named=named)
    except Busy:
        # the server is used by somebody meanwhile: when it rests
        return False
    except CloudError as err:
        log.warning("floating.stranded", extra={"floating": floating_id, "reason": str(err)})
        with cloud.sessions.begin() as db:
            floating = rows.get(db, floating_id)
            port = port_rows.lock(db, floating.port_id) if floating is not None else None
            if port is not None and port.instance_id is None:
                rows.stay(db, port.id, named=named)
        return False


def _arrive(db: Session, cloud: Cloud, floating_id: str, *, named: str) -> bool:
    floating = rows.get(db, floating_id)
    if floating is None or floating.next_port_id != named:
        return False
    target = Target.of(named, floating.next_fixed_ip)
    floating_ips.begin(db, cloud, _asker(db, floating), floating, target)
    if floating.next_port_id != named:
        # known since that holds it
        raise Busy(f"floating IP {floating_id} is to go elsewhere meanwhile")
    floating.go_nowhere()
    return True


def _asker(db: Session, floating: FloatingIp) -> Caller:
    """Give who has asked for it, so that the server's history says so."""
    request_id = floating.next_request_id or ""
    begun = jobs.of_request(db, request_id)
    project = projects.get(db, floating.project_id)
    return Caller(
        user_id=(begun[0].user_id if begun else None) or "",
        user_name="",
        project_id=floating.project_id,
        project_name=project.name if project is not None else "",
        roles=(Role.MEMBER,),
        request_id=request_id,
    )
