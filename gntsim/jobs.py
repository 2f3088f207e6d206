"""A job and its opcodes, and the exact JSON that luxid and the job processes write of them."""

import copy
import dataclasses
import enum
import time
from typing import Any

from gntsim import params

Stamp = list[int]
# Opcode inputs and results are whatever JSON holds.
Json = Any

COMMON = ("dry_run", "debug_level", "priority", "depends", "comment", "reason", "OP_ID")
REDACTED = "<redacted>"
SUMMARY_FIELD = {
    "OP_TAGS_SET": None,
    "OP_TAGS_DEL": None,
    "OP_INSTANCE_RENAME": None,
    "OP_GROUP_RENAME": None,
    "OP_INSTANCE_QUERY_DATA": None,
    "OP_BACKUP_EXPORT": "instance_name",
}


class Status(enum.StrEnum):
    """The states of a job and of each of its opcodes, by Ganeti's words."""

    QUEUED = "queued"
    WAITING = "waiting"
    CANCELING = "canceling"
    RUNNING = "running"
    CANCELED = "canceled"
    SUCCESS = "success"
    ERROR = "error"

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({Status.CANCELED, Status.SUCCESS, Status.ERROR})


def now() -> Stamp:
    nanoseconds = time.time_ns()
    return [nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000 // 1000]


@dataclasses.dataclass
class Op:
    """One opcode: `params` are its own parameters, `common` those that every opcode has."""

    opcode: str
    params: dict[str, Json]
    common: dict[str, Json]
    secrets: dict[str, Json] = dataclasses.field(default_factory=dict)
    status: Status = Status.QUEUED
    result: Json = None
    log: list[list[Json]] = dataclasses.field(default_factory=list)
    priority: int = 0
    start: Stamp | None = None
    exec: Stamp | None = None
    end: Stamp | None = None

    def complete(self) -> None:
        """Write out the null parameters, as a job process does when it starts the opcode."""
        if self.opcode in params.PARAMS:
            self.params = params.complete(self.opcode, self.params)
        self.common.setdefault("dry_run", None)
        self.common.setdefault("debug_level", 0)

    def forget_private(self) -> None:
        """Blank what only the job process may know: it never writes private or secret values back."""
        for name in ("osparams_private", "osparams_secret"):
            value = self.params.get(name)
            if value:
                self.secrets.setdefault(name, value)
                self.params[name] = dict.fromkeys(value)

    def input_by_luxid(self) -> dict[str, Json]:
        given = {name: self.common[name] for name in COMMON if name in self.common}
        given["OP_ID"] = self.opcode
        return given | self.params

    def input_by_process(self) -> dict[str, Json]:
        common = {name: self.common[name] for name in COMMON if name in self.common}
        return self.params | common | {"OP_ID": self.opcode}

    def seen_by_rapi(self) -> dict[str, Json]:
        """The opcode as luxid answers it: without nulls, and without private values."""
        given = {name: self.common[name] for name in COMMON if name in self.common}
        if given.get("dry_run") is None:
            given.pop("dry_run", None)
        given["OP_ID"] = self.opcode
        for name, value in self.params.items():
            if value is None:
                continue
            given[name] = dict.fromkeys(value) if name in ("osparams_private", "osparams_secret") else value
        return given

    def summary(self) -> str:
        name = self.opcode.removeprefix("OP_")
        field = SUMMARY_FIELD.get(self.opcode, _target_field(self.opcode))
        target = self.params.get(field) if field else None
        return f"{name}({target})" if target else name


@dataclasses.dataclass
class Job:
    """A list of opcodes that run one after another."""

    id: int
    ops: list[Op]
    received: Stamp
    start: Stamp | None = None
    end: Stamp | None = None
    livelock: str | None = None
    process_id: int | None = None
    version: int = 0

    @property
    def status(self) -> Status:
        """The job's status, computed from its opcodes as Ganeti does; it is stored nowhere."""
        status = Status.QUEUED
        successes = 0
        for op in self.ops:
            match op.status:
                case Status.QUEUED:
                    pass
                case Status.SUCCESS:
                    successes += 1
                case Status.CANCELING | Status.ERROR | Status.CANCELED:
                    return op.status
                case _:
                    status = op.status
        return Status.SUCCESS if successes == len(self.ops) else status

    @property
    def poisoned(self) -> bool:
        return any(not ascii_only(op.input_by_luxid()) for op in self.ops)

    def by_luxid(self) -> dict[str, Json]:
        """The file as luxid writes it: while queued, and when it cancels or buries a job."""
        ops = [
            {
                "input": op.input_by_luxid(),
                "status": op.status,
                "result": op.result,
                "log": op.log,
                "priority": op.priority,
                "start_timestamp": op.start,
                "exec_timestamp": op.exec,
                "end_timestamp": op.end,
            }
            for op in self.ops
        ]
        document: dict[str, Json] = {
            "id": self.id,
            "ops": ops,
            "received_timestamp": self.received,
            "start_timestamp": self.start,
            "end_timestamp": self.end,
        }
        if self.livelock is not None:
            document["livelock"] = self.livelock
        if self.process_id is not None:
            document["process_id"] = self.process_id
        return document

    def by_process(self) -> dict[str, Json]:
        """The file as the job's own process writes it, from `waiting` on."""
        ops = [
            {
                "input": op.input_by_process(),
                "status": op.status,
                "result": op.result,
                "log": op.log,
                "start_timestamp": op.start,
                "exec_timestamp": op.exec,
                "end_timestamp": op.end,
                "priority": op.priority,
            }
            for op in self.ops
        ]
        return {
            "id": self.id,
            "ops": ops,
            "start_timestamp": self.start,
            "end_timestamp": self.end,
            "received_timestamp": self.received,
            "livelock": self.livelock,
            "process_id": self.process_id,
        }


def parse(document: dict[str, Json]) -> Job:
    """A job from its file, whoever wrote it."""
    ops = []
    for raw in document["ops"]:
        given = dict(raw["input"])
        opcode = given.pop("OP_ID")
        common = {name: given.pop(name) for name in COMMON if name in given}
        ops.append(
            Op(
                opcode=opcode,
                params=given,
                common=common,
                status=Status(raw["status"]),
                result=raw["result"],
                log=raw["log"],
                priority=raw["priority"],
                start=raw["start_timestamp"],
                exec=raw["exec_timestamp"],
                end=raw["end_timestamp"],
            )
        )
    return Job(
        id=document["id"],
        ops=ops,
        received=document["received_timestamp"],
        start=document["start_timestamp"],
        end=document["end_timestamp"],
        livelock=document.get("livelock"),
        process_id=document.get("process_id"),
    )


def make_op(opcode: str, given: dict[str, Json], *, trail: list[list[Json]], with_dry_run: bool = True) -> Op:
    """An opcode as RAPI hands it to luxid; `given` may hold common fields (depends, priority, comment, dry_run)."""
    own = copy.deepcopy(given)
    common: dict[str, Json] = {}
    dry_run = own.pop("dry_run", False)
    if with_dry_run:
        common["dry_run"] = dry_run
    if "debug_level" in own:
        common["debug_level"] = own.pop("debug_level")
    priority = own.pop("priority", None) or 0
    common |= {"priority": priority, "depends": own.pop("depends", None), "comment": own.pop("comment", None)}
    common["reason"] = trail
    own = params.submitted(opcode, own) if opcode in params.PARAMS else own
    secrets: dict[str, Json] = {}
    if own.get("osparams_secret"):
        secrets["osparams_secret"] = own["osparams_secret"]
        own["osparams_secret"] = dict.fromkeys(own["osparams_secret"], REDACTED)
    return Op(opcode=opcode, params=own, common=common, secrets=secrets, priority=priority)


def trail_entry(source: str, text: str) -> list[Json]:
    return [source, text, time.time_ns()]


def ascii_only(value: Json) -> bool:
    """Whether all text in a JSON value is ASCII; Ganeti chokes on anything else."""
    match value:
        case str():
            return value.isascii()
        case dict():
            return all(ascii_only(k) and ascii_only(v) for k, v in value.items())
        case list():
            return all(ascii_only(item) for item in value)
        case _:
            return True


def _target_field(opcode: str) -> str | None:
    for noun in ("instance", "network", "group", "node"):
        if opcode.startswith(f"OP_{noun.upper()}_"):
            return f"{noun}_name"
    return None
