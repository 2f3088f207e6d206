"""A server, an external network, and a floating IP that it has or has not."""

from __future__ import annotations

import pytest

from tests.support import networks as made_networks
from tests.support.clouds import World
from tests.unit.cloud.floating_ips.holding import associate, fixed_port, take


@pytest.fixture
def outside(world: World) -> str:
    """An external network."""
    return made_networks.add(world.cloud, "203.0.113.0/29", name="outside", external=True, link="br1")


@pytest.fixture
def server(world: World) -> str:
    """A server that runs, with one interface in a network of its own."""
    made_networks.add(world.cloud, "10.0.0.0/24", name="inside", is_default=True)
    return world.active()


@pytest.fixture
def kept(world: World, outside: str, server: str) -> str:
    """The id of a floating IP that nobody has; the server is there."""
    return take(world, outside).floating.id


@pytest.fixture
def associated(world: World, kept: str, server: str) -> str:
    """The id of a floating IP that the server has."""
    associate(world, kept, fixed_port(world, server))
    world.run_out(server)
    return kept
