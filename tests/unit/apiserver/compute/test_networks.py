"""Networks, read by the Compute API."""

from __future__ import annotations

import pytest

from cloud.context import Cloud
from tests.support import networks
from tests.unit.apiserver.asking import Asking

V21 = "/compute/v2.1"


@pytest.fixture
def network(cloud: Cloud) -> str:
    return networks.add(cloud, "192.0.2.0/28", "2001:db8::/64")


def test_a_network_is_listed_and_shown_with_a_subnet_of_each_version(demo: Asking, network: str) -> None:
    shown = demo.get(f"{V21}/os-networks/{network}").json["network"]
    assert (shown["label"], shown["cidr"], shown["cidr_v6"]) == ("public", "192.0.2.0/28", "2001:db8::/64")
    assert (shown["netmask"], shown["broadcast"], shown["gateway"]) == ("255.255.255.240", "192.0.2.15", "192.0.2.1")
    assert demo.get(f"{V21}/os-networks").json["networks"] == [shown]


def test_a_tenant_is_shown_little_of_a_network(demo: Asking, network: str) -> None:
    little = {"id": network, "label": "public", "cidr": "192.0.2.0/28"}
    assert demo.get(f"{V21}/os-tenant-networks/{network}").json == {"network": little}
    assert demo.get(f"{V21}/os-tenant-networks").json == {"networks": [little]}


@pytest.mark.parametrize("kind", ["os-networks", "os-tenant-networks"])
def test_the_lists_have_pages(demo: Asking, network: str, kind: str) -> None:
    first = demo.get(f"{V21}/{kind}?limit=1").json
    assert len(first["networks"]) == 1
    assert first["networks_links"][0]["rel"] == "next"
    assert demo.get(f"{V21}/{kind}?limit=1&marker={network}").json == {"networks": []}
    assert demo.get(f"{V21}/{kind}/none").status_code == 404
