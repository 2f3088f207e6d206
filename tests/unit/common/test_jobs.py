"""Job files of a real Ganeti master, read into values."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import jobs

RECORDED = Path(__file__).parents[2] / "data" / "ganeti" / "jobs"


def final(name: str) -> jobs.Job:
    return jobs.parse(orjson.loads((RECORDED / f"{name}.json").read_bytes()))


def versions(name: str) -> list[jobs.Job]:
    return [jobs.parse(document) for document in orjson.loads((RECORDED / "versions" / f"{name}.json").read_bytes())]


def statuses(name: str) -> list[str]:
    """List a job's statuses in order, without repetitions."""
    return [status.value for status, _ in itertools.groupby(job.status for job in versions(name))]


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.json")), ids=lambda file: file.stem)
def test_every_recorded_job_is_read_and_has_ended(file: Path) -> None:
    job = final(file.stem)
    assert job.status.final
    assert job.ops
    assert job.received_at is not None
    assert job.ended_at is not None
    assert job.received_at <= job.ended_at


@pytest.mark.parametrize("file", sorted((RECORDED / "versions").glob("*.json")), ids=lambda file: file.stem)
def test_the_versions_of_a_job_never_fall_in_rank(file: Path) -> None:
    ranks = [job.status.rank for job in versions(file.stem)]
    assert ranks == sorted(ranks)
    assert versions(file.stem)[-1].status.final


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("instance_create_file_fake", ["queued", "waiting", "running", "success"]),
        ("create_os_fail", ["queued", "waiting", "running", "error"]),
        ("instance_create_fail_prereq", ["queued", "waiting", "error"]),
        ("cancel_dependency_waiting", ["queued", "canceled"]),
        ("job_kill9", ["queued", "waiting", "running", "error"]),
        ("kvm_reinstall", ["queued", "waiting", "running", "success"]),
    ],
)
def test_a_job_goes_through_the_statuses_that_ganeti_gave_it(name: str, expected: list[str]) -> None:
    assert statuses(name) == expected


def test_a_reinstall_is_running_between_its_operations() -> None:
    between = [job for job in versions("kvm_reinstall") if job.ops[0].status is jobs.JobStatus.SUCCESS]
    assert {job.status for job in between[:-1]} == {jobs.JobStatus.RUNNING}
    assert [op.opcode for op in between[-1].ops] == [
        "OP_INSTANCE_SHUTDOWN",
        "OP_INSTANCE_REINSTALL",
        "OP_INSTANCE_STARTUP",
    ]


def test_a_successful_create_tells_the_instance_and_its_node() -> None:
    (op,) = final("kvm_create_mbr").ops
    assert (op.opcode, op.instance, op.node) == (jobs.Opcode.CREATE, "snf-k1.test", "node1.gnt.test")
    assert op.error_class is None


@pytest.mark.parametrize(
    ("name", "error_class", "error_code"),
    [
        ("instance_create_fail_prereq", "OpPrereqError", "already_exists"),
        ("create_os_fail", "OpExecError", None),
        ("hook_fail_add_pre", "HooksAbort", None),
        ("instance_remove_missing", "OpPrereqError", "unknown_entity"),
        ("create_pool_exhausted", "OpPrereqError", None),
    ],
)
def test_a_failed_job_tells_ganetis_error(name: str, error_class: str, error_code: str | None) -> None:
    op = final(name).ops[0]
    assert op.status is jobs.JobStatus.ERROR
    assert op.error_class == error_class
    assert error_code is None or op.error_code == error_code
    assert op.error_text


def test_a_job_whose_process_died_says_so() -> None:
    op = versions("job_kill9")[-1].ops[0]
    assert (op.status, op.error_class) == (jobs.JobStatus.ERROR, "JobDied")


def test_a_job_that_was_cancelled_while_queued_has_no_times_of_work() -> None:
    job = versions("cancel_dependency_waiting")[-1]
    assert job.status is jobs.JobStatus.CANCELED
    assert job.started_at is None
    assert job.ended_at is not None


def test_a_failing_post_hook_does_not_fail_the_job() -> None:
    assert final("hook_fail_start_post").status is jobs.JobStatus.SUCCESS


