"""A network that everybody may use, and a subnet in it."""

from __future__ import annotations

import pytest

from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.network.neutron import NETWORK, SUBNET, V2


@pytest.fixture
def public(admin: Asking) -> str:
    return str(admin.post(f"{V2}/networks", {"network": NETWORK}).json["network"]["id"])


@pytest.fixture
def subnet(admin: Asking, public: str) -> str:
    answer = admin.post(f"{V2}/subnets", {"subnet": {**SUBNET, "network_id": public}})
    assert answer.status_code == 201, answer.text
    return str(answer.json["subnet"]["id"])
