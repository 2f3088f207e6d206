"""What can be commanded to go wrong, and what survives."""

import http.client
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import urllib.error

import pytest

from gntsim import settings
from tests.integration.gntsim import conftest


def test_a_lost_reply_still_made_a_job(sim: conftest.Sim) -> None:
    sim.knobs.break_rapi("lost", writes=True)
    with pytest.raises((http.client.HTTPException, urllib.error.URLError, ssl.SSLError, ConnectionError)):
        sim.call("POST", "/2/instances", conftest.create_body("snf-1"))
    assert sim.ended(1)["status"] == "success"


def test_a_dead_luxid_is_a_gateway_timeout(sim: conftest.Sim) -> None:
    sim.knobs.break_rapi("down", count=1)
    assert sim.call("GET", "/2/info").status == 504
    assert sim.call("GET", "/2/info").status == 200


def test_a_failed_os_leaves_the_instance_stopped(sim: conftest.Sim) -> None:
    sim.knobs.fail("os", "OP_INSTANCE_CREATE")
    error_class, _ = sim.create("snf-1", status="error")["opresult"][0]
    assert error_class == "OpExecError"
    assert sim.get("/2/instances/snf-1")["status"] == "ADMIN_down"


def test_a_commanded_refusal_never_runs(sim: conftest.Sim) -> None:
    sim.knobs.fail("prereq", message="no room", ecode="insufficient_resources")
    shown = sim.create("snf-1", status="error")
    assert shown["opresult"] == [["OpPrereqError", ["no room", "insufficient_resources"]]]
    assert "running" not in [document["ops"][0]["status"] for document in sim.written[1]]


