"""`syros-manage node check` on a node of a real cluster: what Ganeti's own files and processes tell it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import ganeti as bed
from lab import scratch
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
ABOUT_GANETI = ("ganeti", "ganeti daemons", "hooks", "OS definition", "network script", "bridges", "spool")


@pytest.fixture(scope="module")
def cluster() -> Iterator[bed.Cluster]:
    if reason := bed.unavailable():
        missing(reason)
    made = bed.Cluster(scratch.folder("node-check"), name="check")
    made.start()
    yield made
    made.stop()


def python(cluster: bed.Cluster, *words: str) -> str:
    return cluster.run(["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", *words], check=False).stdout


def checked(cluster: bed.Cluster) -> dict[str, tuple[str, str]]:
    rows = json.loads(python(cluster, "manage", "node", "check", "--format", "json"))
    return {row["check"]: (row["state"], row["detail"]) for row in rows if row["check"] in ABOUT_GANETI}


def test_a_master_that_gets_what_it_lacks_is_well(cluster: bed.Cluster) -> None:
    before = checked(cluster)
    assert before["ganeti"] == ("ok", "node1.lab.test: master of 1 nodes")
    assert before["ganeti daemons"][0] == "ok"
    assert {name for name, (state, _) in before.items() if state == "trouble"} == {
        "hooks", "OS definition", "network script",
    }  # fmt: skip
    python(cluster, "ganeti_hooks.install")
    assert {state for name, (state, _) in checked(cluster).items() if name != "bridges"} == {"ok"}


def test_bridges_that_ganeti_connects_networks_to_are_known(cluster: bed.Cluster) -> None:
    cluster.run(["gnt-network", "add", "--network=192.0.2.0/24", "check"])
    cluster.run(["gnt-network", "connect", "-N", "mode=bridged,link=br-none", "check"])
    state, detail = checked(cluster)["bridges"]
    assert (state, detail.partition(":")[0]) == ("trouble", "br-none is not there")
    cluster.run(["gnt-network", "disconnect", "check"])
    cluster.run(["gnt-network", "remove", "check"])


def test_a_daemon_that_is_down_is_named(cluster: bed.Cluster) -> None:
    cluster.run([bed.DAEMON_UTIL, "stop", "ganeti-rapi"])
    assert checked(cluster)["ganeti daemons"] == ("trouble", "ganeti-rapi down")
    cluster.run([bed.DAEMON_UTIL, "start", "ganeti-rapi"])
    assert checked(cluster)["ganeti daemons"][0] == "ok"
