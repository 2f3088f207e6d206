"""The state machine, all of it: every state x task x action, and every opcode x status x error."""

from __future__ import annotations

import itertools

import pytest

from cloud import states
from cloud.states import Action, Effect, Presence
from common.errors import Busy, Conflict
from common.jobs import JobStatus, Opcode
from db.instances import AT_REST, State, Task

#: what is allowed when nothing is under way; everything else is a conflict
ALLOWED = {
    State.BUILDING: {Action.DELETE},
    State.ACTIVE: {
        Action.STOP,
        Action.REBOOT,
        Action.REBOOT_HARD,
        Action.DELETE,
        Action.RESIZE,
        Action.REBUILD,
        Action.RESCUE,
        Action.SOFT_DELETE,
        Action.LIVE_MIGRATE,
        Action.MIGRATE,
        Action.EVACUATE,
        Action.ATTACH_INTERFACE,
        Action.DETACH_INTERFACE,
        Action.FIREWALL,
        Action.TELL,
        Action.REPAIR_INTERFACES,
    },
    State.STOPPED: {
        Action.CREATE_IMAGE,
        Action.START,
        Action.REBOOT_HARD,
        Action.DELETE,
        Action.RESIZE,
        Action.REBUILD,
        Action.RESCUE,
        Action.SOFT_DELETE,
        Action.MIGRATE,
        Action.EVACUATE,
        Action.ATTACH_INTERFACE,
        Action.DETACH_INTERFACE,
        Action.FIREWALL,
        Action.TELL,
        Action.REPAIR_INTERFACES,
    },
    State.ERROR: {Action.DELETE, Action.CLEANUP, Action.REBUILD},
    State.UNKNOWN: {
        Action.START,
        Action.STOP,
        Action.REBOOT_HARD,
        Action.DELETE,
        Action.SOFT_DELETE,
        Action.EVACUATE,
    },
    State.DELETED: set[Action](),
}
#: what may begin while something is under way, too
OVERLAPPING = {Action.DELETE, Action.SOFT_DELETE, Action.CLEANUP, Action.FIREWALL, Action.TELL}
_SEEN = frozenset({State.ACTIVE, State.STOPPED})
#: what makes sense only while a server rests in a task, and in which states
AFTER = {
    Action.CONFIRM_RESIZE: (Task.RESIZED, _SEEN),
    Action.REVERT_RESIZE: (Task.RESIZED, _SEEN),
    Action.UNRESCUE: (Task.RESCUED, _SEEN),
    Action.RESTORE: (Task.SOFT_DELETED, _SEEN | {State.UNKNOWN}),
}
TASKS = {
    Action.CREATE: Task.CREATING,
    Action.START: Task.STARTING,
    Action.STOP: Task.STOPPING,
    Action.REBOOT: Task.REBOOTING,
    Action.REBOOT_HARD: Task.REBOOTING_HARD,
    Action.DELETE: Task.DELETING,
    Action.CLEANUP: None,
    Action.FIREWALL: None,
    Action.TELL: None,
    Action.RESIZE: Task.RESIZING,
    Action.CONFIRM_RESIZE: Task.RESIZING,
    Action.REVERT_RESIZE: Task.REVERTING,
    Action.REBUILD: Task.REBUILDING,
    Action.RESCUE: Task.RESCUING,
    Action.UNRESCUE: Task.UNRESCUING,
    Action.SOFT_DELETE: Task.SOFT_DELETING,
    Action.RESTORE: Task.RESTORING,
    Action.LIVE_MIGRATE: Task.MIGRATING,
    Action.MIGRATE: Task.MIGRATING,
    Action.EVACUATE: Task.MIGRATING,
    Action.CREATE_IMAGE: Task.IMAGING,
    Action.ATTACH_INTERFACE: Task.ATTACHING,
    Action.DETACH_INTERFACE: Task.DETACHING,
    Action.REPAIR_INTERFACES: Task.ATTACHING,
}


def golden(action: Action, state: State, task: Task | None) -> type[Exception] | None:
    if action in AFTER:
        rests, where = AFTER[action]
        return None if task is rests and state in where else Conflict
    if task is not None and action not in OVERLAPPING:
        return Busy
    return None if action in ALLOWED[state] else Conflict


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_every_action_in_every_state_and_task_is_allowed_as_the_table_says(action: Action, state: State) -> None:
    for task in (None, *Task):
        expected = golden(action, state, task)
        try:
            rule = states.check(action, state=state, task=task, what="server x")
        except Conflict as err:
            assert type(err) is expected, (action, state, task)
            assert "server x" in str(err)
        else:
            assert expected is None, (action, state, task)
            assert rule.task is TASKS[action]


