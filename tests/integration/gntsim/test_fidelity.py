"""Job files against recorded ones: the same requests give the same steps, and the same keys in the same order."""

import json
import pathlib
from typing import Any

import pytest

from tests.integration.gntsim import conftest

SAMPLES = pathlib.Path(__file__).parents[2] / "data" / "ganeti" / "ops"
NODE = "node1.gnt.test"
OSES = ("snfdump+default", "snfdump+alt", "snfmbr+default", "noop+default")

Json = dict[str, Any]


def sample(name: str) -> Json:
    document: Json = json.loads((SAMPLES / f"{name}.json").read_text())
    return document


def prepared(start: conftest.Start, name: str) -> conftest.Sim:
    """A cluster on which the sample's request has the recorded outcome."""
    sim = start(nodes=1, oses=OSES, disk_templates=("file", "diskless", "sharedfile"))
    nets = ("snf-net-1", "snf-net-2", "snf-net-3")
    match name:
        case "network_connect" | "network_modify_reserve" | "network_disconnect" | "network_remove":
            for net, subnet in zip(nets, ("10.77.0.0/24", "10.78.0.0/24", "10.79.0.0/24"), strict=True):
                sim.do("POST", "/2/networks", {"network_name": net, "network": subnet})
            if name == "network_disconnect":
                sim.do("PUT", "/2/networks/snf-net-3/connect", conftest.LINK)
        case "kvm_modify_nic_add_hotplug":
            sim.do("POST", "/2/networks", conftest.NETWORK | {"network_name": "snf-net-1"})
            sim.do("PUT", "/2/networks/snf-net-1/connect", conftest.LINK)
            sim.create("snf-k2.test", disk_template="file")
        case "kvm_reinstall":
            sim.create("snf-k1b.test", disk_template="file", os_type="snfmbr+default")
        case "kvm_rename":
            sim.create("snf-k1.test", disk_template="file", start=False)
        case "create_os_fail":
            sim.knobs.fail("os", "OP_INSTANCE_CREATE")
        case _ if name.startswith("instance_") and name != "instance_create_file_fake":
            sim.create("snf-1.test", disk_template="file", hypervisor="fake", start=name != "instance_startup")
        case _:
            pass
    return sim


CASES = sorted(path.stem for path in SAMPLES.glob("*.json"))


def replay(start: conftest.Start, name: str) -> tuple[Json, list[Json], Json]:
    """The sample, every version of our job's file, and our job as RAPI shows it."""
    recorded = sample(name)
    sim = prepared(start, name)
    request = recorded["request"]
    job = sim.submit(request["method"], request["path"], request["body"])
    shown = sim.ended(job)
    return recorded, sim.written[job], shown


def steps(documents: list[Json]) -> list[list[list[Any]]]:
    taken: list[list[list[Any]]] = []
    for document in documents:
        step = [[op["status"], len(op["log"])] for op in document["ops"]]
        if not taken or taken[-1] != step:
            taken.append(step)
    return taken


def states(taken: list[list[list[Any]]]) -> list[tuple[str, ...]]:
    """The opcodes' statuses alone, repetitions left out: logs depend on the cluster, not only on the request."""
    found: list[tuple[str, ...]] = []
    for step in taken:
        state = tuple(status for status, _ in step)
        if not found or found[-1] != state:
            found.append(state)
    return found


def by_status(documents: list[Json]) -> dict[tuple[Any, ...], Json]:
    """The first file of each state; a queued job has three, told apart by their livelock."""
    first: dict[tuple[Any, ...], Json] = {}
    for document in documents:
        statuses = tuple(op["status"] for op in document["ops"])
        livelock = str(document.get("livelock", "")).rpartition("/")[2].partition("_")[0]
        first.setdefault((statuses, livelock), document)
    return first


@pytest.mark.parametrize("name", CASES)
def test_a_job_passes_through_the_recorded_steps(start: conftest.Start, name: str) -> None:
    recorded, written, _ = replay(start, name)
    ours = states(steps(written))
    theirs = states(recorded["steps"])
    # A reader misses states that last a millisecond, so the recording may lack some; it has none that we lack.
    remaining = iter(ours)
    assert all(state in remaining for state in theirs)
    assert (ours[0], ours[-1]) == (theirs[0], theirs[-1])
    assert len(ours) - len(theirs) <= len(written[-1]["ops"]) - 1


@pytest.mark.parametrize("name", CASES)
def test_a_job_file_has_the_recorded_keys_in_every_state(start: conftest.Start, name: str) -> None:
    recorded, written, _ = replay(start, name)
    ours = by_status(written)
    for state, theirs in by_status(recorded["snapshots"]).items():
        mine = ours[state]
        assert list(mine) == list(theirs), state
        for my_op, their_op in zip(mine["ops"], theirs["ops"], strict=True):
            assert list(my_op) == list(their_op), state
            assert list(my_op["input"]) == list(their_op["input"]), state
            assert type(my_op["result"]) is type(their_op["result"]), state
            for stamp in ("start_timestamp", "exec_timestamp", "end_timestamp"):
                assert (my_op[stamp] is None) == (their_op[stamp] is None), (state, stamp)
        for stamp in ("start_timestamp", "end_timestamp"):
            assert (mine[stamp] is None) == (theirs[stamp] is None), (state, stamp)


@pytest.mark.parametrize("name", CASES)
def test_the_inputs_evolve_as_recorded(start: conftest.Start, name: str) -> None:
    recorded, written, _ = replay(start, name)
    ours = by_status(written)
    for state, theirs in by_status(recorded["snapshots"]).items():
        for my_op, their_op in zip(ours[state]["ops"], theirs["ops"], strict=True):
            mine, its = dict(my_op["input"]), dict(their_op["input"])
            for volatile in ("instance_uuid", "pnode_uuid", "reason"):
                value, expected = mine.pop(volatile, None), its.pop(volatile, None)
                assert (value is None) == (expected is None), (state, volatile)
            if my_op["input"]["OP_ID"] == "OP_INSTANCE_SET_PARAMS":
                mine.pop("nics")
                its.pop("nics")
            assert mine == its, state


@pytest.mark.parametrize("name", CASES)
def test_rapi_shows_a_job_as_recorded(start: conftest.Start, name: str) -> None:
    recorded, _, shown = replay(start, name)
    theirs = recorded["job_rapi"]
    assert list(shown) == list(theirs)
    assert [sorted(op) for op in shown["ops"]] == [sorted(op) for op in theirs["ops"]]
    assert shown["summary"] == theirs["summary"]
    assert [type(result) for result in shown["opresult"]] == [type(result) for result in theirs["opresult"]]


@pytest.mark.parametrize("name", CASES)
def test_the_reason_trail_has_the_recorded_sources(start: conftest.Start, name: str) -> None:
    recorded, written, _ = replay(start, name)
    for my_op, their_op in zip(written[0]["ops"], recorded["snapshots"][0]["ops"], strict=True):
        mine = [[source, text.partition("=")[0]] for source, text, _ in my_op["input"]["reason"]]
        assert mine == [[source, text.partition("=")[0]] for source, text, _ in their_op["input"]["reason"]]


def test_an_instance_is_logged_as_recorded(start: conftest.Start) -> None:
    recorded, written, _ = replay(start, "instance_create_file_fake")
    mine = [entry[3] for entry in written[-1]["ops"][0]["log"]]
    assert mine == [entry[3] for entry in recorded["snapshots"][-1]["ops"][0]["log"]]