@pytest.mark.parametrize(("kind", "instance"), [("instance", "syros-1"), ("node", None), ("network", None)])
def test_tags_tell_the_instance_that_has_them_and_nothing_else_that_has(kind: str, instance: str | None) -> None:
    op = {"OP_ID": "OP_TAGS_SET", "kind": kind, "name": "syros-1", "tags": ["syros:host:web"], "reason": []}
    job = jobs.from_rapi({"id": 7, "ops": [op], "opstatus": ["queued"], "opresult": [None]})
    assert [each.instance for each in job.ops] == [instance]


def test_who_asked_is_read_from_the_reason_trail() -> None:
    assert final("kvm_create_mbr").origin == "gnt:user"
    # not of the form of a request id: somebody else's reason
    assert final("kvm_create_mbr").request_id is None


def test_a_request_id_is_found_in_the_users_own_entry_only() -> None:
    request_id = "req-00000000-0000-4000-8000-000000000001"
    assert jobs.request_id_of({"reason": [["gnt:user", request_id, 1]]}) == request_id
    assert jobs.request_id_of({"reason": [["gnt:watcher", request_id, 1]]}) is None
    assert jobs.request_id_of({"reason": [["gnt:user", f"x{request_id}", 1]]}) is None
    assert jobs.request_id_of({"reason": None}) is None
    assert jobs.request_id_of({}) is None


def test_no_secret_of_an_opcodes_input_is_read() -> None:
    assert b"hunter" in (RECORDED / "versions" / "instance_create_file_fake.json").read_bytes()
    assert all("hunter" not in repr(job) for job in versions("instance_create_file_fake"))


def test_times_are_aware_and_exact() -> None:
    job = final("kvm_reinstall")
    assert job.received_at == datetime(2026, 11, 21, 2, 47, 31, 846021, tzinfo=UTC)


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (None, "job is not an object"),
        ([], "job is not an object"),
        ({"ops": []}, "job id is None"),
        ({"id": "1"}, "job id is '1'"),
        ({"id": True}, "job id is True"),
        ({"id": 1}, "ops is not a list"),
        ({"id": 1, "ops": []}, "no operations"),
        ({"id": 1, "ops": [None]}, "op is not an object"),
        ({"id": 1, "ops": [{}]}, "input is not an object"),
        ({"id": 1, "ops": [{"input": {}}]}, "status is None"),
        ({"id": 1, "ops": [{"input": {}, "status": "queued"}]}, "OP_ID is None"),
    ],
)
def test_what_is_not_a_job_is_said_to_be_malformed(document: object, where: str) -> None:
    with pytest.raises(jobs.Malformed, match=where):
        jobs.parse(document)


STATUSES = st.sampled_from(["queued", "waiting", "canceling", "running", "canceled", "error", "success"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
INPUTS = st.fixed_dictionaries({}, optional={"OP_ID": st.text() | JSON, "instance_name": JSON, "reason": JSON})
OPS = st.fixed_dictionaries(
    {"input": INPUTS | JSON, "status": STATUSES | JSON}, optional={"result": JSON, "end_timestamp": JSON}
)
STAMPS = st.tuples(st.integers(), st.integers()).map(list) | JSON
DOCUMENTS = st.fixed_dictionaries(
    {"id": st.integers() | JSON, "ops": st.lists(OPS) | JSON},
    optional={"received_timestamp": STAMPS, "start_timestamp": STAMPS, "end_timestamp": STAMPS},
)


@given(DOCUMENTS | JSON)
def test_any_document_is_a_job_or_malformed(document: object) -> None:
    try:
        job = jobs.parse(document)
    except jobs.Malformed:
        return
    assert job.ops


@given(st.lists(STATUSES, min_size=1, max_size=4))
def test_a_job_has_ended_exactly_when_nothing_of_it_can_go_on(texts: list[str]) -> None:
    ops = [jobs.JobStatus(text) for text in texts]
    status = jobs.job_status(ops)
    if all(op is jobs.JobStatus.SUCCESS for op in ops):
        assert status is jobs.JobStatus.SUCCESS
    elif status.final:
        assert status in ops
    else:
        assert any(not op.final for op in ops)
