"""The consoles of simulated guests say what they are."""

from __future__ import annotations

from pathlib import Path

from cloud import consoles
from sandbox.consoles import SimulatedLogs
from tests.support import clouds


def test_a_simulated_guest_says_that_it_is_one_its_name_and_when_it_began(tmp_path: Path) -> None:
    world = clouds.world(clouds.sqlite_sessions(tmp_path))
    server = world.active()
    logs = SimulatedLogs(world.cloud.sessions)

    shown = consoles.output(world.cloud, world.fresh(), logs, server, lines=None)

    launched = world.instance(server).launched_at
    assert launched is not None
    assert "simulated guest" in shown
    assert world.instance(server).ganeti_name in shown
    assert launched.strftime("%Y-%m-%d %H:%M:%S") in shown
    assert len(shown.split("\n")) > 10
    assert consoles.output(world.cloud, world.fresh(), logs, server, lines=3) == "\n".join(shown.split("\n")[-3:])
    world.cloud.sessions.close()


def test_a_guest_that_never_ran_has_printed_nothing(tmp_path: Path) -> None:
    world = clouds.world(clouds.sqlite_sessions(tmp_path))
    server = world.create_one()
    name = world.instance(server).ganeti_name
    assert SimulatedLogs(world.cloud.sessions).tail(name, node="node1", address=None, lines=None) == b""
    assert SimulatedLogs(world.cloud.sessions).tail("other", node="node1", address=None, lines=None) == b""
    world.cloud.sessions.close()
