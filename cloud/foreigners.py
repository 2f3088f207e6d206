"""Users and projects of an identity service that is not ours, as they show their tokens here.

Each gets a row on first sight, so that servers, keypairs and quotas have somebody to belong to. What they may do is
read from each token; no role, password or credential of theirs is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cloud.context import Cloud
from db import projects, users
from db.projects import Project
from db.tokens import Bearer, Token
from db.users import Role, User

_ID_LENGTH = 32
_NAME_LENGTH = 64


@dataclass(frozen=True)
class Named:
    """A user or a project, as the other service names it."""

    id: str
    name: str


@dataclass(frozen=True)
class Known:
    """What the other service says of a token that it gave."""

    user: Named
    #: None: the token is for no project
    project: Named | None
    roles: Sequence[Role]
    methods: Sequence[str]
    audit_id: str
    issued_at: datetime
    expires_at: datetime


def welcome(cloud: Cloud, known: Known) -> Bearer:
    """Give the holder of such a token, with rows made or renamed where needed; twice changes nothing."""
    try:
        user, project = _rows(cloud, known)
    except IntegrityError:  # another process saw them first at the same moment
        user, project = _rows(cloud, known)
    token = Token(
        digest="",
        audit_id=known.audit_id[:_ID_LENGTH],
        user_id=user.id,
        project_id=project.id if project is not None else None,
        methods=list(known.methods),
        issued_at=known.issued_at,
        expires_at=known.expires_at,
    )
    return Bearer(token=token, user=user, project=project, roles=tuple(sorted(known.roles)), credential=None)


def _rows(cloud: Cloud, known: Known) -> tuple[User, Project | None]:
    with cloud.sessions.begin() as db:
        now = cloud.clock()
        return _user(db, known.user, now), _project(db, known.project, now) if known.project else None


def _user(db: Session, named: Named, now: datetime) -> User:
    row = users.get(db, _local_id(named))
    namesake = users.by_name(db, _short(named))
    name = _name(named, taken=namesake is not None and namesake is not row)
    if row is None:
        row = User(id=_local_id(named), name=name, enabled=True, created_at=now)
        db.add(row)
    elif row.name != name:
        row.name = name
    return row


def _project(db: Session, named: Named, now: datetime) -> Project:
    row = projects.get(db, _local_id(named))
    namesake = projects.by_name(db, _short(named))
    name = _name(named, taken=namesake is not None and namesake is not row)
    if row is None:
        row = Project(id=_local_id(named), name=name, description="", enabled=True, created_at=now)
        db.add(row)
    elif row.name != name:
        row.name = name
    return row


def _local_id(named: Named) -> str:
    # ids of users that come from a directory are longer than those that fit
    return named.id if len(named.id) <= _ID_LENGTH else hashlib.sha256(named.id.encode()).hexdigest()[:_ID_LENGTH]


def _short(named: Named) -> str:
    return named.name[:_NAME_LENGTH]


def _name(named: Named, *, taken: bool) -> str:
    """Give the name; another domain may have somebody of the same one, who then keeps it."""
    if not taken:
        return _short(named)
    return f"{named.name[: _NAME_LENGTH - _ID_LENGTH - 1]} {_local_id(named)}"
