"""Hypervisor parameters of an instance: changed as Ganeti changes them, and refused for its reasons.

Checked are the names, the types, and what an instance boots from; the simulated nodes' files are this machine's.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from gntsim import defaults, objects
from gntsim.cluster import Cluster
from gntsim.opcodes import base

DEFAULT = "default"
BOOT_ORDERS = ("cdrom", "disk", "floppy", "network")
DISK_TYPES = (
    *("ide", "mtd", "paravirtual", "pflash", "sd"),
    *("scsi", "scsi-block", "scsi-cd", "scsi-generic", "scsi-hd"),
)
IMAGES = ("cdrom_image_path", "cdrom2_image_path")


class HypervisorError(base.OpError):
    error_class = "HypervisorError"


def updated(cluster: Cluster, instance: objects.Instance, given: objects.Params, *, node: str) -> objects.Params:
    """The instance's own parameters after a change; `default` takes one back."""
    shared = sorted(defaults.GLOBAL_HVPARAMS & given.keys())
    if shared:
        raise base.PrereqError(
            "The following hypervisor parameters are global and cannot be customized at instance level, please modify"
            f" them at cluster level: {', '.join(shared)}",
            "wrong_input",
        )
    own = {name: value for name, value in {**instance.hvparams, **given}.items() if value != DEFAULT}
    own = {name: _typed(name, value) for name, value in own.items()}
    for name in own:
        if name not in defaults.HVPARAMS[instance.hypervisor]:
            raise HypervisorError(f"Parameter '{name}' is not supported")
    if instance.hypervisor == "kvm":
        _check({**cluster.hv_defaults["kvm"], **own}, node)
    return own


def _typed(name: str, value: Any) -> Any:
    known = defaults.HVPARAMS["kvm"]
    if name not in known:
        raise base.TypeEnforcementError(f"Unknown parameter '{name}'")
    if isinstance(known[name], bool) and isinstance(value, str):
        if value.lower() not in ("true", "false"):
            raise base.TypeEnforcementError(f"'{name}' (value {value}) is not a valid boolean")
        return value.lower() == "true"
    if isinstance(known[name], int) and not isinstance(known[name], bool):
        try:
            return int(value)
        except (TypeError, ValueError) as err:
            raise base.TypeEnforcementError(f"'{name}' (value {value}) is not a valid integer") from err
    return value


def _check(full: objects.Params, node: str) -> None:
    for name, choices in (("boot_order", BOOT_ORDERS), ("cdrom_disk_type", DISK_TYPES)):
        if full[name] and full[name] not in choices:
            raise HypervisorError(
                f"Parameter '{name}' fails syntax check: The value must be one of: {', '.join(choices)}"
                f" (current value: '{full[name]}')"
            )
    for name in IMAGES:
        path = full[name]
        if path and not (_is_url(path) or (path.startswith("/") and posixpath.normpath(path) == path)):
            raise HypervisorError(
                f"Parameter '{name}' fails syntax check: must be an absolute normalized path or a URL"
                f" (current value: '{path}')"
            )
    if full["boot_order"] == "cdrom" and not full["cdrom_image_path"]:
        raise HypervisorError("Cannot boot from cdrom without an ISO path")
    for name in IMAGES:
        path = full[name]
        if path and not (_is_url(path) or Path(path).is_file()):
            raise base.ExecError(
                f"Hypervisor parameter validation failed on node {node}: Parameter '{name}' fails validation:"
                f" not found or not a file or URL (current value: '{path}')"
            )


def _is_url(text: str) -> bool:
    return re.match(r"(https?|ftps?)://", text) is not None
