"""The state machine of an instance, as data: which action is allowed when, and what each opcode's outcome does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from common.errors import Busy, Conflict
from common.jobs import JobStatus, Opcode
from db.instances import Instance, State, Task


class Action(StrEnum):
    """What can be asked of an instance."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    REBOOT = "reboot"
    REBOOT_HARD = "reboot-hard"
    DELETE = "delete"
    RESIZE = "resize"
    CONFIRM_RESIZE = "confirm-resize"
    REVERT_RESIZE = "revert-resize"
    REBUILD = "rebuild"
    RESCUE = "rescue"
    UNRESCUE = "unrescue"
    SOFT_DELETE = "soft-delete"
    RESTORE = "restore"
    #: to another node: running, stopped and started again, or away from a node that is lost
    LIVE_MIGRATE = "live-migration"
    MIGRATE = "migrate"
    EVACUATE = "evacuate"
    #: an image from its disk; Ganeti copies none that is in use
    CREATE_IMAGE = "create-image"
    #: an interface, to or from a server that runs or is stopped
    ATTACH_INTERFACE = "attach-interface"
    DETACH_INTERFACE = "detach-interface"
    #: an operator's: interfaces in Ganeti as the ports have them
    REPAIR_INTERFACES = "repair-interfaces"
    #: our own: remove what a failed create left in the cluster
    CLEANUP = "cleanup"
    #: our own: tell nodes what security groups let through
    FIREWALL = "firewall"
    #: our own: tell nodes what guests are to be told from now on
    TELL = "tell"


#: what nobody has asked for in so many words
OWN_ACTIONS = (Action.CLEANUP, Action.FIREWALL, Action.TELL)


@dataclass(frozen=True)
class Rule:
    """What an action needs and starts."""

    #: the operation that does it; some actions have others before and after it
    opcode: Opcode
    task: Task | None
    #: states it is allowed in
    states: frozenset[State]
    #: may begin while another action is under way
    overlaps: bool = False
    #: the task that it ends, and without which it makes no sense
    after: Task | None = None


_SEEN = frozenset({State.ACTIVE, State.STOPPED})
_ALIVE = frozenset({State.ACTIVE, State.STOPPED, State.UNKNOWN})
_ANY = frozenset(State) - {State.DELETED}

RULES: dict[Action, Rule] = {
    Action.CREATE: Rule(Opcode.CREATE, Task.CREATING, frozenset()),
    Action.START: Rule(Opcode.STARTUP, Task.STARTING, frozenset({State.STOPPED, State.UNKNOWN})),
    Action.STOP: Rule(Opcode.SHUTDOWN, Task.STOPPING, frozenset({State.ACTIVE, State.UNKNOWN})),
    Action.REBOOT: Rule(Opcode.REBOOT, Task.REBOOTING, frozenset({State.ACTIVE})),
    Action.REBOOT_HARD: Rule(Opcode.REBOOT, Task.REBOOTING_HARD, _ALIVE),
    Action.RESIZE: Rule(Opcode.SET_PARAMS, Task.RESIZING, _SEEN),
    Action.CONFIRM_RESIZE: Rule(Opcode.GROW_DISK, Task.RESIZING, _SEEN, after=Task.RESIZED),
    Action.REVERT_RESIZE: Rule(Opcode.SET_PARAMS, Task.REVERTING, _SEEN, after=Task.RESIZED),
    Action.REBUILD: Rule(Opcode.REINSTALL, Task.REBUILDING, _SEEN | {State.ERROR}),
    Action.LIVE_MIGRATE: Rule(Opcode.MIGRATE, Task.MIGRATING, frozenset({State.ACTIVE})),
    Action.MIGRATE: Rule(Opcode.FAILOVER, Task.MIGRATING, _SEEN),
    Action.EVACUATE: Rule(Opcode.FAILOVER, Task.MIGRATING, _ALIVE),
    Action.CREATE_IMAGE: Rule(Opcode.EXPORT, Task.IMAGING, frozenset({State.STOPPED})),
    Action.ATTACH_INTERFACE: Rule(Opcode.SET_PARAMS, Task.ATTACHING, _SEEN),
    Action.DETACH_INTERFACE: Rule(Opcode.SET_PARAMS, Task.DETACHING, _SEEN),
    Action.REPAIR_INTERFACES: Rule(Opcode.SET_PARAMS, Task.ATTACHING, _SEEN),
    Action.RESCUE: Rule(Opcode.SET_PARAMS, Task.RESCUING, _SEEN),
    Action.UNRESCUE: Rule(Opcode.SET_PARAMS, Task.UNRESCUING, _SEEN, after=Task.RESCUED),
    Action.SOFT_DELETE: Rule(Opcode.SHUTDOWN, Task.SOFT_DELETING, _ALIVE, overlaps=True),
    Action.RESTORE: Rule(Opcode.STARTUP, Task.RESTORING, _ALIVE, after=Task.SOFT_DELETED),
    Action.DELETE: Rule(Opcode.REMOVE, Task.DELETING, _ANY, overlaps=True),
    Action.CLEANUP: Rule(Opcode.REMOVE, None, frozenset({State.ERROR}), overlaps=True),
    Action.FIREWALL: Rule(Opcode.SET_PARAMS, None, _SEEN, overlaps=True),
    Action.TELL: Rule(Opcode.SET_PARAMS, None, _SEEN, overlaps=True),
}


