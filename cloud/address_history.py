"""Who had an address at a time, as an operator who was written to about it asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud import policy
from cloud.addresses import Ip
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common.errors import Invalid
from db import address_history
from db.address_history import Holding


def page(
    cloud: Cloud, caller: Caller, ip: Ip, *, limit: int, at: datetime | None = None, marker: int | None = None
) -> Sequence[Holding]:
    """List who had an address, at a time if one is given, the latest first; raises Forbidden, Invalid for the marker.

    One that two networks have is in the list for both.
    """
    policy.require(caller, Operation.PORT_READ_ALL)
    with cloud.sessions.read() as db:
        before = None
        if marker is not None:
            before = address_history.get(db, marker)
            if before is None or before.ip != str(ip):
                raise Invalid(f"marker: {marker} is no row of {ip}")
        return address_history.page(db, str(ip), limit=limit, at=at, before=before)
