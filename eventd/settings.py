"""What eventd can be told; section [eventd] of the configuration."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from common import config


@dataclass(frozen=True)
class EventdSettings:
    """eventd, on every master candidate of a Ganeti cluster."""

    ganeti_dir: Path = config.setting(
        Path("/var/lib/ganeti"), "Ganeti's data directory: config.data, ssconf files and queue/"
    )
    spool_dir: Path = config.setting(Path("/var/spool/syros/hooks"), "where the Ganeti hooks leave their files")
    state_file: Path = config.setting(Path("/var/lib/syros/eventd.json"), "which jobs the broker has confirmed")
    node_name: str = config.setting("", "this node's name as Ganeti knows it; empty for the host's full name")
    rescan_seconds: float = config.setting(
        60.0, "pause between full looks at the queue, in case a change went unnoticed"
    )
    archive_days: float = config.setting(
        7.0, "how far back archived jobs are published on a first start and on becoming the master"
    )
    save_seconds: float = config.setting(2.0, "the state file is written at most this often")
    metrics_address: str = config.setting("", "address:port of the Prometheus metrics; empty for none")


def node_name(settings: EventdSettings) -> str:
    """Give the name to compare with Ganeti's master: the configured one, or the host's full name."""
    if settings.node_name:
        return settings.node_name
    name = socket.gethostname()
    return name if "." in name else socket.getfqdn()