def test_every_action_has_a_rule_and_every_task_an_action_that_starts_it() -> None:
    assert set(states.RULES) == set(Action)
    # a server comes to rest by itself, when what it was asked for has worked
    assert {None, *Task} - {rule.task for rule in states.RULES.values()} == set(AT_REST) - {None}


RUNNING = Effect(state=State.ACTIVE, presence=Presence.YES)
GONE = Effect(state=State.DELETED, presence=Presence.NO)
BROKEN = Effect(state=State.ERROR, fault=True, cleanup=True)
LOOK = Effect(look=True)
NOTHING = Effect()
OK, BAD, CANCELED = JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.CANCELED

GOLDEN: dict[Opcode, tuple[Effect, Effect, Effect]] = {
    Opcode.CREATE: (Effect(state=State.ACTIVE, presence=Presence.YES, look=True), BROKEN, BROKEN),
    Opcode.STARTUP: (RUNNING, LOOK, NOTHING),
    Opcode.SHUTDOWN: (Effect(state=State.STOPPED, presence=Presence.YES), LOOK, NOTHING),
    Opcode.REBOOT: (RUNNING, LOOK, NOTHING),
    Opcode.REINSTALL: (LOOK, LOOK, NOTHING),
    Opcode.REMOVE: (GONE, LOOK, NOTHING),
    Opcode.RENAME: (NOTHING, NOTHING, NOTHING),
    Opcode.SET_PARAMS: (LOOK, NOTHING, NOTHING),
    Opcode.GROW_DISK: (NOTHING, NOTHING, NOTHING),
    Opcode.MIGRATE: (LOOK, LOOK, NOTHING),
    Opcode.FAILOVER: (LOOK, LOOK, NOTHING),
    Opcode.EXPORT: (LOOK, LOOK, NOTHING),
    Opcode.TAGS_SET: (NOTHING, NOTHING, NOTHING),
    Opcode.TAGS_DEL: (NOTHING, NOTHING, NOTHING),
}


@pytest.mark.parametrize("opcode", Opcode)
@pytest.mark.parametrize("status", JobStatus)
def test_every_outcome_of_every_opcode_has_the_effect_of_the_table(opcode: Opcode, status: JobStatus) -> None:
    column = {OK: 0, BAD: 1, CANCELED: 2}
    expected = GOLDEN[opcode][column[status]] if status in column else NOTHING
    assert states.effect(opcode, status) == expected
    assert states.effect(opcode, status, error_class="OpExecError") == expected


@pytest.mark.parametrize("opcode", Opcode)
@pytest.mark.parametrize(
    "code", [None, "unknown_entity", "already_exists", "insufficient_resources", "wrong_input", "environment_error"]
)
def test_a_refusal_before_it_began_says_more_for_create_and_remove_only(opcode: Opcode, code: str | None) -> None:
    found = states.effect(opcode, BAD, error_class="OpPrereqError", error_code=code)
    if opcode is Opcode.CREATE and code == "already_exists":
        assert found == LOOK
    elif opcode is Opcode.CREATE:
        assert found == Effect(state=State.ERROR, presence=Presence.NO, fault=True)
    elif opcode is Opcode.REMOVE and code == "unknown_entity":
        assert found == GONE
    else:
        assert found == GOLDEN[opcode][1]


@pytest.mark.parametrize(
    ("status", "code"), list(itertools.product([OK, CANCELED], ["unknown_entity", "already_exists"]))
)
def test_an_error_code_means_nothing_unless_the_operation_failed(status: JobStatus, code: str) -> None:
    for opcode in Opcode:
        expected = GOLDEN[opcode][0 if status is OK else 2]
        assert states.effect(opcode, status, error_class="OpPrereqError", error_code=code) == expected


def test_an_opcode_that_nobody_knows_does_nothing() -> None:
    for status in JobStatus:
        assert states.effect("OP_INSTANCE_FANCY", status) == NOTHING


def test_only_effects_with_a_state_say_anything_of_presence() -> None:
    """Presence is ordered by the fact it comes with: without a state nothing would order it."""
    for effect in states.EFFECTS.values():
        assert effect.state is not None or effect.presence is Presence.SAME
