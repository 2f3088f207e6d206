"""OP_BACKUP_EXPORT: what Ganeti refuses, what it says, whom it keeps waiting, and the OS definition's own script."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.gntsim import conftest

NODE = "node1.gnt.test"


def export(sim: conftest.Sim, name: str = "snf-1", *, status: str = "success", **body: Any) -> dict[str, Any]:
    given = {"destination": NODE, "mode": "local", "shutdown": False, **body}
    return sim.do("PUT", f"/2/instances/{name}/export?reason=req-1", given, status=status)


def error_of(shown: dict[str, Any]) -> tuple[str, list[Any]]:
    error_class, args = shown["opresult"][0]
    return error_class, args


def with_script(start: conftest.Start, folder: Path, script: str) -> conftest.Sim:
    """A simulator whose OS definition exports by this shell script."""
    program = folder / "noop" / "export"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return start(os_dir=folder)


def test_a_stopped_instance_is_exported_disk_by_disk(sim: conftest.Sim) -> None:
    sim.create("snf-1", start=False, disks=[{"size": 64}, {"size": 8}])
    shown = export(sim)
    assert shown["summary"] == ["BACKUP_EXPORT(snf-1)"]
    assert shown["opresult"] == [[True, [True, True]]]
    said = [entry[3] for entry in shown["oplog"][0]]
    assert said[0] == "Activating disks for snf-1"
    assert said[-3:] == [f"Finalizing export on {NODE}", "Deactivating disks for snf-1", REMOVING]
    assert sim.get("/2/instances/snf-1")["status"] == "ADMIN_down"


REMOVING = "Removing old exports for instance snf-1"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"destination": "nope"}, ("OpPrereqError", ["Node 'nope' not known", "unknown_entity"])),
        (
            {"mode": "remote"},
            ("OpPrereqError", ["Missing X509 key name for encryption", "wrong_input"]),
        ),
        (
            {"remove_instance": True},
            ("OpPrereqError", ["Can not remove instance without shutting it down before", "wrong_state"]),
        ),
        (
            {},
            ("OpExecError", ["Not all disks could be snapshotted, and you requested a live export; aborting"]),
        ),
    ],
)
def test_a_running_instance_is_refused_as_ganeti_does(
    sim: conftest.Sim, body: dict[str, Any], error: tuple[str, list[str]]
) -> None:
    sim.create("snf-1")
    assert error_of(export(sim, status="error", **body)) == error


def test_a_refusal_after_the_shutdown_leaves_the_guest_down(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    error_class, (text,) = error_of(export(sim, status="error", shutdown=True))
    assert error_class == "OpExecError"
    assert "--long-sleep option" in text
    assert sim.get("/2/instances/snf-1")["status"] == "ERROR_down"


def test_an_export_with_a_long_sleep_ends_with_the_guest_running(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    export(sim, shutdown=True, long_sleep=True)
    assert sim.get("/2/instances/snf-1")["status"] == "running"


def test_an_instance_without_a_disk_can_not_be_exported(sim: conftest.Sim) -> None:
    sim.create("snf-1", start=False, disk_template="diskless", disks=[])
    assert error_of(export(sim, status="error")) == ("OpExecError", ["Export failed, errors in export finalization"])


def test_an_unknown_instance_and_an_offline_or_drained_node_are_refused(sim: conftest.Sim) -> None:
    error = error_of(sim.do("PUT", "/2/instances/nope/export", {"destination": NODE, "mode": "local"}, status="error"))
    assert error == ("OpPrereqError", ["Instance 'nope' not known", "unknown_entity"])
    sim.create("snf-1", start=False, pnode="node2.gnt.test")
    sim.knobs.node(NODE, offline=True)
    assert error_of(export(sim, status="error")) == (
        "OpPrereqError",
        [f"Can't use offline node: {NODE}", "wrong_state"],
    )


@pytest.mark.parametrize("body", [{"mode": "local"}, {"destination": NODE, "mode": "elsewhere"}, {"destination": ""}])
def test_a_body_of_the_wrong_types_is_refused_at_once(sim: conftest.Sim, body: dict[str, Any]) -> None:
    sim.create("snf-1", start=False)
    assert sim.call("PUT", "/2/instances/snf-1/export", body).status == 400


def test_the_script_of_the_os_definition_is_run_as_on_a_node(start: conftest.Start, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = f'echo "$INSTANCE_NAME $EXPORT_INDEX $OSP_IMAGE_TOKEN" >> {seen}; cat "$EXPORT_DEVICE"'
    sim = with_script(start, tmp_path / "os", script)
    sim.create("snf-1", start=False, disks=[{"size": 64}, {"size": 8}], osparams={"image_token": "t"})
    export(sim)
    assert seen.read_text() == "snf-1 0 t\nsnf-1 1 t\n"


def test_a_script_that_fails_fails_the_job_and_is_quoted_in_its_log(start: conftest.Start, tmp_path: Path) -> None:
    sim = with_script(start, tmp_path / "os", "echo no room >&2; exit 3")
    sim.create("snf-1", start=False)
    shown = export(sim, status="error")
    assert error_of(shown) == (
        "OpExecError",
        ["Export failed, errors in export finalization, disk export: disk(s) 0"],
    )
    said = [entry[3] for entry in shown["oplog"][0]]
    assert "disk/0 failed to send data: Exited with status 3 (recent output: no room)" in said
    assert said[-1] == "Deactivating disks for snf-1"


def test_creates_removals_and_changes_wait_for_an_export_and_starts_do_not(
    start: conftest.Start, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    sim = with_script(start, tmp_path / "os", f"for i in $(seq 200); do [ -e {gate} ] && break; sleep 0.05; done")
    for name in ("snf-1", "snf-2", "snf-3", "snf-5"):
        sim.create(name, start=False)
    given = {"destination": NODE, "mode": "local", "shutdown": False}
    exporting = sim.submit("PUT", "/2/instances/snf-1/export", given)
    conftest.eventually(lambda: sim.status_of(exporting) == "running")
    waiting = [
        sim.submit("POST", "/2/instances", conftest.create_body("snf-4")),
        sim.submit("PUT", "/2/instances/snf-2/modify", {"beparams": {"vcpus": 2}}),
        sim.submit("DELETE", "/2/instances/snf-3", {}),
    ]
    sim.do("PUT", "/2/instances/snf-5/startup", {})
    assert [sim.status_of(job) for job in waiting] == ["waiting"] * 3
    gate.touch()
    assert {sim.ended(job)["status"] for job in (exporting, *waiting)} == {"success"}
