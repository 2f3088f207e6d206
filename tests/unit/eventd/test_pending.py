"""The order in which jobs are looked at."""

from __future__ import annotations

from eventd import pending


def test_what_changed_just_now_goes_before_what_a_scan_found() -> None:
    jobs = pending.Pending()
    jobs.add_backlog([1, 2, 3])
    jobs.add_fresh([9, 2])
    assert jobs.take(3, 0) == [9, 2, 1]
    assert jobs.take(3, 0) == [2, 3]


def test_what_is_given_back_comes_first_again() -> None:
    jobs = pending.Pending()
    jobs.add_fresh([1, 2, 3])
    jobs.give_back(jobs.take(2, 0))
    assert jobs.take(9, 0) == [1, 2, 3]


def test_a_retry_waits_longer_each_time_and_at_most_a_minute() -> None:
    jobs = pending.Pending()
    pauses = [jobs.retry(1, 0) for _ in range(12)]
    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    assert pauses[-1] == 60.0


def test_a_retry_is_due_after_its_pause() -> None:
    jobs = pending.Pending()
    jobs.retry(1, 0)
    assert jobs.take(9, 0.1) == []
    assert jobs.due_in(0) == 0.2
    assert jobs.take(9, 0.3) == [1]


def test_a_change_is_looked_at_whatever_its_retry_says() -> None:
    jobs = pending.Pending()
    jobs.retry(1, 100.0)
    jobs.add_fresh([1])
    assert jobs.take(9, 100.0) == [1]


def test_a_job_that_could_be_read_is_no_longer_retried() -> None:
    jobs = pending.Pending()
    jobs.retry(1, 0)
    jobs.done(1)
    assert jobs.due_in(0) is None
    assert len(jobs) == 0
