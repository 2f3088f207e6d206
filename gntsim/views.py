"""What RAPI and queries show of each object: one dict of fields per kind.

The instance's fields are computed on demand, so that a query for three fields of 10,000 instances stays cheap.
"""

from collections.abc import Callable
from typing import Any

from gntsim import cluster, defaults, jobs, objects

State = cluster.Cluster
InstanceField = Callable[[State, objects.Instance], Any]


def _oper_state(state: State, instance: objects.Instance) -> bool | None:
    node = state.nodes[instance.pnode]
    return instance.running if node.alive and not node.offline else None


def _nics(pick: Callable[[State, objects.Nic], Any]) -> InstanceField:
    return lambda state, instance: [pick(state, nic) for nic in instance.nics]


def _network_name(state: State, nic: objects.Nic) -> str | None:
    network = state.networks.get(nic.network) if nic.network else None
    return network.name if network else None


def _bridge(state: State, nic: objects.Nic) -> str | None:
    return state.nic_param(nic, "link") if state.nic_param(nic, "mode") == "bridged" else None


def _full_beparams(state: State, instance: objects.Instance) -> dict[str, Any]:
    beparams = state.beparams(instance)
    return {**beparams, "memory": beparams["maxmem"]}


# In the order of a RAPI answer.
INSTANCE: dict[str, InstanceField] = {
    "name": lambda _, i: i.name,
    "admin_state": lambda _, i: i.admin_state,
    "os": lambda _, i: i.os,
    "pnode": lambda s, i: s.nodes[i.pnode].name,
    "snodes": lambda _s, _i: [],
    "disk_template": lambda _, i: i.disk_template,
    "nic.ips": _nics(lambda _, n: n.ip),
    "nic.macs": _nics(lambda _, n: n.mac),
    "nic.modes": _nics(lambda s, n: s.nic_param(n, "mode")),
    "nic.uuids": _nics(lambda _, n: n.uuid),
    "nic.names": _nics(lambda _, n: n.name),
    "nic.links": _nics(lambda s, n: s.nic_param(n, "link")),
    "nic.networks": _nics(lambda _, n: n.network),
    "nic.networks.names": _nics(_network_name),
    "nic.bridges": _nics(_bridge),
    "network_port": lambda _, i: i.network_port,
    "disk.sizes": lambda _, i: [disk.size for disk in i.disks],
    "disk.spindles": lambda _, i: [None for _disk in i.disks],
    "disk_usage": lambda s, i: s.disk_usage(i),
    "disk.uuids": lambda _, i: [disk.uuid for disk in i.disks],
    "disk.names": lambda _, i: [disk.name for disk in i.disks],
    "beparams": _full_beparams,
    "hvparams": lambda s, i: s.hvparams(i),
    "oper_state": _oper_state,
    "oper_ram": lambda s, i: s.beparams(i)["maxmem"] if _oper_state(s, i) else None,
    "oper_vcpus": lambda s, i: s.beparams(i)["vcpus"] if _oper_state(s, i) else None,
    "status": lambda s, i: s.status(i),
    "custom_hvparams": lambda _, i: i.hvparams,
    "custom_beparams": lambda _, i: i.beparams,
    "custom_nicparams": _nics(lambda _, n: n.params),
    "ctime": lambda _, i: i.ctime,
    "mtime": lambda _, i: i.mtime,
    "uuid": lambda _, i: i.uuid,
    "serial_no": lambda _, i: i.serial_no,
    "tags": lambda _, i: i.tags,
}

# Known to queries, not part of a RAPI answer.
INSTANCE_MORE: dict[str, InstanceField] = {
    "admin_state_source": lambda _s, _i: "admin",
    "admin_up": lambda _, i: i.admin_state == "up",
    "console": lambda _s, _i: None,
    "custom_osparams": lambda _, i: i.osparams,
    "osparams": lambda _, i: i.osparams,
    "disk.count": lambda _, i: len(i.disks),
    "disks_active": lambda _, i: i.running,
    "forthcoming": lambda _s, _i: False,
    "hypervisor": lambda _, i: i.hypervisor,
    "nic.count": lambda _, i: len(i.nics),
    "nic.vlans": _nics(lambda s, n: s.nic_param(n, "vlan")),
    "pnode.group": lambda s, i: s.groups[s.nodes[i.pnode].group].name,
    "pnode.group.uuid": lambda s, i: s.nodes[i.pnode].group,
    "vcpus": lambda s, i: s.beparams(i)["vcpus"],
}

JOB_BULK_FIELDS = ("id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts")
JOB_FIELDS = (*JOB_BULK_FIELDS, "oplog", "opresult")


def instance(state: State, thing: objects.Instance) -> dict[str, Any]:
    shown = {name: field(state, thing) for name, field in INSTANCE.items()}
    if state.settings.software_version.startswith("3.1"):
        shown["custom_osparams"] = thing.osparams
    return shown


