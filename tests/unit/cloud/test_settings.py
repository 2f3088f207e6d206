"""What an operator may not decide."""

import pytest

from cloud.settings import CloudSettings
from common.config import ConfigError


def test_projects_networks_are_of_a_kind_that_the_pool_has() -> None:
    assert CloudSettings(tenant_network_kind="mac-filtered").tenant_network_kind == "mac-filtered"
    with pytest.raises(ConfigError, match="tenant_network_kind"):
        CloudSettings(tenant_network_kind="flat")
