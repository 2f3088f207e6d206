"""A server's status, by one table from (state, task); and the way back, for lists by status."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from db.instances import State, Task


class Status(StrEnum):
    """What clients wait for."""

    BUILD = "BUILD"
    ACTIVE = "ACTIVE"
    SHUTOFF = "SHUTOFF"
    REBOOT = "REBOOT"
    HARD_REBOOT = "HARD_REBOOT"
    ERROR = "ERROR"
    DELETED = "DELETED"
    UNKNOWN = "UNKNOWN"
    RESIZE = "RESIZE"
    VERIFY_RESIZE = "VERIFY_RESIZE"
    REVERT_RESIZE = "REVERT_RESIZE"
    REBUILD = "REBUILD"
    MIGRATING = "MIGRATING"
    RESCUE = "RESCUE"
    SOFT_DELETED = "SOFT_DELETED"


#: statuses that come with `progress`, in percent, where no more is known
PROGRESS: dict[Status, int] = {
    Status.BUILD: 0,
    Status.ACTIVE: 100,
    Status.RESIZE: 0,
    Status.VERIFY_RESIZE: 100,
    Status.REBUILD: 0,
}
#: of these, those that a deployment moves
DEPLOYING = (Status.BUILD, Status.REBUILD)
#: statuses that come with a `fault`
WITH_FAULT = (Status.ERROR, Status.DELETED)

Condition = tuple[State, Sequence[Task | None] | None]

_TASKS: tuple[Task | None, ...] = (None, *Task)
_THROUGH = {
    Task.CREATING: Status.BUILD,
    Task.REBOOTING: Status.REBOOT,
    Task.REBOOTING_HARD: Status.HARD_REBOOT,
    Task.RESIZING: Status.RESIZE,
    Task.RESIZED: Status.VERIFY_RESIZE,
    Task.REVERTING: Status.REVERT_RESIZE,
    Task.REBUILDING: Status.REBUILD,
    Task.MIGRATING: Status.MIGRATING,
    Task.RESCUED: Status.RESCUE,
    Task.UNRESCUING: Status.RESCUE,
    Task.SOFT_DELETED: Status.SOFT_DELETED,
    Task.RESTORING: Status.SOFT_DELETED,
}
#: what shows through although the server can't be seen
_THROUGH_UNKNOWN = {Task.SOFT_DELETED: Status.SOFT_DELETED, Task.RESTORING: Status.SOFT_DELETED}
#: what a state shows, but for the tasks that show through it
_SHOWN: dict[State, tuple[Status, dict[Task, Status]]] = {
    State.BUILDING: (Status.BUILD, {}),
    State.ACTIVE: (Status.ACTIVE, _THROUGH),
    State.STOPPED: (Status.SHUTOFF, _THROUGH),
    State.ERROR: (Status.ERROR, {Task.REBUILDING: Status.REBUILD}),
    State.UNKNOWN: (Status.UNKNOWN, _THROUGH_UNKNOWN),
    State.DELETED: (Status.DELETED, {}),
}
STATUSES: dict[tuple[State, Task | None], Status] = {
    (state, task): _SHOWN[state][0] if task is None else _SHOWN[state][1].get(task, _SHOWN[state][0])
    for state in State
    for task in _TASKS
}

VM_STATES: dict[State, str] = {
    State.BUILDING: "building",
    State.ACTIVE: "active",
    State.STOPPED: "stopped",
    State.ERROR: "error",
    State.UNKNOWN: "unknown",
    State.DELETED: "deleted",
}
TASK_STATES: dict[Task | None, str | None] = {
    None: None,
    Task.CREATING: "spawning",
    Task.STARTING: "powering-on",
    Task.STOPPING: "powering-off",
    Task.REBOOTING: "rebooting",
    Task.REBOOTING_HARD: "rebooting_hard",
    Task.DELETING: "deleting",
    Task.RESIZING: "resize_migrating",
    Task.RESIZED: None,
    Task.REVERTING: "resize_reverting",
    Task.REBUILDING: "rebuilding",
    Task.MIGRATING: "migrating",
    Task.IMAGING: "image_snapshot",
    Task.RESCUING: "rescuing",
    Task.RESCUED: None,
    Task.UNRESCUING: "unrescuing",
    Task.SOFT_DELETING: "soft-deleting",
    Task.SOFT_DELETED: None,
    Task.RESTORING: "restoring",
    Task.ATTACHING: "attaching",
    Task.DETACHING: "detaching",
}
#: tasks that are states to Nova
_TASKS_AS_VM_STATES: dict[Task | None, str] = {
    Task.RESIZED: "resized",
    Task.RESCUED: "rescued",
    Task.UNRESCUING: "rescued",
    Task.SOFT_DELETED: "soft-delete",
    Task.RESTORING: "soft-delete",
}
#: 0 no state, 1 running, 4 shut down
POWER_STATES: dict[State, int] = {
    State.BUILDING: 0,
    State.ACTIVE: 1,
    State.STOPPED: 4,
    State.ERROR: 0,
    State.UNKNOWN: 0,
    State.DELETED: 0,
}


def vm_state(state: State, task: Task | None) -> str:
    """Give Nova's own word for a state; what we wait in, such as for a resize's confirmation, is one to Nova."""
    return _TASKS_AS_VM_STATES.get(task, VM_STATES[state])


def conditions(
    wanted: Sequence[str] | None,
    *,
    vm_states: Sequence[str] | None = None,
    task_states: Sequence[str] | None = None,
    power_states: Sequence[int] | None = None,
) -> list[Condition]:
    """Give the (state, tasks) pairs that show one of each; None means any, and nothing shows a word there is not."""
    shown = None if wanted is None else {text.upper() for text in wanted}
    found: list[Condition] = []
    for state in State:
        tasks = [
            task
            for task in _TASKS
            if (shown is None or STATUSES[state, task] in shown)
            and (vm_states is None or vm_state(state, task) in vm_states)
            and (task_states is None or (TASK_STATES[task] or "none") in task_states)
            and (power_states is None or POWER_STATES[state] in power_states)
        ]
        if len(tasks) == len(_TASKS):
            found.append((state, None))
        elif tasks:
            found.append((state, tasks))
    return found