def test_a_commanded_failure_changes_nothing(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.knobs.fail("exec", "OP_INSTANCE_SHUTDOWN", message="boom")
    shown = sim.do("PUT", "/2/instances/snf-1/shutdown", {}, status="error")
    assert shown["opresult"] == [["OpExecError", ["boom"]]]
    assert sim.get("/2/instances/snf-1")["status"] == "running"


def test_a_lost_node_takes_its_guests_along(sim: conftest.Sim) -> None:
    sim.create("snf-1", pnode="node2.gnt.test")
    sim.knobs.node("node2.gnt.test", alive=False)
    shown = sim.get("/2/instances/snf-1")
    assert (shown["status"], shown["oper_state"]) == ("ERROR_nodedown", None)
    sim.knobs.node("node2.gnt.test", offline=True)
    assert sim.get("/2/instances/snf-1")["status"] == "ERROR_nodeoffline"
    refused = sim.do("PUT", "/2/instances/snf-1/startup", {}, status="error")
    assert refused["opresult"] == [["OpPrereqError", ["Can't use offline node: node2.gnt.test", "wrong_state"]]]
    sim.do("PUT", "/2/instances/snf-1/failover", {"ignore_consistency": True, "iallocator": "hail"})
    assert sim.get("/2/instances/snf-1")["status"] == "running"


def test_a_guest_that_switches_itself_off_is_in_error(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.knobs.guest_poweroff("snf-1")
    assert sim.get("/2/instances/snf-1")["status"] == "ERROR_down"


def test_a_new_master_is_named_in_the_cluster_files(sim: conftest.Sim) -> None:
    sim.knobs.move_master("node2.gnt.test")
    assert (sim.simulator.data_dir / "ssconf_master_node").read_text() == "node2.gnt.test\n"
    assert sim.get("/2/info")["master"] == "node2.gnt.test"


def test_a_new_cluster_starts_at_job_one_beside_the_old_archive(sim: conftest.Sim) -> None:
    old = sim.simulator.cluster_uuid
    sim.create("snf-1")
    sim.knobs.archive()
    new = sim.knobs.reinitialise()
    assert new != old
    assert json.loads((sim.simulator.data_dir / "config.data").read_bytes())["cluster"]["uuid"] == new
    assert sim.get("/2/instances") == []
    assert sim.status_of(1) == "success"
    assert sim.submit("POST", "/2/instances", conftest.create_body("snf-2")) == 1
    conftest.eventually(lambda: sim.file(1)["ops"][0]["status"] == "success")
    assert sim.get("/2/jobs/1")["summary"] == ["INSTANCE_CREATE(snf-1)"]
    sim.knobs.purge()
    assert sim.get("/2/jobs/1")["summary"] == ["INSTANCE_CREATE(snf-2)"]


def test_an_operators_job_has_another_reason(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    job = sim.knobs.operator_job("gnt-instance shutdown", "OP_INSTANCE_SHUTDOWN", {"instance_name": "snf-1"})
    assert sim.ended(job)["ops"][0]["reason"][0][:2] == ["gnt:client:gnt-instance", "shutdown"]


def test_the_faults_are_commanded_over_http_too(sim: conftest.Sim) -> None:
    assert sim.call("POST", "/sim/fail", {"kind": "exec", "opcode": "OP_INSTANCE_CREATE"}).status == 200
    assert sim.get("/sim/knobs")["job_faults"][0]["kind"] == "exec"
    sim.create("snf-1", status="error")
    assert sim.call("POST", "/sim/stranger", {"name": "stranger"}).status == 200
    assert sim.get("/2/instances/stranger")["status"] == "running"
    assert sim.call("POST", "/sim/explode", {}).status == 404
    assert sim.call("POST", "/sim/fail", {"kind": "nonsense"}).status == 400


def test_a_restart_keeps_instances_and_queued_jobs(start: conftest.Start) -> None:
    first = start()
    first.network()
    first.create("snf-1", nics=[{"network": "net-1", "ip": "pool"}])
    before = first.get("/2/instances/snf-1")
    first.knobs.turn(paused=True)
    queued = first.submit("PUT", "/2/instances/snf-1/shutdown", {})
    first.simulator.stop()

    second = start()
    assert second.ended(queued)["status"] == "success"
    after = second.get("/2/instances/snf-1")
    for changing in ("status", "admin_state", "oper_state", "oper_ram", "oper_vcpus", "serial_no", "mtime"):
        before.pop(changing)
        after.pop(changing)
    assert after == before
    assert second.submit("PUT", "/2/instances/snf-1/startup", {}) == queued + 1
    taken = second.get("/2/networks/net-1")["map"]
    assert taken.startswith("XXX.")


def test_a_killed_simulator_loses_nothing_and_buries_what_ran(tmp_path: pathlib.Path, start: conftest.Start) -> None:
    command = [sys.executable, "-m", "gntsim", "--data", str(tmp_path), "--port", "0", "--scale", "0"]
    process = subprocess.Popen([*command, "--user", "syros:secret"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().split()[1]
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))

        def post(path: str, body: object) -> object:
            connection = http.client.HTTPSConnection(url.removeprefix("https://"), context=context, timeout=30)
            headers = {"Authorization": "Basic c3lyb3M6c2VjcmV0", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            try:
                return json.loads(answer.read())
            finally:
                connection.close()

        assert post("/2/instances", conftest.create_body("snf-1")) == 1
        path = tmp_path / "queue" / "job-1"
        conftest.eventually(lambda: json.loads(path.read_bytes())["ops"][0]["status"] == "success")
        post("/sim/turn", {"by_opcode": {"OP_INSTANCE_CREATE": 3600}, "scale": 1})
        assert post("/2/instances", conftest.create_body("snf-2")) == 2
        running = tmp_path / "queue" / "job-2"
        conftest.eventually(lambda: json.loads(running.read_bytes())["ops"][0]["status"] == "running")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    sim = start()
    assert sim.get("/2/instances/snf-1")["status"] == "running"
    assert sim.ended(2)["opresult"] == ["detected death of job 2"]
    sim.create("snf-2")


def test_hooks_run_while_the_job_runs(start: conftest.Start, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "hooks" / "instance-add-post.d"
    folder.mkdir(parents=True)
    script = folder / "50probe"
    script.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\ncat "$GANETI_DATA_DIR/queue/job-1" > {tmp_path}/job\n')
    script.chmod(0o755)
    sim = start(hooks_dir=tmp_path / "hooks")
    sim.create("snf-1", tags=["a", "b"])
    env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert env["GANETI_OP_CODE"] == "OP_INSTANCE_CREATE"
    assert env["GANETI_INSTANCE_NAME"] == env["GANETI_POST_INSTANCE_NAME"] == "snf-1"
    assert (env["GANETI_INSTANCE_STATUS"], env["GANETI_INSTANCE_TAGS"]) == ("True", "a b")
    assert json.loads((tmp_path / "job").read_text())["ops"][0]["status"] == "running"


def test_a_failing_pre_hook_aborts_the_job(start: conftest.Start, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "hooks" / "instance-add-pre.d"
    folder.mkdir(parents=True)
    script = folder / "50no"
    script.write_text("#!/bin/sh\necho no\nexit 1\n")
    script.chmod(0o755)
    sim = start(hooks_dir=tmp_path / "hooks")
    error_class, args = sim.create("snf-1", status="error")["opresult"][0]
    assert error_class == "HooksAbort"
    assert args[0][0][1:] == ["instance-add-pre.d/50no", "no"]
    assert sim.get("/2/instances") == []


def test_coalesced_writes_leave_out_only_states_between(start: conftest.Start) -> None:
    sim = start(durations=settings.Durations(scale=0.0))
    sim.knobs.turn(coalesce=1.0)
    sim.create("snf-1")
    assert [document["ops"][0]["status"] for document in sim.written[1]] == ["queued"] * 3 + ["success"]


def test_a_start_delay_keeps_a_job_queued(sim: conftest.Sim) -> None:
    sim.knobs.turn(start_delay=3600)
    job = sim.submit("POST", "/2/instances", conftest.create_body("snf-1"))
    assert sim.status_of(job) == "queued"
    assert sim.call("DELETE", f"/2/jobs/{job}").body == [True, f"Dequeued job {job}"]
