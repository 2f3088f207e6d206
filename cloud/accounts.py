"""Users, projects and roles, as operators and admins keep them.

Whatever would leave nobody who is an admin is refused.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cloud import passwords
from cloud.context import Cloud
from common import names
from common.errors import Conflict, Invalid, NotFound, Unauthorized
from db import belongings, projects, quotas, security_groups, tokens, users
from db.projects import Project
from db.users import Assignment, Held, Role, User

_NAME = re.compile(r"\S(.{0,62}\S)?", re.DOTALL)


@dataclass(frozen=True)
class UserChange:
    """What is to change about a user; None leaves a thing as it is, an empty text takes it away."""

    name: str | None = None
    password: str | None = field(default=None, repr=False)
    email: str | None = None
    default_project: str | None = None
    description: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True)
class ProjectChange:
    """What is to change about a project; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None
    enabled: bool | None = None


def add_project(cloud: Cloud, name: str, *, description: str = "", enabled: bool = True) -> Project:
    """Add a project; raises Invalid or Conflict."""
    _check_name("project", name)
    with _once("project", name), cloud.sessions.begin() as db:
        if projects.by_name(db, name) is not None:
            raise Conflict(f"there is a project {name} already")
        project = Project(
            id=names.new_hex_id(), name=name, description=description, enabled=enabled, created_at=cloud.clock()
        )
        db.add(project)
    return project


def update_project(cloud: Cloud, project: str, change: ProjectChange) -> Project:
    """Change a project; closing it ends its tokens at once, its servers keep running.

    Raises NotFound, Invalid, or Conflict for a name that is taken or for the last admin's project.
    """
    if change.name is not None:
        _check_name("project", change.name)
    with _once("project", change.name), cloud.sessions.begin() as db, _keeping_an_admin(db):
        row = _project(db, project)
        if change.name is not None:
            row.name = change.name
        if change.description is not None:
            row.description = change.description
        if change.enabled is not None:
            row.enabled = change.enabled
        if not row.enabled:
            tokens.revoke_of_project(db, row.id, cloud.clock())
    return row


def remove_project(cloud: Cloud, project: str) -> None:
    """Delete a project with its roles, credentials and tokens; raises NotFound, or Conflict while it owns something."""
    with cloud.sessions.begin() as db, _keeping_an_admin(db):
        row = _project(db, project)
        usages = quotas.lock_usages(db, row.id)  # a create that is under way holds these: it ends first, and is seen
        owned = belongings.of_project(db, row.id)
        if owned:
            raise Conflict(f"project {row.name} still has {' and '.join(owned)}: these have to be deleted first")
        now = cloud.clock()
        for resource in quotas.Resource:
            quotas.set_limit(db, project_id=row.id, resource=resource, value=0)  # for those that wait
        security_groups.remove_all(db, row.id)
        usages[quotas.Resource.SECURITY_GROUPS].used = usages[quotas.Resource.SECURITY_GROUP_RULES].used = 0
        users.forget_project(db, row.id)
        tokens.revoke_of_project(db, row.id, now)
        row.enabled = False
        row.deleted_at = now
        row.name = f"deleted-{row.id}"  # its name is free again


def add_user(
    cloud: Cloud,
    name: str,
    *,
    password: str | None,
    email: str | None = None,
    default_project: str | None = None,
    description: str | None = None,
    enabled: bool = True,
) -> User:
    """Add a user; without a password, one who can't log in by it. The default project is named by id or name.

    Raises Invalid, NotFound or Conflict.
    """
    _check_name("user", name)
    hashed = _hashed(password)
    with _once("user", name), cloud.sessions.begin() as db:
        if users.by_name(db, name) is not None:
            raise Conflict(f"there is a user {name} already")
        project = _project(db, default_project) if default_project else None
        user = User(
            id=names.new_hex_id(),
            name=name,
            email=email or None,
            password_hash=hashed,
            enabled=enabled,
            default_project_id=project.id if project else None,
            description=description or None,
            created_at=cloud.clock(),
        )
        db.add(user)
    return user


def update_user(cloud: Cloud, user: str, change: UserChange) -> User:
    """Change a user; a new password, and being let out, end every token of theirs.

    Raises NotFound, Invalid, or Conflict for a name that is taken or for the last admin.
    """
    if change.name is not None:
        _check_name("user", change.name)
    hashed = _hashed(change.password)
    with _once("user", change.name), cloud.sessions.begin() as db, _keeping_an_admin(db):
        row = _user(db, user)
        if change.name is not None:
            row.name = change.name
        if change.email is not None:
            row.email = change.email or None
        if change.description is not None:
            row.description = change.description or None
        if change.default_project is not None:
            row.default_project_id = _project(db, change.default_project).id if change.default_project else None
        if change.enabled is not None:
            row.enabled = change.enabled
        if hashed is not None:
            row.password_hash = hashed
        if hashed is not None or not row.enabled:
            tokens.revoke_of_user(db, row.id, cloud.clock())
    return row


def remove_user(cloud: Cloud, user: str) -> None:
    """Delete a user with their roles, keypairs, credentials and tokens; the servers they made stay with the project.

    Raises NotFound, or Conflict for the last admin.
    """
    with cloud.sessions.begin() as db, _keeping_an_admin(db):
        db.delete(_user(db, user))


def set_password(cloud: Cloud, user: str, password: str) -> None:
    """Change a user's password, and end every token of theirs."""
    update_user(cloud, user, UserChange(password=password))


