"""What a server's guest has printed on its serial console. The node is asked, after the database and outside of it."""

from __future__ import annotations

import re

from cloud import instances, policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.serial_logs import SerialLogs
from common.errors import Conflict
from db import instances as instance_rows
from db import nodes

#: all but tab and line feed: they would move the cursor of whoever looks, or worse
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def output(cloud: Cloud, caller: Caller, logs: SerialLogs, instance_id: str, *, lines: int | None) -> str:
    """Give the last lines that a guest printed, all that is kept for None; a stopped guest's too.

    Raises NotFound, Conflict for a server that has never been anywhere, Unavailable.
    """
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.read() as db:
        instance = instances.visible(instance_rows.get(db, instance_id), caller, instance_id)
        guest, node = instance.ganeti_name, instance.node
        address = nodes.address(db, instance.backend_id, node) if node is not None else None
    if node is None:
        raise Conflict(f"server {instance_id} has no console yet: it has not been on a node")
    return text(logs.tail(guest, node=node, address=address, lines=lines))


def text(printed: bytes) -> str:
    """Give what was printed as text: what is no UTF-8 is replaced, and control characters are left out."""
    return _CONTROLS.sub("", printed.decode("utf-8", "replace"))
