"""What seriald can be told; section [seriald] of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common import config, names


@dataclass(frozen=True)
class SerialdSettings:
    """seriald, on every Ganeti node."""

    ctrl_dir: Path = config.setting(
        Path("/var/run/ganeti/kvm-hypervisor/ctrl"), "where Ganeti has QEMU listen for the consoles of guests"
    )
    state_dir: Path = config.setting(Path("/var/lib/syros/serial"), "where the guests' output is kept")
    prefix: str = config.setting(
        names.DEFAULT_PREFIX, "the guests that are served: those whose name in Ganeti begins so; empty for all"
    )
    log_kib: int = config.setting(256, "KiB that are kept of each guest, at least; at most it takes twice as much")
    keep_days: float = config.setting(30.0, "days after which the log of a guest that does not run here is removed")
    rescan_seconds: float = config.setting(30.0, "pause between full looks, in case a change went unnoticed")
    host: str = config.setting("", "address to listen on for the API; empty for all of this node's")
    port: int = config.setting(8780, "port to listen on for the API")
    cert: str = config.setting("", "file of this node's certificate, with its chain, in its name as Ganeti knows it")
    key: str = config.setting("", "file of the certificate's private key")
    token: str = config.setting("", "what the API shows to be given the logs; the same on all nodes", secret=True)
    plain_http: bool = config.setting(False, "serve without TLS: for test beds, and for loopback")

    def __post_init__(self) -> None:
        if not self.token or not self.token.isascii():
            raise config.ConfigError("[seriald] token: a text in ASCII is needed, the one of the API's [console] token")
        if self.log_kib < 1:
            raise config.ConfigError("[seriald] log_kib: at least 1 is needed")
        if not self.plain_http and not (self.cert and self.key):
            raise config.ConfigError("[seriald] cert and key: both are needed, or plain_http in a test bed")
