import itertools

import pytest

from apiserver.compute import statuses
from apiserver.compute.statuses import Status
from db.instances import State, Task

PAIRS = list(itertools.product(State, (None, *Task)))


@pytest.mark.parametrize(("state", "task"), PAIRS)
def test_every_state_and_task_shows_a_status(state: State, task: Task | None) -> None:
    assert statuses.STATUSES[state, task] in Status
    assert state in statuses.VM_STATES
    assert state in statuses.POWER_STATES
    assert task in statuses.TASK_STATES


@pytest.mark.parametrize(
    ("state", "task", "status"),
    [
        (State.BUILDING, Task.CREATING, Status.BUILD),
        (State.BUILDING, Task.DELETING, Status.BUILD),
        (State.ACTIVE, None, Status.ACTIVE),
        (State.ACTIVE, Task.CREATING, Status.BUILD),
        (State.ACTIVE, Task.STOPPING, Status.ACTIVE),
        (State.ACTIVE, Task.REBOOTING, Status.REBOOT),
        (State.ACTIVE, Task.REBOOTING_HARD, Status.HARD_REBOOT),
        (State.ACTIVE, Task.DELETING, Status.ACTIVE),
        (State.STOPPED, None, Status.SHUTOFF),
        (State.STOPPED, Task.STARTING, Status.SHUTOFF),
        (State.STOPPED, Task.REBOOTING_HARD, Status.HARD_REBOOT),
        (State.ERROR, Task.DELETING, Status.ERROR),
        (State.UNKNOWN, None, Status.UNKNOWN),
        (State.UNKNOWN, Task.STARTING, Status.UNKNOWN),
        (State.DELETED, None, Status.DELETED),
        (State.ACTIVE, Task.RESCUING, Status.ACTIVE),
        (State.ACTIVE, Task.RESCUED, Status.RESCUE),
        (State.STOPPED, Task.RESCUED, Status.RESCUE),
        (State.STOPPED, Task.UNRESCUING, Status.RESCUE),
        (State.ACTIVE, Task.SOFT_DELETING, Status.ACTIVE),
        (State.STOPPED, Task.SOFT_DELETED, Status.SOFT_DELETED),
        (State.UNKNOWN, Task.SOFT_DELETED, Status.SOFT_DELETED),
        (State.STOPPED, Task.RESTORING, Status.SOFT_DELETED),
    ],
)
def test_the_status_is_what_clients_wait_for(state: State, task: Task | None, status: Status) -> None:
    assert statuses.STATUSES[state, task] is status


@pytest.mark.parametrize("status", Status)
def test_a_filter_by_status_finds_just_the_pairs_that_show_it(status: Status) -> None:
    found = {
        (state, task)
        for state, tasks in statuses.conditions([status.lower()])
        for task in ((None, *Task) if tasks is None else tasks)
    }
    assert found == {pair for pair in PAIRS if statuses.STATUSES[pair] is status}


def test_a_status_that_there_is_not_finds_nothing() -> None:
    assert statuses.conditions(["999"]) == []
