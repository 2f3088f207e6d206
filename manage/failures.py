"""How a command fails: one line on standard error and an exit code, by the kind of the error."""

from __future__ import annotations

from enum import IntEnum

import sqlalchemy as sa

from common import bus, config, errors
from db import schema, sessions
from rapi.errors import RapiError, RapiUnreachable


class Exit(IntEnum):
    """What the shell is told."""

    OK = 0
    #: something was found wrong, or not found, or refused
    WRONG = 1
    #: the command or the configuration can't be meant
    USAGE = 2
    #: the database, the bus or a cluster can't be reached
    UNREACHABLE = 3


#: narrower kinds first
_EXITS: tuple[tuple[type[Exception], Exit], ...] = (
    (config.ConfigError, Exit.USAGE),
    (errors.Invalid, Exit.USAGE),
    (errors.Unavailable, Exit.UNREACHABLE),
    (errors.CloudError, Exit.WRONG),
    (RapiUnreachable, Exit.UNREACHABLE),
    (RapiError, Exit.WRONG),
    (bus.BusUnreachable, Exit.UNREACHABLE),
    (sa.exc.SQLAlchemyError, Exit.WRONG),
    (OSError, Exit.WRONG),
)

KNOWN = tuple(kind for kind, _ in _EXITS)


def explain(error: Exception, database: sessions.Sessions | None) -> tuple[str, Exit]:
    """Give the line and the exit code for an error of a known kind."""
    if isinstance(error, sa.exc.SQLAlchemyError):
        return _of_database(error, database)
    code = next(code for kind, code in _EXITS if isinstance(error, kind))
    if isinstance(error, bus.BusUnreachable):
        return f"the bus can't be reached: {_first_line(error)}", code
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}", code
    return _first_line(error), code


def _of_database(error: sa.exc.SQLAlchemyError, database: sessions.Sessions | None) -> tuple[str, Exit]:
    """Tell an old schema from an absent database. The statement is never shown: it may hold a secret."""
    # a driver's own error, where there is one; SQLAlchemy's has the statement and its parameters in its text
    cause = _first_line(getattr(error, "orig", None) or type(error).__name__)
    try:
        found = schema.standing(database.engine) if database is not None else None
    except sa.exc.SQLAlchemyError:
        return f"the database can't be reached: {cause}", Exit.UNREACHABLE
    if found is not None and not found.current:
        return f"the database's schema is not this program's: {found}", Exit.WRONG
    if sessions.is_outage(error):
        return f"the database can't be reached: {cause}", Exit.UNREACHABLE
    return f"the database refuses: {cause}", Exit.WRONG


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
