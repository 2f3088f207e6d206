"""Reconciliation, strangers, dead letters and the health of the whole."""

from datetime import UTC, datetime

import orjson

from cloud.submitter import Submitter
from common import jobs, messages, names
from common.bus.memory import MemoryBus
from gntsim.server import Simulator
from rapi.specs import InstanceSpec
from tests.support import networks
from tests.unit.manage.conftest import Operator, Tenancy, add_arguments


class Away(MemoryBus):
    """A broker that does not answer."""

    def ready(self) -> bool:
        return False


def submit_only(tenancy: Tenancy) -> None:
    """Send what waits, and hear nothing of it."""
    Submitter(tenancy.operator.cloud, tenancy.clients).serve(tenancy.backend)


def stop_behind_our_back(tenancy: Tenancy, name: str) -> None:
    tenancy.clients.of(tenancy.backend).shutdown_instance(name, reason="operator")
    tenancy.settle()


def make_stranger(tenancy: Tenancy) -> str:
    name = names.instance_name(names.DEFAULT_PREFIX, names.new_id())
    spec = InstanceSpec(
        name=name, memory=64, vcpus=1, disk_template="diskless", hypervisor="fake", os="noop+default",
        pnode="node1.gnt.test",
    )  # fmt: skip
    tenancy.clients.of(tenancy.backend).create_instance(spec, reason="operator")
    tenancy.settle()
    return name


def test_nothing_is_found_where_nothing_differs(tenancy: Tenancy) -> None:
    tenancy.create()
    tenancy.settle()
    tenancy.operator.run("reconcile", "--repair")

    assert tenancy.operator.json("reconcile") == []


def test_a_difference_is_reported_then_repaired(tenancy: Tenancy) -> None:
    made = tenancy.create()
    tenancy.settle()
    stop_behind_our_back(tenancy, made.ganeti_name)

    (found,) = tenancy.operator.json("reconcile", "--backend", "lab", "--dry-run", code=1)
    assert (found["kind"], found["subject"], found["recorded"]) == ("state", made.ganeti_name, "active")
    assert found["repaired"] is False
    assert tenancy.operator.json("reconcile", "--repair")[0]["repaired"] is True
    assert tenancy.operator.json("instance", "show", made.id)["state"] == "stopped"
    assert tenancy.operator.json("reconcile") == []


def test_nics_follow_the_ports_when_an_operator_asks_for_it(tenancy: Tenancy) -> None:
    networks.add(tenancy.operator.cloud, "192.0.2.0/29", "2001:db8::/64")
    kept, lost = tenancy.create(), tenancy.create()
    tenancy.settle()
    tenancy.operator.run("reconcile", "--repair")
    assert tenancy.operator.json("reconcile") == []
    client = tenancy.clients.of(tenancy.backend)
    stray = f"port-{names.new_id()}"
    changes = [["modify", 0, {"link": "br9", "name": "eth0"}], ["add", -1, {"name": stray, "mode": "bridged"}]]
    client.modify_instance(kept.ganeti_name, reason="operator", hotplug=False, nics=[*changes, ["add", -1, {}]])
    client.modify_instance(lost.ganeti_name, reason="operator", hotplug=False, nics=[["remove", 0, {}]])
    tenancy.settle()

    found = tenancy.operator.json("reconcile", "--dry-run", code=1)
    assert sorted((each["kind"], each["subject"] == kept.ganeti_name) for each in found) == [
        ("nic-differs", True),
        ("nic-missing", False),
        ("nic-stray", True),
        ("nic-stray", True),
    ]
    repaired = tenancy.operator.json("reconcile", "--repair", code=1)
    assert [each["seen"].startswith("- ") for each in repaired if not each["repaired"]] == [True]
    # the tags, and then the NICs
    tenancy.settle()
    tenancy.settle()

    (left,) = tenancy.operator.json("reconcile", code=1)
    assert (left["kind"], left["subject"]) == ("nic-stray", kept.ganeti_name)
    shown = {row["name"]: row for row in client.get_instances(bulk=True)}
    assert stray not in shown[kept.ganeti_name]["nic.names"]
    assert shown[kept.ganeti_name]["nic.links"][0] == "br0"
    assert len(shown[lost.ganeti_name]["nic.names"]) == 1


def test_a_cluster_out_of_reach_is_code_3(tenancy: Tenancy) -> None:
    tenancy.operator.run("backend", "move", "lab", "--rapi-url", "https://127.0.0.1:1")

    assert "backend lab: " in tenancy.operator.run("reconcile", code=3).err


def test_a_cluster_that_is_offline_is_left_alone(tenancy: Tenancy) -> None:
    tenancy.operator.run("backend", "offline", "lab", "--yes")

    assert tenancy.operator.json("reconcile") == []
    tenancy.operator.run("reconcile", "--backend", "lab", code=3)


