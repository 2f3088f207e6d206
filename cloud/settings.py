"""What an operator may decide about the domain; the same for every program that works on it."""

from __future__ import annotations

from dataclasses import dataclass

from common import config

_TENANT_KINDS = ("bridge", "mac-filtered")


@dataclass(frozen=True)
class CloudSettings:
    """Limits, lifetimes and patience."""

    quota_instances: int = config.setting(10, "instances that a project may have, by default; -1 for no limit")
    quota_cores: int = config.setting(20, "virtual CPUs that a project may have, by default; -1 for no limit")
    quota_ram: int = config.setting(51200, "MiB of memory that a project's instances may have, by default; -1 for none")
    quota_networks: int = config.setting(10, "networks of its own that a project may have, by default; -1 for no limit")
    quota_floating_ips: int = config.setting(50, "floating IPs that a project may have, by default; -1 for no limit")
    quota_ports: int = config.setting(
        500, "ports that a project may have, those of its servers among them, by default; -1 for no limit"
    )
    quota_security_groups: int = config.setting(
        10, "security groups that a project may have, by default; -1 for no limit"
    )
    quota_security_group_rules: int = config.setting(
        100, "rules that a project's security groups may have, by default; -1 for no limit"
    )
    token_hours: float = config.setting(8.0, "hours that a token lives")
    metadata_items: int = config.setting(128, "metadata items that an instance may have")
    cpu_ratio: float = config.setting(16.0, "virtual CPUs that may share one of a node's")
    submit_lease: float = config.setting(
        45.0, "seconds after which a job that nobody reported submitted is looked for in Ganeti, then sent again"
    )
    rapi_timeout: float = config.setting(15.0, "seconds that a call to RAPI may take")
    rapi_connections: int = config.setting(4, "connections that a process opens to one backend at once")
    build_patience: float = config.setting(
        900.0, "seconds that a create may wait for an unreachable backend before it becomes an error"
    )
    resize_confirm_hours: float = config.setting(
        24.0, "hours after which a resize that nobody confirmed or reverted is final; 0 for never"
    )
    reclaim_after: float = config.setting(
        0.0,
        "seconds that a deleted server rests, stopped and counted, and can be restored, before it is removed; "
        "0: it is removed at once",
    )
    guest_url: str = config.setting(
        "",
        "URL that Ganeti's nodes reach the API by, to fetch what guests are given at their first boot (name, keys, "
        "password, user data, files), and to bring images of servers; empty: guests are given nothing, and no image "
        "is made of a server",
    )
    guest_token_life: float = config.setting(
        3600.0, "seconds that a deployment may wait in Ganeti's queue and still fetch what its guest is given"
    )
    capacity_age: float = config.setting(300.0, "seconds after which a backend's known capacity is no longer trusted")
    mac_prefix: str = config.setting(
        "02:53:79",
        "the first octets of the MAC addresses that ports are given: locally administered, and this cloud's alone",
    )
    address_history_days: float = config.setting(
        400.0, "days that it is kept who had an address, after they had it; 0: for ever"
    )
    tenant_network_kind: str = config.setting(
        "bridge", "what networks are that projects make for themselves: bridge or mac-filtered, each out of the pool"
    )

    def __post_init__(self) -> None:
        if self.tenant_network_kind not in _TENANT_KINDS:
            raise config.ConfigError(f"[cloud] tenant_network_kind: {' or '.join(_TENANT_KINDS)} is expected")
