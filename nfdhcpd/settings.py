"""What nfdhcpd can be told; section [nfdhcpd] of the configuration."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from common import bindings, config, metrics
from common.metrics import Address

_LARGEST_QUEUE = 65_535
#: RFC 4861 section 6.2.1: MaxRtrAdvInterval
_RA_SECONDS = (4.0, 1800.0)

_METRICS = "[nfdhcpd] metrics_address"


@dataclass(frozen=True)
class NfdhcpdSettings:
    """nfdhcpd, on every Ganeti node."""

    bindings_dir: Path = config.setting(bindings.DEFAULT_FOLDER, "where the bindings of this node's NICs are")
    dhcp4_queue: int = config.setting(42, "number of the queue that the rules send DHCPv4 to; -1: none")
    rs_queue: int = config.setting(43, "number of the queue for router solicitations; -1: none")
    ns_queue: int = config.setting(44, "number of the queue for neighbour solicitations; -1: none")
    dhcp6_queue: int = config.setting(45, "number of the queue for DHCPv6; -1: none")
    queue_length: int = config.setting(4096, "packets that may wait in each queue; more pass unanswered")
    server_address: str = config.setting(
        "169.254.169.254", "IPv4 address that the DHCP server goes by in networks without a gateway"
    )
    metadata: bool = config.setting(
        False, "whether metadatad runs on this node: guests at bridges are told that 169.254.169.254 is on their link"
    )
    ra_seconds: float = config.setting(
        600.0, "most seconds between two router advertisements to a guest; a router is believed for three times that"
    )
    rescan_seconds: float = config.setting(30.0, "pause between full looks at the bindings, in case one went unnoticed")
    metrics_address: str = config.setting("127.0.0.1:9465", "address:port for Prometheus; empty for none")

    def __post_init__(self) -> None:
        numbers = [number for number in self.queues.values() if number >= 0]
        for key, number in self.queues.items():
            if not -1 <= number <= _LARGEST_QUEUE:
                raise config.ConfigError(f"[nfdhcpd] {key}: {number} is not from -1 to {_LARGEST_QUEUE}")
        if len(set(numbers)) != len(numbers):
            raise config.ConfigError("[nfdhcpd] the queues: each needs a number of its own")
        if self.queue_length < 1:
            raise config.ConfigError("[nfdhcpd] queue_length: at least 1 is needed")
        try:
            ipaddress.IPv4Address(self.server_address)
        except ValueError as err:
            raise config.ConfigError(f"[nfdhcpd] server_address: {err}") from err
        if not _RA_SECONDS[0] <= self.ra_seconds <= _RA_SECONDS[1]:
            raise config.ConfigError(f"[nfdhcpd] ra_seconds: {self.ra_seconds} is not from 4 to 1800")
        if self.rescan_seconds <= 0:
            raise config.ConfigError("[nfdhcpd] rescan_seconds: more than 0 is needed")
        metrics.address(self.metrics_address, _METRICS)

    @property
    def metrics(self) -> Address | None:
        """Where Prometheus is answered."""
        return metrics.address(self.metrics_address, _METRICS)

    @property
    def queues(self) -> dict[str, int]:
        """The numbers of the queues, by the key that sets each."""
        return {
            "dhcp4_queue": self.dhcp4_queue,
            "rs_queue": self.rs_queue,
            "ns_queue": self.ns_queue,
            "dhcp6_queue": self.dhcp6_queue,
        }
