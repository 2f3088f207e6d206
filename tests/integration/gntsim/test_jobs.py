"""How jobs wait, end, are canceled and die."""

from typing import Any

import pytest

from tests.integration.gntsim import conftest


def statuses(sim: conftest.Sim, job: int) -> list[str]:
    found: list[str] = []
    for document in sim.written[job]:
        status = document["ops"][0]["status"]
        if not found or found[-1] != status:
            found.append(status)
    return found


def stuck(sim: conftest.Sim, name: str = "snf-1") -> int:
    """A shutdown that runs until it is released."""
    sim.knobs.fail("stuck", "OP_INSTANCE_SHUTDOWN")
    job = sim.submit("PUT", f"/2/instances/{name}/shutdown", {})
    conftest.eventually(lambda: sim.status_of(job) == "running")
    return job


def test_a_queued_job_is_written_three_times(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    livelocks = [str(d.get("livelock"))[:34] for d in sim.written[1] if d["ops"][0]["status"] == "queued"]
    assert livelocks == ["None", "/var/run/ganeti/livelocks/luxi-dae", "/var/run/ganeti/livelocks/job_0000"]


def test_every_log_entry_is_written_on_its_own(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    lengths = [len(d["ops"][0]["log"]) for d in sim.written[1] if d["ops"][0]["status"] == "running"]
    assert lengths == sorted(set(lengths))


def test_a_dependent_job_stays_queued_until_the_other_ends(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    first = stuck(sim)
    second = sim.submit("PUT", "/2/instances/snf-1/startup", {"depends": [[first, ["success"]]]})
    assert sim.status_of(second) == "queued"
    sim.knobs.release_job(first)
    assert sim.ended(second)["status"] == "success"
    assert sim.get("/2/instances/snf-1")["status"] == "running"


def test_an_unsatisfied_dependency_fails_without_running(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    first = sim.submit("PUT", "/2/instances/snf-1/shutdown", {})
    second = sim.submit("PUT", "/2/instances/snf-1/startup", {"depends": [[first, ["error"]]]})
    text = f"Dependency job {first} finished with status 'success', not one of 'error' as required"
    assert sim.ended(second)["opresult"] == [["OpExecError", [text]]]
    assert statuses(sim, second) == ["queued", "waiting", "error"]


def test_a_dependency_on_no_job_is_accepted_and_fails(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    assert sim.do("PUT", "/2/instances/snf-1/startup", {"depends": [[4711, []]]}, status="error")


def test_a_second_job_on_an_instance_waits_for_the_first(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    first = stuck(sim)
    second = sim.submit("PUT", "/2/instances/snf-1/startup", {})
    conftest.eventually(lambda: sim.status_of(second) == "waiting")
    sim.knobs.release_job(first)
    assert sim.ended(second)["status"] == "success"


def test_a_disconnect_waits_for_the_groups_instances_and_a_connect_behind_it(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.network()
    sim.do("POST", "/2/networks", {"network_name": "net-2", "network": "10.78.0.0/28", "conflicts_check": False})
    first = stuck(sim)
    second = sim.submit("PUT", "/2/networks/net-1/disconnect", {"group_name": "default"})
    conftest.eventually(lambda: sim.status_of(second) == "waiting")
    link = {"group_name": "default", "network_mode": "bridged", "network_link": "br0", "conflicts_check": False}
    third = sim.submit("PUT", "/2/networks/net-2/connect", link)
    conftest.eventually(lambda: sim.status_of(third) == "waiting")
    sim.knobs.release_job(first)
    assert {sim.ended(job)["status"] for job in (second, third)} == {"success"}


def test_a_queued_job_is_dequeued(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    first = stuck(sim)
    second = sim.submit("PUT", "/2/instances/snf-1/startup", {"depends": [[first, []]]})
    assert sim.call("DELETE", f"/2/jobs/{second}").body == [True, f"Dequeued job {second}"]
    document = sim.file(second)
    op = document["ops"][0]
    assert (op["status"], op["result"], op["start_timestamp"], op["exec_timestamp"]) == ("canceled", None, None, None)
    assert op["end_timestamp"] == document["end_timestamp"] is not None


def test_a_job_waiting_for_locks_is_canceled(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    stuck(sim)
    second = sim.submit("PUT", "/2/instances/snf-1/startup", {})
    conftest.eventually(lambda: sim.status_of(second) == "waiting")
    assert sim.call("DELETE", f"/2/jobs/{second}").body == [True, "Job successfully cancelled"]
    assert statuses(sim, second) == ["queued", "waiting", "canceling", "canceled"]
    op = sim.file(second)["ops"][0]
    assert (op["result"], op["end_timestamp"]) == ("Job canceled by request", None)


def test_a_running_job_cannot_be_canceled(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    job = stuck(sim)
    answer = sim.call("DELETE", f"/2/jobs/{job}").body
    assert answer == [False, "Job no longer waiting, can't cancel (informed it anyway)"]


@pytest.mark.parametrize("job", [1, 4711])
def test_a_job_that_ended_or_never_was_is_not_found(sim: conftest.Sim, job: int) -> None:
    sim.create("snf-1")
    assert sim.call("DELETE", f"/2/jobs/{job}").body == [False, f"Job {job} not found in queue"]


def test_the_opcodes_after_a_failed_one_fail_too(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.knobs.fail("os", "OP_INSTANCE_REINSTALL", message="boom")
    shown = sim.do("POST", "/2/instances/snf-1/reinstall", {"os": "noop+default"}, status="error")
    assert shown["opstatus"] == ["success", "error", "error"]
    assert shown["opresult"][2] == ["OpExecError", ["Preceding opcode failed"]]


def test_a_dead_jobs_opcodes_all_end_in_error(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.knobs.fail("death", "OP_INSTANCE_REINSTALL")
    job = sim.submit("POST", "/2/instances/snf-1/reinstall", {"os": "noop+default"})
    assert sim.ended(job)["opresult"] == [f"detected death of job {job}"] * 3
    document = sim.file(job)
    assert [op["status"] for op in document["ops"]] == ["error"] * 3
    assert document["ops"][0]["input"]["reason"][-1][:2] == [
        "gnt:daemon:luxid:deathdetection",
        f"detected death of job {job}",
    ]


def test_a_killed_jobs_locks_are_free_after_its_burial(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    job = stuck(sim)
    assert sim.knobs.kill_job(job)
    assert sim.status_of(job) == "running"
    sim.do("PUT", "/2/instances/snf-1/shutdown", {})
    assert sim.status_of(job) == "error"


def test_waiting_for_a_job_tells_of_each_change(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    job = stuck(sim)
    body: dict[str, Any] = {"fields": ["status"], "previous_job_info": None, "previous_log_serial": None}
    first = sim.call("GET", f"/2/jobs/{job}/wait", body).body
    assert first == {"job_info": ["running"], "log_entries": []}
    same = sim.call("GET", f"/2/jobs/{job}/wait", body | {"previous_job_info": ["running"]}).body
    assert same == first
    sim.knobs.release_job(job)
    last = sim.call("GET", f"/2/jobs/{job}/wait", body | {"previous_job_info": ["running"]}).body
    assert last["job_info"] == ["success"]


def test_an_archived_job_moves_and_is_still_answered(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    assert sim.knobs.archive() == 1
    assert (sim.simulator.settings.queue_dir / "archive" / "0" / "job-1").exists()
    assert sim.get("/2/jobs") == []
    assert sim.status_of(1) == "success"


def test_secret_parameters_never_reach_the_disk(sim: conftest.Sim) -> None:
    shown = sim.create("snf-1", osparams_private={"p": "hush"}, osparams_secret={"s": "hush"})
    assert shown["ops"][0]["osparams_secret"] == {"s": None}
    first, last = sim.written[1][0]["ops"][0]["input"], sim.written[1][-1]["ops"][0]["input"]
    assert (first["osparams_private"], first["osparams_secret"]) == ({"p": "hush"}, {"s": "<redacted>"})
    assert (last["osparams_private"], last["osparams_secret"]) == ({"p": None}, {"s": None})


def test_evacuating_a_node_submits_a_job_for_each_instance(sim: conftest.Sim) -> None:
    for number in (1, 2):
        sim.create(f"snf-{number}", pnode="node2.gnt.test")
    shown = sim.do("POST", "/2/nodes/node2.gnt.test/evacuate", {"mode": "primary-only", "iallocator": "hail"})
    children = [job for ok, job in shown["opresult"][0]["jobs"] if ok]
    assert [sim.ended(job)["status"] for job in children] == ["success", "success"]
    assert sim.get("/2/nodes/node2.gnt.test")["pinst_cnt"] == 0
