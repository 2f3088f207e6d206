"""What Ganeti does with jobs, and what the simulator must do alike."""

import pytest

from common import jobs as common_jobs
from rapi import errors
from tests.contract.masters import Handle

NO_SUCH_JOB = 99999999
REQUEST = "req-5e0dcb5f-0a1c-4b39-b9d5-3a9d7c1f2e11"


def test_an_unknown_job_is_all_nulls(cluster: Handle) -> None:
    status, answer = cluster.raw("GET", f"/2/jobs/{NO_SUCH_JOB}")
    assert status == 200
    assert set(answer) == {
        "id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts", "oplog", "opresult",
    }  # fmt: skip
    assert [value for key, value in answer.items() if key != "id"] == [None] * 9
    assert cluster.api.get_job(NO_SUCH_JOB) is None


def test_the_reason_is_in_the_job_wherever_it_is_shown(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance(start=False) as name:
        job = api.startup_instance(name, reason=REQUEST)
        shown = cluster.succeeded(job)
        (row,) = [row for row in api.get_jobs() if row["id"] == job]
        (queried,) = api.query_jobs([job])
        for ops in (shown["ops"], row["ops"], queried["ops"], [cluster.master.job_file(job)["ops"][0]["input"]]):
            trail = ops[0]["reason"]
            assert trail[0][:2] == ["gnt:user", REQUEST]
            assert trail[-1][:2] == ["gnt:opcode:instance_startup", f"job={job};index=0"]
        assert common_jobs.from_rapi(row).request_id == REQUEST
        assert common_jobs.parse(cluster.master.job_file(job)).request_id == REQUEST


def test_the_bulk_list_shows_neither_logs_nor_results(cluster: Handle) -> None:
    with cluster.instance(start=False):
        row = cluster.api.get_jobs()[-1]
    assert set(row) == {"id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts"}


def test_one_query_shows_many_jobs_and_leaves_out_unknown_ones(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance(start=False) as name:
        first = api.startup_instance(name, reason="r")
        second = api.shutdown_instance(name, reason="r", timeout=0)
        cluster.succeeded(second)
        rows = {row["id"]: row for row in api.query_jobs([first, second, NO_SUCH_JOB])}
    assert set(rows) == {first, second}
    assert rows[second]["status"] == "success"
    assert rows[second]["opresult"] == [None]


def test_jobs_depend_on_jobs(cluster: Handle) -> None:
    api, name = cluster.api, cluster.name()
    first = api.create_instance(cluster.spec(name, start=False), reason="r")
    second = api.startup_instance(name, reason="r", depends=((first, ("success",)),))
    third = api.delete_instance(name, reason="r", shutdown_timeout=0, depends=((second, ()),))
    cluster.succeeded(third)
    ends = [api.get_job(job) for job in (first, second, third)]
    assert [end["status"] for end in ends if end] == ["success"] * 3


def test_an_unsatisfied_dependency_fails_the_job(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance(start=False) as name:
        first = api.shutdown_instance(name, reason="r")
        second = api.startup_instance(name, reason="r", depends=((first, ("error",)),))
        text = f"Dependency job {first} finished with status 'success', not one of 'error' as required"
        assert cluster.failed(second) == ("OpExecError", [text])
        assert api.get_instance(name)["status"] == "ADMIN_down"


def test_a_queued_job_can_be_canceled(cluster: Handle) -> None:
    api, name = cluster.api, cluster.name()
    first = api.create_instance(cluster.spec(name, start=False), reason="r")
    second = api.modify_instance(name, reason="r", hotplug=False, beparams={"vcpus": 2}, depends=((first, ()),))
    third = api.startup_instance(name, reason="r", depends=((second, ()),))
    assert api.cancel_job(third) == (True, f"Dequeued job {third}")
    canceled = api.get_job(third)
    assert canceled is not None
    assert canceled["status"] == "canceled"
    assert canceled["opresult"] == [None]
    cluster.succeeded(second)
    assert api.get_instance(name)["status"] == "ADMIN_down"
    cluster.succeeded(api.delete_instance(name, reason="r"))


def test_an_ended_or_unknown_job_cannot_be_canceled(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance(start=False) as name:
        job = api.shutdown_instance(name, reason="r")
        cluster.succeeded(job)
        canceled, text = api.cancel_job(job)
        assert not canceled
        assert text in (
            f"Job {job} not found in queue",
            "Job exited before it could have been canceled, status JOB_STATUS_SUCCESS",
        )
    assert api.cancel_job(NO_SUCH_JOB) == (False, f"Job {NO_SUCH_JOB} not found in queue")


def test_waiting_for_a_change_shows_the_status_and_the_log(cluster: Handle) -> None:
    api, name = cluster.api, cluster.name()
    job = api.create_instance(cluster.spec(name, start=False), reason="r")
    cluster.succeeded(job)
    change = api.wait_for_job_change(job, fields=["status", "opstatus"])
    assert change["job_info"] == ["success", ["success"]]
    assert any(name in entry[3] for entry in change["log_entries"])
    assert all(entry[2] == "message" for entry in change["log_entries"])
    cluster.succeeded(api.delete_instance(name, reason="r"))


def test_waiting_in_vain_ends_with_what_was_known(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance(start=False) as name:
        job = api.shutdown_instance(name, reason="r")
        cluster.succeeded(job)
        change = api.wait_for_job_change(job, fields=["status"], previous_info=["success"], previous_log_serial=0)
        assert change["job_info"] == ["success"]


def test_an_archived_job_is_found_by_its_id_alone(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance(start=False) as name:
        job = api.shutdown_instance(name, reason="r")
        before = cluster.succeeded(job)
        cluster.master.archive(job)
        assert api.get_job(job) == before
        assert job not in [row["id"] for row in api.get_jobs()]
        assert [row["status"] for row in api.query_jobs([job])] == ["success"]


def test_a_drained_queue_refuses_and_may_be_asked_again(cluster: Handle) -> None:
    cluster.master.drain(True)
    try:
        with pytest.raises(errors.RapiRefused) as refusal:
            cluster.api.create_instance(cluster.spec(cluster.name()), reason="r")
    finally:
        cluster.master.drain(False)
    assert refusal.value.status == 500
    assert refusal.value.error_class == "JobQueueDrainError"
    assert refusal.value.retryable
