"""The parameters of each opcode, in Ganeti 3.0.2's order, with their defaults and their types.

luxid writes a queued job's parameters without the null ones; the job process adds those when it starts the opcode.
"""

import ipaddress
from collections.abc import Callable
from typing import Any

# Parameter values are whatever JSON holds.
PARAMS: dict[str, dict[str, Any]] = {
    "OP_INSTANCE_CREATE": {
        "instance_name": None,
        "force_variant": False,
        "wait_for_sync": True,
        "name_check": True,
        "ignore_ipolicy": False,
        "opportunistic_locking": False,
        "beparams": {},
        "disks": None,
        "disk_template": None,
        "group_name": None,
        "file_driver": None,
        "file_storage_dir": None,
        "hvparams": {},
        "hypervisor": None,
        "iallocator": None,
        "identify_defaults": False,
        "ip_check": True,
        "conflicts_check": True,
        "mode": None,
        "nics": None,
        "no_install": None,
        "osparams": {},
        "osparams_private": None,
        "osparams_secret": None,
        "os_type": None,
        "pnode": None,
        "pnode_uuid": None,
        "snode": None,
        "snode_uuid": None,
        "source_handshake": None,
        "source_instance_name": None,
        "source_shutdown_timeout": 120,
        "source_x509_ca": None,
        "src_node": None,
        "src_node_uuid": None,
        "src_path": None,
        "compress": "none",
        "start": True,
        "forthcoming": False,
        "commit": False,
        "tags": [],
        "instance_communication": False,
        "helper_startup_timeout": None,
        "helper_shutdown_timeout": None,
    },
    "OP_INSTANCE_STARTUP": {
        "instance_name": None,
        "instance_uuid": None,
        "force": False,
        "ignore_offline_nodes": False,
        "hvparams": {},
        "beparams": {},
        "no_remember": False,
        "startup_paused": False,
        "shutdown_timeout": 120,
    },
    "OP_INSTANCE_SHUTDOWN": {
        "instance_name": None,
        "instance_uuid": None,
        "force": False,
        "ignore_offline_nodes": False,
        "timeout": 120,
        "no_remember": False,
        "admin_state_source": None,
    },
    "OP_INSTANCE_REBOOT": {
        "instance_name": None,
        "instance_uuid": None,
        "shutdown_timeout": 120,
        "ignore_secondaries": False,
        "reboot_type": None,
    },
    "OP_INSTANCE_REINSTALL": {
        "instance_name": None,
        "instance_uuid": None,
        "force_variant": False,
        "os_type": None,
        "osparams": None,
        "osparams_private": None,
        "osparams_secret": None,
    },
    "OP_INSTANCE_REMOVE": {
        "instance_name": None,
        "instance_uuid": None,
        "shutdown_timeout": 120,
        "ignore_failures": False,
    },
    "OP_INSTANCE_RENAME": {
        "instance_name": None,
        "instance_uuid": None,
        "new_name": None,
        "name_check": True,
        "ip_check": True,
    },
    "OP_INSTANCE_SET_PARAMS": {
        "instance_name": None,
        "instance_uuid": None,
        "force": False,
        "force_variant": False,
        "ignore_ipolicy": False,
        "nics": [],
        "disks": [],
        "beparams": {},
        "runtime_mem": None,
        "hvparams": {},
        "disk_template": None,
        "ext_params": {},
        "file_driver": None,
        "file_storage_dir": None,
        "pnode": None,
        "pnode_uuid": None,
        "remote_node": None,
        "remote_node_uuid": None,
        "iallocator": None,
        "os_name": None,
        "osparams": {},
        "osparams_private": None,
        "wait_for_sync": True,
        "offline": None,
        "conflicts_check": True,
        "hotplug": False,
        "hotplug_if_possible": False,
        "instance_communication": None,
    },
    "OP_BACKUP_EXPORT": {
        "instance_name": None,
        "instance_uuid": None,
        "compress": "none",
        "shutdown_timeout": 120,
        "target_node": None,
        "target_node_uuid": None,
        "shutdown": True,
        "remove_instance": False,
        "ignore_remove_failures": False,
        "mode": "local",
        "x509_key_name": None,
        "destination_x509_ca": None,
        "zero_free_space": False,
        "zeroing_timeout_fixed": None,
        "zeroing_timeout_per_mib": None,
        "long_sleep": False,
    },
    "OP_INSTANCE_MIGRATE": {
        "instance_name": None,
        "instance_uuid": None,
        "mode": None,
        "live": None,
        "target_node": None,
        "target_node_uuid": None,
        "allow_runtime_changes": True,
        "ignore_ipolicy": False,
        "cleanup": False,
        "iallocator": None,
        "allow_failover": False,
        "ignore_hvversions": False,
    },
    "OP_INSTANCE_FAILOVER": {
        "instance_name": None,
        "instance_uuid": None,
        "shutdown_timeout": 120,
        "ignore_consistency": False,
        "target_node": None,
        "target_node_uuid": None,
        "ignore_ipolicy": False,
        "cleanup": False,
        "iallocator": None,
    },
    "OP_INSTANCE_GROW_DISK": {
        "instance_name": None,
        "instance_uuid": None,
        "wait_for_sync": True,
        "disk": None,
        "amount": None,
        "absolute": False,
        "ignore_ipolicy": False,
    },
    "OP_INSTANCE_QUERY_DATA": {
        "use_locking": False,
        "instances": [],
        "static": False,
    },
    "OP_INSTANCE_ACTIVATE_DISKS": {
        "instance_name": None,
        "instance_uuid": None,
        "ignore_size": False,
        "wait_for_sync": False,
    },
    "OP_INSTANCE_DEACTIVATE_DISKS": {
        "instance_name": None,
        "instance_uuid": None,
        "force": False,
    },
    "OP_INSTANCE_MULTI_ALLOC": {
        "opportunistic_locking": False,
        "iallocator": None,
        "instances": [],
    },
    "OP_NETWORK_ADD": {
        "network_name": None,
        "network": None,
        "gateway": None,
        "network6": None,
        "gateway6": None,
        "mac_prefix": None,
        "add_reserved_ips": None,
        "conflicts_check": True,
        "tags": [],
    },
    "OP_NETWORK_REMOVE": {
        "network_name": None,
        "force": False,
    },
    "OP_NETWORK_SET_PARAMS": {
        "network_name": None,
        "gateway": None,
        "network6": None,
        "gateway6": None,
        "mac_prefix": None,
        "add_reserved_ips": None,
        "remove_reserved_ips": None,
    },
    "OP_NETWORK_CONNECT": {
        "group_name": None,
        "network_name": None,
        "network_mode": None,
        "network_link": None,
        "network_vlan": "",
        "conflicts_check": True,
    },
    "OP_NETWORK_DISCONNECT": {
        "group_name": None,
        "network_name": None,
    },
    "OP_NODE_SET_PARAMS": {
        "node_name": None,
        "node_uuid": None,
        "force": False,
        "hv_state": None,
        "disk_state": None,
        "master_candidate": None,
        "offline": None,
        "drained": None,
        "auto_promote": False,
        "master_capable": None,
        "vm_capable": None,
        "secondary_ip": None,
        "ndparams": None,
        "powered": None,
    },
    "OP_NODE_MIGRATE": {
        "node_name": None,
        "node_uuid": None,
        "mode": None,
        "live": None,
        "target_node": None,
        "target_node_uuid": None,
        "allow_runtime_changes": True,
        "ignore_ipolicy": False,
        "iallocator": None,
    },
    "OP_NODE_EVACUATE": {
        "early_release": False,
        "node_name": None,
        "node_uuid": None,
        "remote_node": None,
        "remote_node_uuid": None,
        "iallocator": None,
        "mode": None,
        "ignore_soft_errors": None,
    },
    "OP_GROUP_ADD": {
        "group_name": None,
        "alloc_policy": None,
        "ndparams": None,
        "diskparams": None,
        "hv_state": None,
        "disk_state": None,
        "ipolicy": None,
    },
    "OP_GROUP_REMOVE": {
        "group_name": None,
    },
    "OP_GROUP_RENAME": {
        "group_name": None,
        "new_name": None,
    },
    "OP_GROUP_SET_PARAMS": {
        "group_name": None,
        "alloc_policy": None,
        "ndparams": None,
        "diskparams": None,
        "hv_state": None,
        "disk_state": None,
        "ipolicy": None,
    },
    "OP_TAGS_SET": {
        "kind": None,
        "tags": None,
        "name": None,
    },
    "OP_TAGS_DEL": {
        "kind": None,
        "tags": None,
        "name": None,
    },
    "OP_CLUSTER_REDIST_CONF": {},
    "OP_OS_DIAGNOSE": {
        "output_fields": None,
        "names": [],
    },
}


