"""Tags of servers, as their owners keep them; Ganeti never hears of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from cloud import instances, policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common.errors import Invalid, NotFound
from db import instances as instance_rows
from db import tags

#: tags that a server may have
MOST = 50


def of_server(cloud: Cloud, caller: Caller, instance_id: str) -> Sequence[str]:
    """List a server's tags, sorted; raises NotFound."""
    policy.require(caller, Operation.SERVER_READ)
    with cloud.sessions.read() as db:
        instances.visible(instance_rows.get(db, instance_id), caller, instance_id)
        return tags.of_instance(db, instance_id)


def replace(cloud: Cloud, caller: Caller, instance_id: str, wanted: Collection[str]) -> Sequence[str]:
    """Give a server these tags and no others; gives them sorted. Raises NotFound, Invalid for too many."""
    _change(cloud, caller, instance_id, lambda _before: frozenset(wanted))
    return sorted(frozenset(wanted))


def add(cloud: Cloud, caller: Caller, instance_id: str, tag: str) -> bool:
    """Give a server one tag more, and tell whether it is new; raises NotFound, Invalid for too many."""
    return tag not in _change(cloud, caller, instance_id, lambda before: before | {tag})


def remove(cloud: Cloud, caller: Caller, instance_id: str, tag: str) -> None:
    """Take a tag off a server; raises NotFound if it has no such tag."""
    if tag not in _change(cloud, caller, instance_id, lambda before: before - {tag}):
        raise NotFound(f"server {instance_id} has no tag {tag}")


def _change(
    cloud: Cloud, caller: Caller, instance_id: str, change: Callable[[frozenset[str]], frozenset[str]]
) -> frozenset[str]:
    """Give a server the tags that its own are changed to; give what they were."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        before = frozenset(tags.of_instance(db, instance_id))
        after = change(before)
        if len(after) > MOST:
            raise Invalid(f"tags: a server may have {MOST}, not {len(after)}")
        if after != before:
            tags.remove(db, instance_id, before - after)
            tags.add(db, instance_id, sorted(after - before))
            instance.updated_at = cloud.clock()
    return before
