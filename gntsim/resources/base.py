"""What resources share: the world they read, and how a request becomes a job."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from gntsim import cluster, faults, http, jobs, params, queue, scheduler, settings

COMMON_GIVEN = frozenset({"depends", "priority", "comment", "debug_level", "dry_run"})


@dataclasses.dataclass(frozen=True)
class World:
    settings: settings.Settings
    cluster: cluster.Cluster
    scheduler: scheduler.Scheduler
    queue: queue.JobQueue
    faults: faults.Faults


Handler = Callable[[World, http.Request], Any]


@dataclasses.dataclass(frozen=True)
class Route:
    """A path with `{}` for each name in it, its methods, and the methods that need a user who may write."""

    pattern: str
    methods: Mapping[str, Handler]
    writing: frozenset[str] = frozenset({"POST", "PUT", "DELETE"})


@dataclasses.dataclass(frozen=True)
class Submission:
    """How a path and method become one opcode: `static` adds what the path and query say."""

    opcode: str
    resource: str
    static: Callable[[http.Request], dict[str, Any]]
    rename: Mapping[str, str] = dataclasses.field(default_factory=dict)
    forbidden: frozenset[str] = frozenset()
    keeps_dry_run: bool = True
    takes_body: bool = True
    default_body: bool = True

    def __call__(self, world: World, request: http.Request) -> int:
        body = request.body if self.takes_body else _only_depends(request.body)
        given = fill(
            self.opcode, body, self.static(request), rename=dict(self.rename), needs_body=not self.default_body
        )
        if self.keeps_dry_run:
            given["dry_run"] = request.dry_run
        op = jobs.make_op(self.opcode, given, trail=trail(request, self.resource), with_dry_run=self.keeps_dry_run)
        return submit(world, [op])


def submit(world: World, ops: list[jobs.Op]) -> int:
    try:
        return world.scheduler.submit(ops)
    except scheduler.QueueDrained as err:
        raise http.HttpError(500, "Queue drained") from err


def trail(request: http.Request, resource: str) -> list[list[Any]]:
    """The reason trail as RAPI starts it: the user's reason, then the resource's name."""
    entries = []
    reason = request.text("reason")
    if reason:
        entries.append(jobs.trail_entry("gnt:user", reason))
    entries.append(jobs.trail_entry(f"gnt:library:rlib2:{resource}", ""))
    return entries


def fill(
    opcode: str, body: Any, static: dict[str, Any], *, rename: dict[str, str], needs_body: bool = False
) -> dict[str, Any]:
    """An opcode's parameters from a body and what may not be overwritten, refused as Ganeti refuses them."""
    if body is None and not needs_body:
        body = {}
    if not isinstance(body, dict):
        raise http.HttpError(400, f"Body contents: Type is '{type(body).__name__}', but 'dict' is expected")
    given = dict(body)
    for old, new in rename.items():
        if old in given and new in given:
            raise http.HttpError(400, f"Parameter '{old}' was renamed to '{new}', but both are specified")
        if old in given:
            given[new] = given.pop(old)
    clash = (set(given) & set(static)) | (set(given) & {"reason"})
    if clash:
        raise http.HttpError(400, f"Can't overwrite static parameters {clash!r}")
    given |= static
    class_name = "".join(part.capitalize() for part in opcode.split("_"))
    for name in given:
        if name not in params.PARAMS[opcode] and name not in COMMON_GIVEN:
            text = f"Object {class_name} doesn't support the parameter '{name}'"
            raise http.HttpError(400, f"Invalid body parameters: {text}")
    wrong = params.invalid(opcode, given)
    if wrong is not None:
        refusal = (f"Parameter '{opcode}.{wrong}' fails validation", "wrong_input")
        raise http.HttpError(400, f"Invalid body parameters: {refusal!r}")
    return given


def found(thing: Any) -> Any:
    """The thing, or 404."""
    if thing is None:
        raise http.HttpError(404)
    return thing


def _only_depends(body: Any) -> dict[str, Any]:
    return {"depends": body["depends"]} if isinstance(body, dict) and "depends" in body else {}