def node(state: State, thing: objects.Node) -> dict[str, Any]:
    alive = thing.alive and not thing.offline
    mine = state.instances_of(thing)
    return {
        "name": thing.name,
        "offline": thing.offline,
        "master_candidate": thing.master_candidate,
        "drained": thing.drained,
        "dtotal": thing.disk if alive else None,
        "dfree": thing.disk - state.usage[thing.uuid].disk if alive else None,
        "sptotal": None,
        "spfree": None,
        "mtotal": thing.memory if alive else None,
        "mnode": thing.reserved if alive else None,
        "mfree": state.memory_free(thing) if alive else None,
        "pinst_cnt": len(mine),
        "sinst_cnt": 0,
        "ctotal": thing.cpus if alive else None,
        "cnos": thing.cpus if alive else None,
        "cnodes": 1 if alive else None,
        "csockets": 1 if alive else None,
        "pip": thing.ip,
        "sip": thing.ip,
        "role": role(state, thing),
        "pinst_list": [one.name for one in mine],
        "sinst_list": [],
        "master_capable": True,
        "vm_capable": True,
        "ndparams": defaults.NDPARAMS,
        "group.uuid": thing.group,
        "ctime": thing.ctime,
        "mtime": thing.mtime,
        "uuid": thing.uuid,
        "serial_no": thing.serial_no,
        "tags": thing.tags,
    }


def node_more(state: State, thing: objects.Node) -> dict[str, Any]:
    return {"group": state.groups[thing.group].name, "master": thing is state.master, "powered": True, "disk_state": {}}


def role(state: State, thing: objects.Node) -> str:
    if thing is state.master:
        return "M"
    if thing.offline:
        return "O"
    if thing.drained:
        return "D"
    return "C" if thing.master_candidate else "R"


def group(state: State, thing: objects.Group) -> dict[str, Any]:
    nodes = sorted(one.name for one in state.nodes.values() if one.group == thing.uuid)
    return {
        "alloc_policy": thing.alloc_policy,
        "name": thing.name,
        "node_cnt": len(nodes),
        "node_list": nodes,
        "ipolicy": {**defaults.IPOLICY, "disk-templates": list(state.settings.disk_templates)},
        "custom_ipolicy": {},
        "diskparams": defaults.DISKPARAMS,
        "custom_diskparams": {},
        "ndparams": defaults.NDPARAMS,
        "custom_ndparams": {},
        "ctime": thing.ctime,
        "mtime": thing.mtime,
        "uuid": thing.uuid,
        "serial_no": thing.serial_no,
        "tags": thing.tags,
    }


def group_more(state: State, thing: objects.Group) -> dict[str, Any]:
    names = [i.name for i in state.instances.values() if state.nodes[i.pnode].group == thing.uuid]
    return {"pinst_cnt": len(names), "pinst_list": sorted(names)}


def network(state: State, thing: objects.Network) -> dict[str, Any]:
    pool = state.pools[thing.uuid]
    users = [state.instances[uuid].name for uuid in state.users_of.get(thing.uuid, ())]
    drawn = pool.map()
    return {
        "name": thing.name,
        "network": thing.network,
        "gateway": thing.gateway,
        "network6": thing.network6,
        "gateway6": thing.gateway6,
        "mac_prefix": thing.mac_prefix,
        "free_count": pool.free_count(),
        "reserved_count": len(drawn) - pool.free_count(),
        "map": drawn,
        "group_list": [[state.groups[uuid].name, *how] for uuid, how in thing.connections.items()],
        "inst_list": users,
        "external_reservations": ", ".join(pool.external_ips()),
        "ctime": thing.ctime,
        "mtime": thing.mtime,
        "uuid": thing.uuid,
        "serial_no": thing.serial_no,
        "tags": thing.tags,
    }


def network_more(state: State, thing: objects.Network) -> dict[str, Any]:
    return {"group_cnt": len(thing.connections), "inst_cnt": len(state.users_of.get(thing.uuid, ()))}


def job(thing: jobs.Job, *, archived: bool = False) -> dict[str, Any]:
    """Every field of a job that a query knows."""
    return {
        "id": thing.id,
        "ops": [op.seen_by_rapi() for op in thing.ops],
        "status": thing.status,
        "summary": [op.summary() for op in thing.ops],
        "opstatus": [op.status for op in thing.ops],
        "received_ts": thing.received,
        "start_ts": thing.start,
        "end_ts": thing.end,
        "oplog": [op.log for op in thing.ops],
        "opresult": [op.result for op in thing.ops],
        "opstart": [op.start for op in thing.ops],
        "opexec": [op.exec for op in thing.ops],
        "opend": [op.end for op in thing.ops],
        "oppriority": [op.priority for op in thing.ops],
        "priority": min(op.priority for op in thing.ops),
        "archived": archived,
    }


def info(state: State) -> dict[str, Any]:
    config, identity = state.settings, state.identity
    return {
        **defaults.INFO,
        "software_version": config.software_version,
        "architecture": ["64bits", "x86_64"],
        "name": identity.name,
        "master": identity.master,
        "default_hypervisor": config.hypervisors[0],
        "enabled_hypervisors": list(config.hypervisors),
        "hvparams": defaults.HVPARAMS,
        "beparams": {"default": defaults.BEPARAMS},
        "ipolicy": {**defaults.IPOLICY, "disk-templates": list(config.disk_templates)},
        "nicparams": {"default": {"mode": "bridged", "link": config.link, "vlan": ""}},
        "ndparams": defaults.NDPARAMS,
        "diskparams": defaults.DISKPARAMS,
        "max_running_jobs": config.max_running_jobs,
        "enabled_disk_templates": list(config.disk_templates),
        "ctime": identity.ctime,
        "mtime": identity.ctime,
        "uuid": identity.uuid,
        "tags": identity.tags,
    }
