"""The query of a list of servers: filters in, an instances.Filter and an order out."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from werkzeug.datastructures import MultiDict

from apiserver import sorting, validation
from apiserver.compute import patterns, server_tags, statuses
from apiserver.compute.server_views import ZONE
from cloud import policy
from cloud.context import Caller
from cloud.policy import Operation
from common.errors import Invalid
from db.instances import Filter, Instance
from db.ports import AddressFilter
from db.sorting import Column, Order

DOCS = {
    "limit": "How many, at most",
    "marker": "The id of the last server of the page before",
    "name": "A regular expression that the name contains",
    "status": "A status such as ACTIVE; may be given several times",
    "flavor": "A flavor's id",
    "image": "An image's id",
    "changes-since": "An ISO 8601 time: only what changed since, deleted servers too",
    "deleted": "true: only servers that are deleted",
    "reservation_id": "The reservation that a create of several servers gave",
    "uuid": "A server's id",
    "ip": "A regular expression that an IPv4 address contains",
    "ip6": "A regular expression that an IPv6 address contains",
    "all_tenants": "true: every project's servers; for admins",
    "project_id": "With all_tenants: only this project's; for admins",
    "user_id": "Only this user's; for admins",
    "host": "Only those on this node; for admins",
    "key_name": "A keypair's name",
    "locked": "true: only servers that are locked",
    "vm_state": "A state such as active; may be given several times",
    "task_state": "What is being done, such as rebooting, or none; may be given several times",
    "power_state": "0, 1 or 4; may be given several times",
    "availability_zone": "A zone's name",
    "tags": "Tags, separated by commas, all of which the server has",
    "tags-any": "Tags, separated by commas, one of which the server has",
    "not-tags": "Tags, separated by commas, not all of which the server has",
    "not-tags-any": "Tags, separated by commas, none of which the server has",
    "sort_key": "A column such as display_name; may be given several times",
    "sort_dir": "asc or desc, for each key",
}

_SORT_KEYS: Mapping[str, Column] = {
    "created_at": Instance.created_at,
    "updated_at": Instance.updated_at,
    "display_name": Instance.name,
    "name": Instance.name,
    "display_description": Instance.description,
    "uuid": Instance.id,
    "id": Instance.id,
    "user_id": Instance.user_id,
    "project_id": Instance.project_id,
    "image_ref": Instance.image_id,
    "instance_type_id": Instance.flavor_id,
    "key_name": Instance.key_name,
    "launched_at": Instance.launched_at,
    "terminated_at": Instance.deleted_at,
    "access_ip_v4": Instance.access_ipv4,
    "access_ip_v6": Instance.access_ipv6,
}
_PLACEMENT_KEYS: Mapping[str, Column] = {"host": Instance.node, "node": Instance.node}

_UNSERVED = (
    "config_drive",
    "description",
    "launched_at",
)


def parse(args: MultiDict[str, str], caller: Caller) -> Filter:
    """Read a list's filters; raises Invalid, or Forbidden for what only admins may ask."""
    for key in _UNSERVED:
        if args.get(key):
            raise Invalid(f"{key}: lists of servers can't be filtered by it")
    shown = [text for text in args.getlist("status") if text]
    gone = {text.upper() for text in shown} == {statuses.Status.DELETED}
    since = args.get("changes-since")
    placed = policy.allows(caller.roles, Operation.SERVER_READ_PLACEMENT)
    return Filter(
        project_id=_project(args, caller),
        name=patterns.check(args["name"], "name") if args.get("name") else None,
        conditions=_conditions(args, shown),
        flavor_id=reference(args["flavor"]) if args.get("flavor") else None,
        image_id=reference(args["image"]) if args.get("image") else None,
        changes_since=validation.check_moment(since, "changes-since") if since else None,
        deleted=_flag(args, "deleted", default=gone),
        soft_deleted=placed and _asks_for_soft_deleted(args, shown),
        ids=_ids(args),
        reservation_id=args.get("reservation_id") or None,
        user_id=(args.get("user_id") or None) if placed else None,
        host=(args.get("host") or args.get("node") or None) if placed else None,
        key_name=args.get("key_name") or None,
        locked=_flag(args, "locked", default=False) if args.get("locked") else None,
        addresses=[_address(args[key], key, version) for key, version in (("ip", 4), ("ip6", 6)) if args.get(key)],
        tags=server_tags.parse(args, "tags"),
        tags_any=server_tags.parse(args, "tags-any"),
        not_tags=server_tags.parse(args, "not-tags"),
        not_tags_any=server_tags.parse(args, "not-tags-any"),
    )


def order(args: MultiDict[str, str], caller: Caller) -> tuple[Order, ...]:
    """Read the order that a list is asked for in; raises Invalid, or Forbidden for what only admins may ask."""
    if not _PLACEMENT_KEYS.keys().isdisjoint(args.getlist("sort_key")):
        policy.require(caller, Operation.SERVER_READ_PLACEMENT)
    return sorting.parse(args, {**_SORT_KEYS, **_PLACEMENT_KEYS}, descending=True)


def reference(text: str) -> str:
    """Read an id that may be written as a URL: its last segment."""
    return text.rstrip("/").rsplit("/", 1)[-1]


def _project(args: MultiDict[str, str], caller: Caller) -> str | None:
    everybody = any(_flag(args, key, default=key in args) for key in ("all_tenants", "all_projects"))
    if not everybody:
        # a project without all_tenants counts for nothing: what clients are used to
        return caller.project_id
    policy.require(caller, Operation.SERVER_READ_ALL)
    return args.get("project_id") or args.get("tenant_id") or None


def _conditions(args: MultiDict[str, str], shown: list[str]) -> list[statuses.Condition] | None:
    vm_states = [text.lower() for text in args.getlist("vm_state") if text]
    task_states = [text.lower() for text in args.getlist("task_state") if text]
    power_states = [validation.check_integer(text, "power_state") for text in args.getlist("power_state") if text]
    if not (shown or vm_states or task_states or power_states):
        return None
    return statuses.conditions(
        shown or None,
        vm_states=vm_states or None,
        task_states=task_states or None,
        power_states=power_states or None,
    )


def _asks_for_soft_deleted(args: MultiDict[str, str], shown: list[str]) -> bool:
    """Tell whether servers that can be restored are asked for by name: to other lists they are gone."""
    named = {text.upper() for text in shown} | {text.upper() for text in args.getlist("vm_state")}
    return not named.isdisjoint({statuses.Status.SOFT_DELETED, "SOFT-DELETE"})


def _ids(args: MultiDict[str, str]) -> list[str] | None:
    if args.get("availability_zone", ZONE) not in ("", ZONE):
        return []
    return [args["uuid"]] if args.get("uuid") else None


def _address(text: str, name: str, version: int) -> AddressFilter:
    """Read a pattern; a whole address is one, too, which others begin with."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return AddressFilter(version, patterns.check(text, name))
    if found.version != version:
        raise Invalid(f"{name}: an address of IP version {version} is expected")
    return AddressFilter(version, str(found))


def _flag(args: MultiDict[str, str], key: str, *, default: bool) -> bool:
    return validation.check_boolean(args[key], key) if args.get(key) else default