def change_password(cloud: Cloud, user_id: str, *, original: str, password: str) -> None:
    """Change one's own password, and end every token of one's own; raises Unauthorized, Invalid or NotFound."""
    row = user(cloud, user_id)
    if not passwords.matches(row.password_hash, original):
        raise Unauthorized("the original password is wrong")
    set_password(cloud, row.id, password)


def set_user_enabled(cloud: Cloud, user: str, *, enabled: bool) -> User:
    """Let a user in, or out. Who is let out has no token left, also not when let in again."""
    return update_user(cloud, user, UserChange(enabled=enabled))


def set_project_enabled(cloud: Cloud, project: str, *, enabled: bool) -> Project:
    """Open or close a project."""
    return update_project(cloud, project, ProjectChange(enabled=enabled))


def grant(cloud: Cloud, *, user: str, project: str, role: Role) -> None:
    """Give a user a role in a project; a second time changes nothing."""
    with cloud.sessions.begin() as db:
        user_row, project_row = _user(db, user), _project(db, project)
        if role not in users.roles_in(db, user_row.id, project_row.id):
            db.add(Assignment(user_id=user_row.id, project_id=project_row.id, role=role))


def withdraw(cloud: Cloud, *, user: str, project: str, role: Role) -> None:
    """Take a role back; raises NotFound if the user has it not, Conflict for the last admin."""
    with cloud.sessions.begin() as db, _keeping_an_admin(db):
        user_row, project_row = _user(db, user), _project(db, project)
        assignment = db.get(Assignment, (user_row.id, project_row.id, role))
        if assignment is None:
            raise NotFound(f"user {user} has no role {role} in project {project}")
        db.delete(assignment)


def user(cloud: Cloud, name_or_id: str) -> User:
    """Give a user by id or name; raises NotFound."""
    with cloud.sessions.read() as db:
        return _user(db, name_or_id)


def user_by_id(cloud: Cloud, user_id: str) -> User:
    """Give a user by id alone; raises NotFound."""
    with cloud.sessions.read() as db:
        row = users.get(db, user_id)
    if row is None:
        raise NotFound(f"there is no user {user_id}")
    return row


def project_by_id(cloud: Cloud, project_id: str) -> Project:
    """Give a project by id alone; raises NotFound."""
    with cloud.sessions.read() as db:
        row = projects.get(db, project_id)
    if row is None:
        raise NotFound(f"there is no project {project_id}")
    return row


def project(cloud: Cloud, name_or_id: str) -> Project:
    """Give a project by id or name; raises NotFound."""
    with cloud.sessions.read() as db:
        return _project(db, name_or_id)


def all_users(cloud: Cloud) -> Sequence[User]:
    with cloud.sessions.read() as db:
        return users.all_users(db)


def all_projects(cloud: Cloud) -> Sequence[Project]:
    with cloud.sessions.read() as db:
        return projects.all_projects(db)


def all_assignments(cloud: Cloud) -> Sequence[tuple[str, str, Role]]:
    """List every (user id, project id, role)."""
    with cloud.sessions.read() as db:
        return users.all_assignments(db)


def held(
    cloud: Cloud, *, user_id: str | None = None, project_id: str | None = None, role: Role | None = None
) -> Sequence[Held]:
    """List who has which role where; None leaves out a condition."""
    with cloud.sessions.read() as db:
        return users.held(db, user_id=user_id, project_id=project_id, role=role)


def page_of_users(cloud: Cloud, wanted: users.Filter, *, limit: int, marker: str | None = None) -> Sequence[User]:
    """List users by name, after the one with the id `marker`; raises Invalid if there is none."""
    with cloud.sessions.read() as db:
        after = users.get(db, marker) if marker is not None else None
        if marker is not None and after is None:
            raise Invalid(f"marker: there is no user {marker}")
        return users.page(db, wanted, limit=limit, after=after)


def page_of_projects(
    cloud: Cloud, wanted: projects.Filter, *, limit: int, marker: str | None = None
) -> Sequence[Project]:
    """List projects by name, after the one with the id `marker`; raises Invalid if there is none."""
    with cloud.sessions.read() as db:
        after = projects.get(db, marker) if marker is not None else None
        if marker is not None and after is None:
            raise Invalid(f"marker: there is no project {marker}")
        return projects.page(db, wanted, limit=limit, after=after)


@contextlib.contextmanager
def _keeping_an_admin(db: Session) -> Iterator[None]:
    """Raise Conflict if what happens inside leaves nobody who is an admin."""
    before = users.lock_admins(db)
    yield
    db.flush()
    if before and not users.lock_admins(db):
        raise Conflict("this would leave nobody who is an admin")


@contextlib.contextmanager
def _once(what: str, name: str | None) -> Iterator[None]:
    """Say of a name that another transaction gave at the same time that it is taken."""
    try:
        yield
    except IntegrityError as err:
        raise Conflict(f"there is a {what} {name} already") from err


def _user(db: Session, name_or_id: str) -> User:
    row = users.get(db, name_or_id) or users.by_name(db, name_or_id)
    if row is None:
        raise NotFound(f"there is no user {name_or_id}")
    return row


def _project(db: Session, name_or_id: str) -> Project:
    row = projects.get(db, name_or_id) or projects.by_name(db, name_or_id)
    if row is None:
        raise NotFound(f"there is no project {name_or_id}")
    return row


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid(f"name: a {what}'s name has 1 to 64 characters and no space at its ends")


def _hashed(password: str | None) -> str | None:
    if password is None:
        return None
    if not 8 <= len(password) <= 512:
        raise Invalid("password: 8 to 512 characters are needed")
    return passwords.hash_password(password)
