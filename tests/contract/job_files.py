"""One story of jobs played to a master, and its job files with everything accidental taken out."""

import re
from collections.abc import Callable
from typing import Any

from rapi import specs
from tests.contract.masters import GROUP, LINK, Handle

Json = Any  # any JSON value

NOWHERE = "nowhere.example"
TITLES = (
    "network added",
    "network connected",
    "network connected again",
    "create",
    "create with a disk and a nic",
    "create of a name that exists",
    "create on an unknown node",
    "create whose deployment fails",
    "startup",
    "startup of what runs",
    "reboot",
    "shutdown",
    "shutdown of what is stopped",
    "modify beparams",
    "modify nothing",
    "modify adds a nic",
    "modify removes a nic",
    "tags set",
    "tags deleted",
    "tags deleted that are not there",
    "reinstall",
    "live export",
    "export to an unknown node",
    "rename",
    "dependency unsatisfied",
    "canceled while queued",
    "network disconnected in use",
    "remove",
    "remove of what is not there",
    "network disconnected",
    "network removed",
)


def play(cluster: Handle) -> dict[str, Json]:
    """The normalised job file of each title; leaves nothing behind in the cluster."""
    api = cluster.api
    name, other, failing, net = cluster.name(), cluster.name(), cluster.name(), cluster.name()
    disk = (specs.DiskSpec(8, name="root"),)
    nic = specs.NicSpec(network=net, ip="pool", name="port-1")
    plain = cluster.spec(name, start=False)
    rich = cluster.spec(other, disk_template="file", disks=disk, nics=(nic,), tags=("snf:a",), osparams_secret={})
    reason = "a story"
    ended: dict[str, int] = {}

    def do(title: str, submit: Callable[[], int]) -> int:
        ended[title] = submit()
        cluster.ended(ended[title])
        return ended[title]

    do("network added", lambda: api.create_network(net, network="10.79.0.0/28", gateway="10.79.0.1", reason=reason))
    for title in ("network connected", "network connected again"):
        do(title, lambda: api.connect_network(net, GROUP, mode="bridged", link=LINK, reason=reason))
    do("create", lambda: api.create_instance(plain, reason=reason))
    do("create with a disk and a nic", lambda: api.create_instance(rich, reason=reason))
    do("create of a name that exists", lambda: api.create_instance(plain, reason=reason))
    nowhere = cluster.spec(cluster.name(), pnode=NOWHERE)
    do("create on an unknown node", lambda: api.create_instance(nowhere, reason=reason))
    with cluster.master.failing_os() as system:
        spec = cluster.spec(failing, os=system, disk_template="file", disks=disk)
        do("create whose deployment fails", lambda: api.create_instance(spec, reason=reason))
    cluster.succeeded(api.delete_instance(failing, reason=reason))
    do("startup", lambda: api.startup_instance(name, reason=reason))
    do("startup of what runs", lambda: api.startup_instance(name, reason=reason))
    do("reboot", lambda: api.reboot_instance(name, reason=reason, reboot_type="hard", shutdown_timeout=0))
    do("shutdown", lambda: api.shutdown_instance(name, reason=reason, timeout=0))
    do("shutdown of what is stopped", lambda: api.shutdown_instance(name, reason=reason, timeout=0))
    do("modify beparams", lambda: api.modify_instance(name, reason=reason, hotplug=False, beparams={"vcpus": 2}))
    do("modify nothing", lambda: api.modify_instance(name, reason=reason, hotplug=False))
    add = [["add", -1, nic.body() | {"name": "port-2"}]]
    do("modify adds a nic", lambda: api.modify_instance(name, reason=reason, hotplug=False, nics=add))
    remove = [["remove", "port-2", {}]]
    do("modify removes a nic", lambda: api.modify_instance(name, reason=reason, hotplug=False, nics=remove))
    do("tags set", lambda: api.add_instance_tags(name, ["snf:b"], reason=reason))
    for title in ("tags deleted", "tags deleted that are not there"):
        do(title, lambda: api.delete_instance_tags(name, ["snf:b"], reason=reason))
    do("reinstall", lambda: api.reinstall_instance(other, os=cluster.master.os))

    def export(node: str) -> int:
        return api.export_instance(other, mode="local", destination=node, shutdown=False, reason=reason)

    do("live export", lambda: export(cluster.node))
    do("export to an unknown node", lambda: export(NOWHERE))
    renamed = cluster.name()
    do("rename", lambda: api.rename_instance(name, renamed, reason=reason))
    fail_only = ((ended["rename"], ("error",)),)
    do("dependency unsatisfied", lambda: api.startup_instance(renamed, reason=reason, depends=fail_only))
    long = api.reboot_instance(renamed, reason=reason, reboot_type="hard", shutdown_timeout=0)
    between = api.shutdown_instance(renamed, reason=reason, timeout=0, depends=((long, ()),))
    queued = api.startup_instance(renamed, reason=reason, depends=((between, ()),))
    do("canceled while queued", lambda: queued if api.cancel_job(queued)[0] else 0)
    cluster.succeeded(between)
    do("network disconnected in use", lambda: api.disconnect_network(net, GROUP, reason=reason))
    cluster.succeeded(api.delete_instance(other, reason=reason, shutdown_timeout=0))
    for title in ("remove", "remove of what is not there"):
        do(title, lambda: api.delete_instance(renamed, reason=reason, shutdown_timeout=0))
    do("network disconnected", lambda: api.disconnect_network(net, GROUP, reason=reason))
    do("network removed", lambda: api.delete_network(net, reason=reason))
    return {title: normal(cluster, cluster.master.job_file(job)) for title, job in ended.items()}


_ACCIDENTS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b"), "MAC"),
    (re.compile(r"\bcontract-\d+\b"), "NAME"),
    (re.compile(r"\bjob=\d+"), "job=N"),
    (re.compile(r"\bjob \d+"), "job N"),
    (re.compile(r"/job_\d+_\d+"), "/job_N"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ _T]\d\d[:_]\d\d[:_]\d\d\b"), "TIME"),
    (re.compile(r"/[\w/.-]*/livelocks/"), "/livelocks/"),
)


def normal(cluster: Handle, value: Json, key: str = "") -> Json:
    """The value without times, ids, generated names, addresses of memory and the like."""
    if key.endswith("timestamp"):
        return value and "TIME"
    if key == "log":
        return [[serial, "TIME", kind, normal(cluster, text)] for serial, _, kind, text in value]
    if key == "reason":
        return [[who, normal(cluster, text), "TIME"] for who, text, _ in value]
    if key == "depends":
        return value and [["JOB", statuses] for _, statuses in value]
    if key in ("id", "process_id"):
        return value and "NUMBER"
    if isinstance(value, dict):
        return {name: normal(cluster, item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [normal(cluster, item) for item in value]
    if isinstance(value, str):
        value = value.replace(cluster.node, "NODE")
        for pattern, word in _ACCIDENTS:
            value = pattern.sub(word, value)
    return value