def complete(opcode: str, given: dict[str, Any]) -> dict[str, Any]:
    """Every parameter of an opcode in order: the given values over the defaults."""
    return {name: given.get(name, default) for name, default in PARAMS[opcode].items()}


def submitted(opcode: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters as luxid writes them: the nulls left out."""
    return {name: value for name, value in complete(opcode, given).items() if value is not None}


def invalid(opcode: str, given: dict[str, Any]) -> str | None:
    """The first parameter that Ganeti's type check refuses, or None."""
    required = REQUIRED.get(opcode, frozenset())
    for name, value in complete(opcode, given).items():
        if value is None:
            if name in required or (name in given and name in NEVER_NULL):
                return name
            continue
        check = CHECKS_OF.get((opcode, name)) or CHECKS.get(name)
        if check is not None and not check(value):
            return name
    return None


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _mapping(value: object) -> bool:
    return isinstance(value, dict)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _mappings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(_text(item) for item in value)


def _ipv4(value: object) -> bool:
    try:
        ipaddress.IPv4Address(str(value))
    except ValueError:
        return False
    return True


def _one_of(*choices: str) -> Callable[[object], bool]:
    return lambda value: value in choices


NEVER_NULL = frozenset({"beparams", "hvparams", "tags", "osparams", "start", "disks", "nics"})

REQUIRED: dict[str, frozenset[str]] = {
    "OP_INSTANCE_CREATE": frozenset({"instance_name", "disks", "nics", "mode"}),
    "OP_BACKUP_EXPORT": frozenset({"instance_name", "target_node"}),
    "OP_INSTANCE_RENAME": frozenset({"instance_name", "new_name"}),
    "OP_INSTANCE_REBOOT": frozenset({"instance_name", "reboot_type"}),
    "OP_INSTANCE_GROW_DISK": frozenset({"instance_name", "disk", "amount"}),
    "OP_NETWORK_ADD": frozenset({"network_name", "network"}),
    "OP_NETWORK_CONNECT": frozenset({"network_name", "group_name", "network_mode", "network_link"}),
    "OP_NETWORK_DISCONNECT": frozenset({"network_name", "group_name"}),
    "OP_NODE_EVACUATE": frozenset({"node_name", "mode"}),
    "OP_GROUP_ADD": frozenset({"group_name"}),
    "OP_GROUP_RENAME": frozenset({"group_name", "new_name"}),
}

CHECKS: dict[str, Callable[[object], bool]] = {
    "instance_name": _text,
    "network_name": _text,
    "group_name": _text,
    "node_name": _text,
    "new_name": _text,
    "beparams": _mapping,
    "hvparams": _mapping,
    "osparams": _mapping,
    "osparams_private": _mapping,
    "osparams_secret": _mapping,
    "tags": _texts,
    "add_reserved_ips": _texts,
    "remove_reserved_ips": _texts,
    "disks": lambda value: isinstance(value, list),
    "nics": lambda value: isinstance(value, list),
    "amount": _whole,
    "disk": _whole,
    "timeout": _whole,
    "shutdown_timeout": _whole,
    "reboot_type": _one_of("soft", "hard", "full"),
    "network_mode": _one_of("bridged", "routed", "openvswitch"),
    "disk_template": _one_of("diskless", "file", "sharedfile", "plain", "blockdev", "drbd", "rbd", "ext", "gluster"),
    "start": _flag,
    "name_check": _flag,
    "ip_check": _flag,
    "conflicts_check": _flag,
    "hotplug": _flag,
    "ignore_failures": _flag,
    "wait_for_sync": _flag,
    "no_install": _flag,
    "offline": _flag,
    "drained": _flag,
    "master_candidate": _flag,
}

#: those of a name that means something else elsewhere
CHECKS_OF: dict[tuple[str, str], Callable[[object], bool]] = {
    ("OP_BACKUP_EXPORT", "mode"): _one_of("local", "remote"),
    ("OP_BACKUP_EXPORT", "shutdown"): _flag,
    ("OP_BACKUP_EXPORT", "remove_instance"): _flag,
    # "none" is the command line's alone
    ("OP_NETWORK_ADD", "gateway"): _ipv4,
    ("OP_NETWORK_SET_PARAMS", "gateway"): _ipv4,
    ("OP_BACKUP_EXPORT", "target_node"): lambda value: _text(value) or isinstance(value, list),
}
