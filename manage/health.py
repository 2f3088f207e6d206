"""The health of an installation, each part looked at by itself: one that is away hides no other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from cloud import backends, strangers
from common import bus as buses
from common.config import ConfigError
from common.errors import Unavailable
from db import instances, jobs, schema
from db.backends import Backend
from manage.context import Context
from manage.failures import Exit

_SILENT_LIMIT = 10_000
_LETTERS = 1000


@dataclass(frozen=True)
class Check:
    """One part, how it is, and what that means to the shell."""

    name: str
    exit: Exit
    detail: str

    @property
    def word(self) -> str:
        return {Exit.OK: "ok", Exit.UNREACHABLE: "unreachable"}.get(self.exit, "trouble")


@dataclass(frozen=True)
class Load:
    """A backend, with what is under way there."""

    backend: Backend
    instances: int
    in_flight: int
    #: submitted jobs that nothing was heard of for a while
    silent: int
    stale: bool


def database(context: Context) -> Check:
    """Tell whether the database answers."""
    try:
        sessions = context.sessions
    except Unavailable as err:
        return Check("database", Exit.UNREACHABLE, str(err))
    where = make_url(sessions.url).render_as_string(hide_password=True)
    return Check("database", Exit.OK if sessions.ready() else Exit.UNREACHABLE, where)


def schema_version(context: Context) -> Check:
    """Tell whether the schema is this program's. The database has to be there."""
    found = schema.standing(context.sessions.engine)
    return Check("schema", Exit.OK if found.current else Exit.WRONG, str(found))


def bus(context: Context) -> list[Check]:
    """Tell whether the broker answers, and whether it holds dead letters."""
    where = str(getattr(context.bus, "where", "in this process"))
    if not context.bus.ready():
        return [Check("bus", Exit.UNREACHABLE, where)]
    try:
        letters = len(context.bus.dead_letters(_LETTERS))
    except buses.BusUnreachable as err:
        return [Check("bus", Exit.UNREACHABLE, f"{where}: {err}")]
    return [
        Check("bus", Exit.OK, where),
        Check("dead letters", Exit.WRONG if letters else Exit.OK, f"{letters}{'+' if letters == _LETTERS else ''}"),
    ]


def secrets(context: Context, known: list[Backend]) -> Check:
    """Tell whether the key opens what the database has sealed."""
    try:
        for backend in known:
            context.vault.open(backend.rapi_password)
    except ConfigError as err:
        return Check("secrets", Exit.WRONG, str(err))
    return Check("secrets", Exit.OK, f"the key opens {len(known)} of {len(known)} RAPI passwords")


def loads(context: Context, *, patience: timedelta) -> list[Load]:
    """Look at every backend's rows; no cluster is asked."""
    now = context.cloud.clock()
    oldest = now - timedelta(seconds=context.settings.capacity_age)
    with context.cloud.sessions.read() as db:
        counts = instances.counts_by_backend(db)
        return [
            Load(
                backend=row,
                instances=counts.get(row.id, 0),
                in_flight=jobs.in_flight(db, row.id),
                silent=len(jobs.silent(db, backend_id=row.id, since=now - patience, limit=_SILENT_LIMIT)),
                stale=not row.offline and (row.refreshed_at is None or row.refreshed_at < oldest),
            )
            for row in backends.all_backends(context.cloud)
        ]


def of_loads(found: list[Load]) -> list[Check]:
    """Judge the backends: each that is in trouble, stale or silent."""
    if not found:
        return [Check("backends", Exit.WRONG, "there is none: `syros-manage backend add`")]
    checks = []
    for load in found:
        name = f"backend {load.backend.name}"
        if load.backend.trouble is not None and not load.backend.offline:
            checks.append(Check(name, Exit.WRONG, load.backend.trouble))
        elif load.stale:
            checks.append(Check(name, Exit.WRONG, f"last refreshed {load.backend.refreshed_at or 'never'}"))
        if load.silent:
            checks.append(Check(name, Exit.WRONG, f"{load.silent} jobs are silent: is eventd running there?"))
    return checks


def of_strangers(context: Context) -> Check:
    """Count the strangers in quarantine: a fact, not a fault."""
    return Check("strangers", Exit.OK, str(len(strangers.all_strangers(context.cloud))))


def whole(context: Context, *, patience: timedelta) -> tuple[list[Check], list[Load]]:
    """Look at everything; without a database or its schema, only at what is left."""
    checks = [database(context)]
    found: list[Load] = []
    if checks[0].exit is Exit.OK:
        try:
            checks.append(schema_version(context))
            if checks[-1].exit is Exit.OK:
                found = loads(context, patience=patience)
                checks.append(secrets(context, [load.backend for load in found]))
                checks += [*of_loads(found), of_strangers(context)]
        except sa.exc.SQLAlchemyError as err:
            checks.append(Check("database", Exit.UNREACHABLE, type(err).__name__))
    checks[1:1] = bus(context)
    return checks, found