def check(action: Action, *, state: State, task: Task | None, what: str) -> Rule:
    """Give the rule of an action that is allowed now; raise Busy or Conflict, with the facts, if it is not.

    A second delete is no conflict: the caller finds `task` DELETING and has nothing to do.
    """
    rule = RULES[action]
    if rule.after is not None and task is not rule.after:
        raise Conflict(f"{what} is not {rule.after}; there is nothing to {action}")
    if rule.after is None and task is not None and not rule.overlaps:
        raise Busy(f"{what} is {task}; {action} has to wait until that is done")
    if state not in rule.states:
        needs = " or ".join(sorted(rule.states))
        raise Conflict(f"{what} is {state}; {action} needs it {needs}")
    return rule


def resting(instance: Instance) -> Task | None:
    """Give the task that an instance is left with when nothing is under way."""
    if instance.soft_deleted_at is not None:
        return Task.SOFT_DELETED
    if instance.rescued_at is not None:
        return Task.RESCUED
    return Task.RESIZED if instance.resized_from is not None else None


class Presence(StrEnum):
    """What an outcome says about Ganeti having the instance."""

    YES = "yes"
    NO = "no"
    SAME = "same"


@dataclass(frozen=True)
class Effect:
    """What the outcome of an operation does to the instance it names."""

    #: None: the state stays as it is
    state: State | None = None
    presence: Presence = Presence.SAME
    #: ask Ganeti for the node and the NICs afterwards
    look: bool = False
    #: the error is the instance's own fault record, for its owner to see
    fault: bool = False
    #: something may be left behind in the cluster
    cleanup: bool = False


_NOTHING = Effect()
LOOK = Effect(look=True)
_RUNNING = Effect(state=State.ACTIVE, presence=Presence.YES)
_GONE = Effect(state=State.DELETED, presence=Presence.NO)
_BROKEN = Effect(state=State.ERROR, fault=True, cleanup=True)

SUCCESS, ERROR, CANCELED = JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.CANCELED

EFFECTS: dict[tuple[str, JobStatus], Effect] = {
    (Opcode.CREATE, SUCCESS): Effect(state=State.ACTIVE, presence=Presence.YES, look=True),
    (Opcode.CREATE, ERROR): _BROKEN,
    (Opcode.CREATE, CANCELED): _BROKEN,
    (Opcode.STARTUP, SUCCESS): _RUNNING,
    (Opcode.SHUTDOWN, SUCCESS): Effect(state=State.STOPPED, presence=Presence.YES),
    (Opcode.REBOOT, SUCCESS): _RUNNING,
    (Opcode.REMOVE, SUCCESS): _GONE,
    (Opcode.REINSTALL, SUCCESS): LOOK,
    (Opcode.SET_PARAMS, SUCCESS): LOOK,
    (Opcode.MIGRATE, SUCCESS): LOOK,
    (Opcode.FAILOVER, SUCCESS): LOOK,
    (Opcode.EXPORT, SUCCESS): LOOK,
    (Opcode.STARTUP, ERROR): LOOK,
    (Opcode.SHUTDOWN, ERROR): LOOK,
    (Opcode.REBOOT, ERROR): LOOK,
    (Opcode.REINSTALL, ERROR): LOOK,
    (Opcode.REMOVE, ERROR): LOOK,
    (Opcode.MIGRATE, ERROR): LOOK,
    (Opcode.FAILOVER, ERROR): LOOK,
    (Opcode.EXPORT, ERROR): LOOK,
}

#: what Ganeti's prerequisite checks answer when the instance is not there, or is there already
UNKNOWN_ENTITY = "unknown_entity"
ALREADY_EXISTS = "already_exists"


def effect(opcode: str, status: JobStatus, *, error_class: str | None = None, error_code: str | None = None) -> Effect:
    """Look up what an outcome does.

    Two refusals say more than "it failed": removing what is not there has reached its goal, and creating what
    is already there means that another submission of the same create has worked or is about to.
    A create that Ganeti refused before it began has left nothing behind.
    """
    found = EFFECTS.get((opcode, status), _NOTHING)
    if error_class != "OpPrereqError" or status is not ERROR:
        return found
    if opcode == Opcode.REMOVE and error_code == UNKNOWN_ENTITY:
        return _GONE
    if opcode == Opcode.CREATE:
        if error_code == ALREADY_EXISTS:
            return LOOK
        return Effect(state=State.ERROR, presence=Presence.NO, fault=True)
    return found
