"""Exports, by which images are made of disks: what Ganeti does with them, and what the simulator must do alike."""

import pytest

from rapi import errors, specs
from tests.contract.masters import Handle

TWO_DISKS = (specs.DiskSpec(8, name="root"), specs.DiskSpec(8, name="seed"))


def test_an_export_of_a_stopped_instance_says_how_each_disk_went_and_leaves_it_stopped(cluster: Handle) -> None:
    with cluster.instance(disk_template="file", disks=TWO_DISKS, start=False) as name:
        job = cluster.succeeded(
            cluster.api.export_instance(name, mode="local", destination=cluster.node, shutdown=False, reason="r")
        )
        assert job["opresult"] == [[True, [True, True]]]
        assert job["summary"] == [f"BACKUP_EXPORT({name})"]
        said = [entry[3] for entry in job["oplog"][0]]
        assert said[:3] == [
            f"Activating disks for {name}",
            f"Exporting disk/0 from {cluster.node} to {cluster.node}",
            f"Exporting disk/1 from {cluster.node} to {cluster.node}",
        ]
        assert {f"disk/{number} finished sending data" for number in (0, 1)} < set(said)
        assert said[-2:] == [f"Finalizing export on {cluster.node}", f"Deactivating disks for {name}"]
        assert cluster.api.get_instance(name)["status"] == "ADMIN_down"


def test_a_live_export_of_a_disk_without_snapshots_fails_and_the_instance_runs_on(cluster: Handle) -> None:
    with cluster.instance(disk_template="file", disks=TWO_DISKS) as name:
        error_class, (text,) = cluster.failed(
            cluster.api.export_instance(name, mode="local", destination=cluster.node, shutdown=False, reason="r")
        )
        assert error_class == "OpExecError"
        assert text == "Not all disks could be snapshotted, and you requested a live export; aborting"
        assert cluster.api.get_instance(name)["status"] == "running"


def test_an_export_without_a_disk_fails(cluster: Handle) -> None:
    with cluster.instance(start=False) as name:
        job = cluster.api.export_instance(name, mode="local", destination=cluster.node, shutdown=False, reason="r")
        assert cluster.failed(job) == ("OpExecError", ["Export failed, errors in export finalization"])


def test_an_export_of_what_is_not_there_or_to_where_nobody_is_fails(cluster: Handle) -> None:
    name = cluster.name()
    job = cluster.api.export_instance(name, mode="local", destination=cluster.node, reason="r")
    assert cluster.failed(job) == ("OpPrereqError", [f"Instance '{name}' not known", "unknown_entity"])
    with cluster.instance(start=False) as name:
        job = cluster.api.export_instance(name, mode="local", destination="nowhere.example", reason="r")
        assert cluster.failed(job) == ("OpPrereqError", ["Node 'nowhere.example' not known", "unknown_entity"])


def test_a_removal_without_a_shutdown_is_refused(cluster: Handle) -> None:
    with cluster.instance() as name:
        job = cluster.api.export_instance(
            name, mode="local", destination=cluster.node, shutdown=False, remove_instance=True, reason="r"
        )
        text = "Can not remove instance without shutting it down before"
        assert cluster.failed(job) == ("OpPrereqError", [text, "wrong_state"])


def test_a_mode_that_there_is_not_is_refused_at_once(cluster: Handle) -> None:
    with pytest.raises(errors.RapiRefused, match=r"OP_BACKUP_EXPORT\.mode") as refusal:
        cluster.api.export_instance(cluster.name(), mode="sideways", destination=cluster.node, reason="r")
    assert refusal.value.status == 400