def test_a_stranger_is_listed_and_adopted(tenancy: Tenancy) -> None:
    name = make_stranger(tenancy)
    assert tenancy.operator.json("reconcile", code=1)[0]["kind"] == "stranger"
    (stranger,) = tenancy.operator.json("stranger", "list")
    assert (stranger["backend"], stranger["name"], stranger["ram"]) == ("lab", name, 64)

    adopted = tenancy.operator.json(
        *("stranger", "adopt", "lab", name, "--project", "acme", "--user", "ann"),
        *("--flavor", "m1.tiny", "--label", "found"),
    )

    assert (adopted["name"], adopted["project"], adopted["user"], adopted["state"]) == (
        "found", "acme", "ann", "unknown",
    )  # fmt: skip
    assert tenancy.operator.json("stranger", "list") == []
    assert tenancy.operator.json("quota", "show", "acme")[0]["used"] == 1


def test_a_stranger_that_was_never_seen_is_not_adopted(tenancy: Tenancy) -> None:
    arguments = ("--project", "acme", "--user", "ann", "--flavor", "1")

    tenancy.operator.run("stranger", "adopt", "lab", "syros-nobody", *arguments, code=1)


def event() -> bytes:
    op = jobs.Op(opcode="OP_INSTANCE_STARTUP", status=jobs.JobStatus.SUCCESS, instance="syros-x")
    job = jobs.Job(
        id=7,
        status=jobs.JobStatus.SUCCESS,
        ops=(op,),
        request_id=None,
        origin=None,
        received_at=None,
        started_at=None,
        ended_at=None,
    )
    return messages.encode(messages.JobEvent(cluster="c", job=job, seen_at=datetime(2026, 1, 1, tzinfo=UTC)))


def test_dead_letters_are_listed_with_what_they_are_about(operator: Operator) -> None:
    letter = operator.die(event(), "no such cluster")
    operator.die(b"\xff\x1b not ours", "not JSON")

    first, second = operator.json("event", "dead", "list")

    assert (first["id"], first["reason"]) == (letter, "no such cluster")
    assert first["summary"] == "job 7 success OP_INSTANCE_STARTUP syros-x"
    assert "not ours" in second["summary"]
    assert "\x1b" not in operator.run("event", "dead", "list").out


def test_a_dead_letter_is_shown_whole(operator: Operator) -> None:
    letter = operator.die(event(), "no such cluster")

    assert operator.json("event", "dead", "show", letter)["body"] == orjson.loads(event())
    operator.run("event", "dead", "show", "no-such", code=1)


def test_a_dead_letter_is_replayed(operator: Operator) -> None:
    letter = operator.die(event(), "no such cluster")

    assert operator.json("event", "dead", "replay", letter) == {"replayed": [letter]}
    assert operator.json("event", "dead", "list") == []
    operator.run("event", "dead", "replay", letter, code=1)


def test_all_dead_letters_are_dropped_only_after_a_yes(operator: Operator) -> None:
    operator.die(event(), "one")
    operator.die(event(), "two")

    operator.run("event", "dead", "drop", "--all", stdin="n\n", code=1)
    assert len(operator.json("event", "dead", "list")) == 2
    assert len(operator.json("event", "dead", "drop", "--all", "--yes")["dropped"]) == 2
    assert operator.json("event", "dead", "list") == []


def test_replaying_nothing_in_particular_is_a_mistake(operator: Operator) -> None:
    operator.run("event", "dead", "replay", code=2)


def test_a_healthy_installation_is_code_0(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator))

    told = operator.json("status")

    assert told["healthy"] is True
    assert [check["check"] for check in told["checks"]] == [
        "database", "bus", "dead letters", "schema", "secrets", "strangers",
    ]  # fmt: skip
    assert {check["state"] for check in told["checks"]} == {"ok"}
    assert (told["backends"][0]["name"], told["backends"][0]["jobs_in_flight"]) == ("lab", 0)


def test_an_installation_without_a_cluster_is_not_healthy(operator: Operator) -> None:
    told = operator.json("status", code=1)

    assert [check["check"] for check in told["checks"] if check["state"] != "ok"] == ["backends"]


def test_an_empty_database_is_told_as_such(bare: Operator) -> None:
    told = bare.json("status", code=1)

    assert [check["check"] for check in told["checks"] if check["state"] != "ok"] == ["schema"]


def test_silent_jobs_and_dead_letters_are_trouble(tenancy: Tenancy) -> None:
    tenancy.create()
    submit_only(tenancy)
    tenancy.operator.die(event(), "no such cluster")

    told = tenancy.operator.json("status", "--patience", "-60", code=1)

    assert {check["check"] for check in told["checks"] if check["state"] == "trouble"} == {
        "dead letters", "backend lab",
    }  # fmt: skip
    assert told["backends"][0]["silent_jobs"] == 1
    assert told["backends"][0]["jobs_in_flight"] == 1


def test_a_key_that_opens_nothing_is_trouble(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator))
    operator.environ["SYROS_SECRETS_KEY"] = operator.json("key", "new")["key"]

    told = operator.json("status", code=1)

    assert [check["check"] for check in told["checks"] if check["state"] != "ok"] == ["secrets"]


def test_a_broker_that_is_away_hides_nothing_else(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator))
    operator.bus = Away()

    told = operator.json("status", code=3)

    assert {check["check"]: check["state"] for check in told["checks"]}["bus"] == "unreachable"
    assert told["backends"][0]["name"] == "lab"
