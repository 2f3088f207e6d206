"""What eventd publishes, when, and what it never loses."""

from __future__ import annotations

import orjson
import pytest

from common import messages
from tests.unit.eventd import fakes
from tests.unit.eventd.conftest import Bench


def test_every_status_that_is_seen_is_published_in_order(bench: Bench) -> None:
    bench.start()
    bench.run()
    for status in ("queued", "waiting", "running", "success"):
        bench.ganeti.job(1, status)
        bench.run()
    assert bench.broker.statuses() == [(1, "queued"), (1, "waiting"), (1, "running"), (1, "success")]


def test_an_event_says_who_asked_and_when(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job(1, "success")
    bench.run()
    (event,) = bench.broker.events
    assert isinstance(event, messages.JobEvent)
    assert event.cluster == "cluster-a"
    assert event.job.request_id == "req-00000000-0000-4000-8000-000000000001"
    assert event.seen_at == bench.now()


def test_writes_that_only_add_log_lines_publish_nothing(bench: Bench) -> None:
    bench.start()
    for logs in range(5):
        bench.ganeti.job(1, "running", logs=logs)
        bench.run()
    assert bench.broker.statuses() == [(1, "running")]


def test_each_step_of_a_job_with_several_operations_is_published(bench: Bench) -> None:
    bench.start()
    for statuses in (("running", "queued"), ("success", "queued"), ("success", "running"), ("success", "success")):
        bench.ganeti.job(1, *statuses)
        bench.run()
    assert [status for _, status in bench.broker.statuses()] == ["running", "running", "running", "success"]


def test_what_waits_is_published_in_one_batch(bench: Bench) -> None:
    for job_id in range(1, 251):
        bench.ganeti.job(job_id, "success")
    bench.start()
    bench.run()
    assert [len(batch) for batch in bench.broker.batches] == [100, 100, 50]


def test_a_restart_publishes_only_what_was_not_confirmed(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job(1, "success")
    bench.run()
    bench.stop()
    bench.ganeti.job(2, "error")
    bench.ganeti.job(3, "running")
    bench.start()
    bench.run()
    assert bench.broker.statuses() == [(1, "success"), (2, "error"), (3, "running")]


def test_jobs_that_ended_and_were_archived_while_it_was_down_are_published(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job(1, "success")
    bench.ganeti.job(2, "running")
    bench.run()
    bench.stop()
    bench.ganeti.job(2, "error")
    bench.ganeti.job(12345, "success")
    for job_id in (1, 2, 12345):
        bench.ganeti.archive(job_id)
    bench.start()
    bench.run()
    assert bench.broker.statuses() == [(1, "success"), (2, "running"), (2, "error"), (12345, "success")]


def test_a_first_start_publishes_the_live_queue_and_only_the_recent_archive(bench: Bench) -> None:
    for job_id in (1, 2, 3):
        bench.ganeti.job(job_id, "success")
    bench.ganeti.archive(1)
    bench.ganeti.archive(2)
    bench.seconds = 30 * 86400.0
    bench.ganeti.age(1, bench.now().timestamp() - 8 * 86400)
    bench.ganeti.age(2, bench.now().timestamp() - 6 * 86400)
    bench.start()
    bench.run()
    assert sorted(bench.broker.final()) == [2, 3]


def test_nothing_is_lost_in_a_broker_outage(bench: Bench) -> None:
    bench.start()
    bench.run()
    bench.broker.down = True
    bench.ganeti.job(1, "running")
    bench.run()
    bench.ganeti.job(1, "success")
    bench.ganeti.job(2, "success")
    bench.ganeti.archive(1)
    bench.run(seconds=3)
    assert bench.broker.statuses() == []
    bench.broker.down = False
    bench.run(seconds=10)
    assert bench.broker.statuses() == [(1, "success"), (2, "success")]


def test_a_broker_that_is_down_is_tried_again_after_a_growing_pause(bench: Bench) -> None:
    eventd = bench.start()
    bench.broker.down = True
    bench.ganeti.job(1, "success")
    bench.run()
    bench.broker.down = False
    bench.run(seconds=0.1)
    assert bench.broker.statuses() == []
    bench.run(seconds=0.2)
    assert bench.broker.statuses() == [(1, "success")]
    assert eventd.idle


def test_an_overflow_of_the_kernels_queue_has_everything_looked_at(bench: Bench) -> None:
    bench.start()
    bench.run()
    bench.ganeti.overflow()
    bench.ganeti.job(1, "success")
    bench.ganeti.archive(1)
    bench.ganeti.job(2, "queued")
    bench.run()
    assert sorted(bench.broker.statuses()) == [(1, "success"), (2, "queued")]


def test_a_change_that_went_unnoticed_is_found_by_the_next_periodic_look(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job(1, "running")
    bench.run()
    (bench.ganeti.queue / "job-1").write_bytes(orjson.dumps(fakes.document(1, "success")))
    bench.run()
    assert bench.broker.statuses() == [(1, "running")]
    bench.run(seconds=61)
    assert bench.broker.statuses() == [(1, "running"), (1, "success")]


def test_an_end_that_went_unnoticed_before_the_job_was_archived_is_found_too(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job(1, "running")
    bench.run()
    (bench.ganeti.queue / "job-1").write_bytes(orjson.dumps(fakes.document(1, "success")))
    bench.ganeti.archive(1)
    bench.run(seconds=61)
    assert bench.broker.statuses() == [(1, "running"), (1, "success")]


@pytest.mark.parametrize("body", [b"", b'{"id": 1, "ops": [', b'"text"', b'{"id": 1, "ops": []}', b"\xff\xfe", b"[]"])
def test_a_corrupt_job_file_delays_no_other_job(bench: Bench, body: bytes) -> None:
    bench.start()
    bench.ganeti.job_bytes(1, body)
    bench.ganeti.job(2, "success")
    bench.run()
    assert bench.broker.statuses() == [(2, "success")]


def test_a_half_written_job_file_is_read_again_a_little_later(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job_bytes(1, b'{"id": 1, "ops": [')
    bench.run()
    # written in place: there is no event that tells
    (bench.ganeti.queue / "job-1").write_bytes(orjson.dumps(fakes.document(1, "success")))
    bench.run()
    assert bench.broker.statuses() == []
    bench.run(seconds=0.3)
    assert bench.broker.statuses() == [(1, "success")]


def test_a_file_that_holds_another_job_is_not_believed(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job_bytes(7, orjson.dumps(fakes.document(8, "success")))
    bench.run()
    assert bench.broker.statuses() == []


def test_only_the_master_publishes(bench: Bench) -> None:
    bench.ganeti.master("node2.gnt.test")
    bench.start()
    bench.ganeti.job(1, "success")
    bench.run(seconds=61)
    assert bench.broker.events == []


def test_a_new_master_publishes_what_it_finds(bench: Bench) -> None:
    bench.ganeti.master("node2.gnt.test")
    bench.start()
    bench.ganeti.job(1, "success")
    bench.ganeti.archive(1)
    bench.ganeti.age(1, bench.now().timestamp() - 3600)
    bench.ganeti.job(2, "running")
    bench.run()
    bench.ganeti.master(fakes.MASTER)
    bench.run()
    assert bench.broker.statuses() == [(1, "success"), (2, "running")]


def test_a_master_that_lost_its_role_publishes_nothing_until_it_has_it_again(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job(1, "running")
    bench.run()
    bench.ganeti.master("node2.gnt.test")
    bench.ganeti.job(1, "success")
    bench.run()
    assert bench.broker.statuses() == [(1, "running")]
    bench.ganeti.master(fakes.MASTER)
    bench.run()
    assert bench.broker.statuses() == [(1, "running"), (1, "success")]


def test_a_cluster_made_anew_is_another_cluster_with_ids_of_its_own(bench: Bench) -> None:
    bench.start()
    for job_id in (1, 2, 3):
        bench.ganeti.job(job_id, "success")
        bench.ganeti.serial(job_id)
    bench.ganeti.archive(2)
    bench.ganeti.age(2, fakes.EPOCH + 20)
    bench.run()
    bench.ganeti.destroy()
    bench.run()
    bench.ganeti.init("cluster-b", ctime=fakes.EPOCH + 10_000)
    bench.ganeti.serial(1)
    bench.ganeti.job(1, "error", received=fakes.EPOCH + 10_001)
    bench.run()
    assert bench.broker.final("cluster-b") == {1: "error"}
    assert bench.broker.final("cluster-a") == {1: "success", 2: "success", 3: "success"}


def test_a_cluster_made_anew_unseen_is_noticed_by_its_job_numbers(bench: Bench) -> None:
    bench.start()
    bench.ganeti.serial(500)
    bench.ganeti.job(500, "success")
    bench.run()
    bench.ganeti.write(
        "config.data", orjson.dumps({"cluster": {"uuid": "cluster-b", "ctime": float(fakes.EPOCH + 10_000)}})
    )
    bench.ganeti.serial(1)
    bench.ganeti.job(1, "success", received=fakes.EPOCH + 10_001)
    bench.run()
    assert bench.broker.final("cluster-b") == {1: "success"}


def test_an_archived_job_of_the_cluster_before_is_never_taken_for_a_new_one(bench: Bench) -> None:
    bench.ganeti.job(1, "success")
    bench.ganeti.archive(1)
    bench.ganeti.init("cluster-b", ctime=fakes.EPOCH + 100_000)
    bench.start()
    bench.run()
    assert bench.broker.events == []
    bench.ganeti.job(1, "error", received=fakes.EPOCH + 100_001)
    bench.run()
    assert bench.broker.final("cluster-b") == {1: "error"}


def test_a_queue_directory_that_was_replaced_is_watched_again(bench: Bench) -> None:
    bench.start()
    bench.run()
    bench.ganeti.replace_queue()
    bench.run()
    bench.ganeti.job(1, "queued")
    bench.run()
    bench.ganeti.job(1, "success")
    bench.run()
    assert bench.broker.statuses() == [(1, "queued"), (1, "success")]


def test_it_may_start_before_there_is_a_cluster(bench: Bench) -> None:
    bench.ganeti.path.rename(bench.path / "elsewhere")
    bench.start()
    bench.run()
    (bench.path / "elsewhere").rename(bench.ganeti.path)
    bench.ganeti.job(1, "success")
    bench.run(seconds=2)
    assert bench.broker.statuses() == [(1, "success")]


def test_temporary_files_are_not_jobs(bench: Bench) -> None:
    bench.start()
    bench.run()
    for name in ("job-3-2590-9.tmp", "job-3aetvo8pa.new", "job-", "job-1x"):
        bench.ganeti.write(f"queue/{name}", orjson.dumps(fakes.document(3, "success")))
    bench.run()
    assert bench.broker.events == []


def test_a_state_file_that_cannot_be_read_costs_only_repetitions(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job(1, "success")
    bench.run()
    bench.stop()
    bench.config.state_file.write_bytes(b"{")
    bench.start()
    bench.run()
    assert bench.broker.statuses() == [(1, "success"), (1, "success")]


def test_a_killed_eventd_goes_on_from_what_it_last_saved(bench: Bench) -> None:
    bench.start()
    bench.ganeti.job(1, "success")
    bench.run()
    bench.ganeti.job(2, "success")
    bench.run()
    bench.kill()
    bench.start()
    bench.run()
    assert bench.broker.statuses() == [(1, "success"), (2, "success"), (2, "success")]


def test_a_finished_job_is_counted_and_its_lag_measured(bench: Bench) -> None:
    eventd = bench.start()
    bench.ganeti.job(1, "success")
    bench.run()
    registry = eventd.metrics.registry
    assert registry.get_sample_value("syros_eventd_published_total", {"kind": "job"}) == 1
    assert registry.get_sample_value("syros_eventd_lag_seconds_count") == 1
    assert registry.get_sample_value("syros_eventd_pending_jobs") == 0
