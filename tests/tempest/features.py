"""What tempest is told that this cloud has. It tests what is on and skips what is off, so each has to be true."""

from __future__ import annotations

from dataclasses import dataclass

# Switch these on with what they name.
SNAPSHOT = True
RESCUE = True
CONSOLE_OUTPUT = True
VNC_CONSOLE = False
NETWORK = True
VOLUME = False

_LATER = "not served yet"
_GANETI = "Ganeti can't"
_PAGE = "tempest expects the WebSocket at the page's own address"


@dataclass(frozen=True)
class Feature:
    """A switch of tempest.conf; `why` says of one that is off what the reason is."""

    section: str
    name: str
    on: bool
    why: str = ""


FEATURES = (
    Feature("service_available", "nova", True),
    Feature("service_available", "glance", True),
    Feature("service_available", "neutron", NETWORK, "no Network API yet"),
    Feature("service_available", "cinder", VOLUME, "no Volume API yet"),
    Feature("service_available", "swift", False, "no object storage"),
    Feature("service_available", "horizon", False, "no Horizon"),
    Feature("enforce_scope", "nova", True),
    Feature("compute-feature-enabled", "resize", True),
    Feature("compute-feature-enabled", "cold_migration", True),
    Feature("compute-feature-enabled", "live_migration", True),
    Feature("compute-feature-enabled", "personality", True),
    Feature("compute-feature-enabled", "config_drive", True),
    Feature("compute-feature-enabled", "enable_instance_password", True),
    Feature("compute-feature-enabled", "snapshot", SNAPSHOT, _LATER),
    Feature("compute-feature-enabled", "rescue", RESCUE, _LATER),
    Feature("compute-feature-enabled", "console_output", CONSOLE_OUTPUT, _LATER),
    Feature("compute-feature-enabled", "vnc_console", VNC_CONSOLE, _PAGE),
    Feature("compute-feature-enabled", "interface_attach", NETWORK, "no Network API yet"),
    Feature("compute-feature-enabled", "metadata_service", False, "simulated guests ask nobody for their metadata"),
    Feature("compute-feature-enabled", "pause", False, f"{_GANETI} pause a guest"),
    Feature("compute-feature-enabled", "suspend", False, f"{_GANETI} save a guest's memory"),
    Feature("compute-feature-enabled", "shelve", False, "a shelved server would keep its disk and its place: stop it"),
    Feature("compute-feature-enabled", "change_password", False, "nothing of ours runs in the guest to change it"),
    Feature(
        "compute-feature-enabled", "disk_config", False, "AUTO is the only one: a disk is as big as its flavor says"
    ),
    Feature("compute-feature-enabled", "hostname_fqdn_sanitization", False, "host names keep their dots"),
    Feature("compute-feature-enabled", "unified_limits", False, "quotas are kept by the Compute API"),
    Feature("identity-feature-enabled", "trust", False, "no trusts; application credentials do what they are used for"),
    Feature("identity-feature-enabled", "access_rules", False, "application credentials are limited by role alone"),
    Feature(
        "identity-feature-enabled", "security_compliance", False, "no rules about the age and history of passwords"
    ),
    Feature("validation", "run_validation", False, "simulated guests have nothing that one could log in to"),
)

#: which hints of the Compute API the placement heeds, by the names of nova's filters
FILTERS = (
    "ComputeFilter",
    "SameHostFilter",
    "DifferentHostFilter",
    "ServerGroupAffinityFilter",
    "ServerGroupAntiAffinityFilter",
)
