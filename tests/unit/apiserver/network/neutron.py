"""What the tests of networks and subnets ask for, and how a refusal looks."""

from __future__ import annotations

V2 = "/network/v2.0"
NETWORK = {"name": "public", "shared": True, "router:external": True, "provider:physical_network": "br0"}
SUBNET = {"cidr": "192.0.2.0/24", "ip_version": 4}


def refused(answer: object, status: int, word: str) -> None:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    fault = answer.json["NeutronError"]  # type: ignore[attr-defined]
    assert word in fault["message"]
    assert set(fault) == {"type", "message", "detail"}
