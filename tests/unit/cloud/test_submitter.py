"""Jobs reach Ganeti once each, whoever crashes and whatever gets lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud import backends
from cloud.states import Action
from cloud.submitter import Submitter
from common.jobs import JobStatus
from db.backends import Backend
from db.instances import State
from lab import process
from rapi.errors import RapiUnreachable
from tests.support import ganeti
from tests.support.clouds import World, statuses

LEASE = 46


def sent(world: World) -> list[str]:
    """The changes that Ganeti was asked for."""
    return [method for method, _, _ in world.rapi.calls]


class Killed(BaseException):
    """The process is gone: nothing in it catches this."""


def killed(_what: str) -> None:
    raise Killed


def test_a_job_is_sent_with_its_request_id_and_its_answer_recorded(world: World) -> None:
    instance_id = world.create_one()
    assert world.submit() == 1
    job = world.jobs(instance_id)[0]
    assert world.rapi.calls == [("create", f"syros-{instance_id}", job.request_id)]
    assert (job.ganeti_id, job.status, job.attempts, job.claimed_by) == (1, JobStatus.QUEUED, 1, None)
    assert world.submit() == 0


def test_a_job_whose_reply_was_lost_is_found_by_its_reason_and_not_sent_again(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.lose_replies = 1
    world.submit()
    assert world.jobs(instance_id)[0].ganeti_id is None
    assert world.submit() == 0, "while the claim lasts nobody takes it"
    world.clock.tick(LEASE)
    assert world.submit() == 1
    assert world.jobs(instance_id)[0].ganeti_id == 1
    assert sent(world) == ["create"]


def test_a_submitter_killed_between_claim_and_call_leaves_the_job_to_the_next(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.meanwhile = killed
    with pytest.raises(Killed):
        world.submit()
    world.rapi.meanwhile = lambda _: None
    assert world.submit() == 0
    world.clock.tick(LEASE)
    world.submit()
    assert world.rapi.asked[-1] == "jobs", "it asks before it sends"
    assert sent(world) == ["create"]
    assert world.jobs(instance_id)[0].ganeti_id == 1


def test_a_submitter_killed_after_the_call_is_made_up_for_by_the_event(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.lose_replies = 1
    world.submit()
    world.deliver(world.rapi.finish(1))
    world.clock.tick(LEASE)
    assert world.submit() == 0
    assert world.instance(instance_id).state is State.ACTIVE
    assert sent(world) == ["create"]


def test_an_answer_that_comes_after_its_event_changes_nothing(world: World) -> None:
    instance_id = world.create_one()

    def finish_at_once(method: str) -> None:
        world.rapi.meanwhile = lambda _: None
        if method == "create":
            name, reason = f"syros-{instance_id}", world.jobs(instance_id)[0].request_id
            job = world.rapi.foreign("OP_INSTANCE_CREATE", name)
            job.reason = reason
            world.rapi.jobs = {2: job}
            job.id = 2
            world.rapi._next = 2
            world.deliver(world.rapi.finish(2))

    world.rapi.meanwhile = finish_at_once
    world.submit()
    job = world.jobs(instance_id)[0]
    assert (job.ganeti_id, job.status) == (2, JobStatus.SUCCESS)


def test_a_backend_that_nothing_reaches_gets_the_job_later_without_being_asked_first(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.unreachable = True
    world.submit()
    assert world.jobs(instance_id)[0].attempts == 0
    world.rapi.unreachable = False
    assert world.submit() == 0, "there is a pause"
    world.clock.tick(4)
    asked = len(world.rapi.asked)
    world.submit()
    assert sent(world) == ["create"]
    assert len(world.rapi.asked) == asked


def test_a_create_that_waited_too_long_for_its_backend_is_given_up(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.unreachable = True
    world.submit()
    world.clock.tick(901)
    world.submit()
    row = world.instance(instance_id)
    assert (row.state, row.task, row.present) == (State.ERROR, None, False)
    assert row.fault_message == "the create was refused: RapiUnreachable"
    assert world.used() == (0, 0, 0)


def test_a_create_of_unknown_outcome_is_never_given_up(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.lose_replies = 1
    world.submit()
    world.rapi.unreachable = True
    for _ in range(3):
        world.clock.tick(901)
        with pytest.raises(RapiUnreachable):
            world.submit()
    world.rapi.unreachable = False
    world.clock.tick(LEASE)
    world.submit()
    assert world.jobs(instance_id)[0].ganeti_id == 1
    assert sent(world) == ["create"]


def test_jobs_claimed_beside_one_of_unknown_outcome_are_put_back_when_ganeti_cannot_be_asked(world: World) -> None:
    lost = world.create_one()
    world.rapi.lose_replies = 1
    world.submit()
    world.clock.tick(LEASE)
    fresh = world.create_one()
    world.rapi.unreachable = True
    with pytest.raises(RapiUnreachable):
        world.submit()
    assert (world.jobs(lost)[0].attempts, world.jobs(fresh)[0].attempts) == (1, 0)
    world.rapi.unreachable = False
    world.clock.tick(4)
    assert world.submit() == 2
    assert sent(world) == ["create", "create"]


def test_a_refusal_that_a_retry_can_help_is_retried(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.refusals = [ganeti.refused(503, error_class="JobQueueFull", retryable=True)]
    world.submit()
    assert world.instance(instance_id).state is State.BUILDING
    world.clock.tick(6)
    world.submit()
    assert world.jobs(instance_id)[0].ganeti_id == 1


def test_a_final_refusal_of_a_create_is_its_fault_and_gives_the_quota_back(world: World) -> None:
    instance_id = world.create_one()
    world.rapi.refusals = [ganeti.refused()]
    world.submit()
    row, job = world.instance(instance_id), world.jobs(instance_id)[0]
    assert (row.state, row.task, row.present) == (State.ERROR, None, False)
    assert row.fault_message == "the create was refused: HttpBadRequest"
    assert (job.status, job.error_class) == (JobStatus.ERROR, "HttpBadRequest")
    assert job.finished_at is not None
    assert world.used() == (0, 0, 0)


def test_a_final_refusal_of_an_action_leaves_the_server_as_it_was(world: World) -> None:
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.rapi.refusals = [ganeti.refused()]
    world.submit()
    row = world.instance(instance_id)
    assert (row.state, row.task) == (State.ACTIVE, None)
    assert world.used() == (1, 2, 1024)


def test_a_delete_of_what_rapi_does_not_know_is_done(world: World) -> None:
    instance_id = world.active()
    world.delete(instance_id)
    world.rapi.refusals = [ganeti.refused(404, error_class="HttpNotFound")]
    world.submit()
    assert world.instance(instance_id).state is State.DELETED
    assert statuses(world.jobs(instance_id))[-1] == ("delete", JobStatus.SUCCESS)
    assert world.used() == (0, 0, 0)


def test_a_cleanup_of_what_rapi_does_not_know_leaves_the_fault_to_be_read(world: World) -> None:
    instance_id = world.create_one()
    world.finish(instance_id, failed=ganeti.error())
    world.rapi.refusals = [ganeti.refused(404, error_class="HttpNotFound")]
    world.submit()
    row = world.instance(instance_id)
    assert (row.state, row.present, row.deleted_at) == (State.ERROR, False, None)
    assert world.used() == (0, 0, 0)


def limit(world: World, max_jobs: int) -> None:
    with world.cloud.sessions.begin() as db:
        row = db.get(Backend, world.backend.id)
        assert row is not None
        row.max_jobs = max_jobs


def test_no_more_jobs_are_in_flight_than_the_backend_may_have(world: World) -> None:
    limit(world, 2)
    world.create(count=5)
    assert world.submit() == 2
    assert world.submit() == 0
    world.clock.tick()
    world.deliver(world.rapi.finish(1))
    assert world.submit() == 1
    assert len(world.rapi.open_jobs()) == 2


def test_a_job_of_unknown_outcome_counts_as_in_flight_and_needs_no_second_slot(world: World) -> None:
    limit(world, 1)
    world.create(count=2)
    world.rapi.lose_replies = 1
    assert world.submit() == 1
    assert world.submit() == 0
    world.clock.tick(LEASE)
    assert world.submit() == 1
    assert sent(world) == ["create"]


def test_two_submitters_never_send_the_same_job(world: World) -> None:
    world.create(count=6)
    first, second = world.submitter(), world.submitter()
    backend = world.known_backend()

    def the_other_serves(_method: str) -> None:
        world.rapi.meanwhile = lambda _: None
        second.serve(backend)

    world.rapi.meanwhile = the_other_serves
    first.serve(backend)
    reasons = [(name, reason) for _, name, reason in world.rapi.calls]
    assert len(reasons) == len(set(reasons)) == 6


def test_a_batch_that_takes_too_long_leaves_its_rest_before_the_claim_runs_out(world: World) -> None:
    """Each call takes ten seconds: the eighth would begin long after others may take its job."""
    world.create(count=8)
    slow, other = world.submitter(), world.submitter()
    backend = world.known_backend()

    def takes_long(_method: str) -> None:
        world.clock.tick(10)

    def the_other_serves(_method: str) -> None:
        world.rapi.meanwhile = lambda _: None
        world.clock.tick(10)
        other.serve(backend)
        world.rapi.meanwhile = the_other_serves

    world.rapi.meanwhile = the_other_serves
    slow.serve(backend)
    world.rapi.meanwhile = takes_long
    for _ in range(8):
        world.clock.tick(LEASE)
        slow.serve(backend)
        other.serve(backend)
    names = [name for _, name, _ in world.rapi.calls]
    assert sorted(names) == sorted(set(names))
    assert len(names) == 8


def test_what_was_put_off_by_one_is_not_taken_from_another_who_has_claimed_it_since(world: World) -> None:
    instance_id = world.create_one()
    late, other = world.submitter(), world.submitter()
    backend = world.known_backend()

    def the_claim_runs_out(_method: str) -> None:
        world.rapi.meanwhile = lambda _: None
        world.clock.tick(LEASE)
        world.rapi.lose_replies = 1
        other.serve(backend)
        world.rapi.unreachable = True

    world.rapi.meanwhile = the_claim_runs_out
    late.serve(backend)
    job = world.jobs(instance_id)[0]
    assert job.attempts == 2
    assert job.claimed_until is not None
    assert job.claimed_until > world.clock() + timedelta(seconds=30)


def test_the_jobs_of_a_server_go_one_at_a_time_in_order(world: World) -> None:
    instance_id = world.create_one()
    other = world.create_one("other")
    world.submit()
    world.delete(instance_id)
    assert world.submit() == 0
    world.clock.tick()
    created = next(job.ganeti_id for job in world.jobs(instance_id) if job.action == "create")
    assert created is not None
    world.deliver(world.rapi.finish(created))
    assert world.submit() == 1
    assert sent(world) == ["create", "create", "delete"]
    assert world.instance(other).state is State.BUILDING


def test_an_offline_backend_is_not_called(world: World) -> None:
    world.create_one()
    backends.set_flags(world.cloud, world.backend.name, offline=True)
    assert world.submit() == 0
    assert sent(world) == []
    backends.set_flags(world.cloud, world.backend.name, offline=False)
    assert world.submit() == 1


def test_a_create_that_was_put_off_is_not_sent_once_its_server_is_to_be_deleted(world: World) -> None:
    instance_id = world.create_one()
    deleting: list[bool] = []

    def deleted_meanwhile(_method: str) -> None:
        world.delete(instance_id)
        deleting.append(True)
        world.rapi.meanwhile = lambda _: None

    world.rapi.meanwhile = deleted_meanwhile
    world.rapi.refusals = [ganeti.refused(503, retryable=True)]
    world.submit()
    assert deleting
    world.clock.tick(6)
    world.submit()
    world.submit()
    assert sent(world) == ["create", "delete"]
    assert statuses(world.jobs(instance_id))[0] == ("create", JobStatus.CANCELED)
    world.deliver(world.rapi.finish(1, failed=ganeti.UNKNOWN_ENTITY))
    assert world.instance(instance_id).state is State.DELETED


def test_the_thread_sends_what_it_is_woken_for_and_stops(world: World) -> None:
    submitter = Submitter(world.cloud, world.clients, interval=0.01)
    instance_id = world.create_one()
    submitter.start()
    submitter.wake()
    process.wait_until(lambda: world.jobs(instance_id)[0].ganeti_id is not None, what="nothing was sent", timeout=20)
    submitter.stop()
    assert sent(world) == ["create"]
