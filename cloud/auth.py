"""Logging in and what a token stands for. Tokens are random text, of which only the digest is kept."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cloud import passwords, policy
from cloud.context import Caller, Cloud
from common import names
from common.errors import Unauthorized
from db import projects, tokens, users
from db.tokens import Bearer, Token

_WRONG = "the user, the password or the project is wrong"


@dataclass(frozen=True)
class Scope:
    """The project that a login asks for: by id, by name, or none; `default` falls back to the user's own."""

    project_id: str | None = None
    project_name: str | None = None
    unscoped: bool = False


@dataclass(frozen=True)
class Login:
    """A fresh token's text, shown once, and what it stands for."""

    text: str = field(repr=False)
    bearer: Bearer


def by_password(
    cloud: Cloud, *, password: str, scope: Scope, user_id: str | None = None, user_name: str | None = None
) -> Login:
    """Log in by password; raises Unauthorized, with one text whatever was wrong."""
    with cloud.sessions.read() as db:
        user = users.get(db, user_id) if user_id else users.by_name(db, user_name or "")
        stored = user.password_hash if user is not None else None
    # hashing takes tens of milliseconds: no transaction is open meanwhile
    if not passwords.matches(stored, password) or user is None:
        raise Unauthorized(_WRONG)
    with cloud.sessions.begin() as db:
        return _issue(db, cloud, user_id=user.id, scope=scope, methods=["password"])


def by_token(cloud: Cloud, text: str, scope: Scope) -> Login:
    """Exchange a token for one of another scope, which expires no later; raises Unauthorized."""
    old = validate(cloud, text)
    if old.credential is not None:
        raise Unauthorized("a token from an application credential can't be exchanged")
    methods = sorted({*old.token.methods, "token"})
    with cloud.sessions.begin() as db:
        return _issue(db, cloud, user_id=old.user.id, scope=scope, methods=methods, expires_at=old.token.expires_at)


def by_credential(
    cloud: Cloud,
    *,
    secret: str,
    credential_id: str | None = None,
    name: str | None = None,
    user_id: str | None = None,
    user_name: str | None = None,
) -> Login:
    """Log in by an application credential, named by id, or by name and user; raises Unauthorized."""
    with cloud.sessions.read() as db:
        credential = None
        if credential_id:
            credential = users.credential(db, credential_id)
        elif name:
            owner = users.get(db, user_id) if user_id else users.by_name(db, user_name or "")
            credential = users.credential_by_name(db, owner.id, name) if owner else None
    stored = credential.secret_hash if credential is not None else None
    if not passwords.matches(stored, secret) or credential is None:
        raise Unauthorized("the application credential or its secret is wrong")
    now = cloud.clock()
    if credential.expires_at is not None and credential.expires_at <= now:
        raise Unauthorized("the application credential has expired")
    with cloud.sessions.begin() as db:
        return _issue(
            db,
            cloud,
            user_id=credential.user_id,
            scope=Scope(project_id=credential.project_id),
            methods=["application_credential"],
            expires_at=credential.expires_at,
            credential_id=credential.id,
        )


def validate(cloud: Cloud, text: str) -> Bearer:
    """Give what a token stands for, as of now; raises Unauthorized. One statement."""
    with cloud.sessions.read() as db:
        bearer = tokens.bearer(db, _digest(text))
    return _living(bearer, cloud.clock())


def revoke(cloud: Cloud, text: str) -> None:
    """End a token; one that is unknown or ended already is no error."""
    with cloud.sessions.begin() as db:
        tokens.revoke(db, _digest(text), cloud.clock())


def projects_of(cloud: Cloud, user_id: str) -> list[projects.Project]:
    """List the projects that a user may scope a token to."""
    with cloud.sessions.read() as db:
        return list(users.projects_of(db, user_id))


def caller(bearer: Bearer, request_id: str) -> Caller:
    """Make the caller of an operation; raises Unauthorized for a token without a project."""
    if bearer.project is None:
        raise Unauthorized("the token is not scoped to a project")
    return Caller(
        user_id=bearer.user.id,
        user_name=bearer.user.name,
        project_id=bearer.project.id,
        project_name=bearer.project.name,
        roles=effective_roles(bearer),
        request_id=request_id,
    )


def effective_roles(bearer: Bearer) -> tuple[users.Role, ...]:
    """Give the roles that count: a credential's own, as far as its user still has them or what implies them."""
    if bearer.credential is None:
        return bearer.roles
    held = policy.implied(bearer.roles)
    return tuple(role for role in sorted(held) if role in bearer.credential.roles)


def _issue(
    db: Session,
    cloud: Cloud,
    *,
    user_id: str,
    scope: Scope,
    methods: list[str],
    expires_at: datetime | None = None,
    credential_id: str | None = None,
) -> Login:
    user = users.get(db, user_id)
    if user is None or not user.enabled:
        raise Unauthorized(_WRONG)
    project = _project(db, user, scope)
    now = cloud.clock()
    latest = now + timedelta(hours=cloud.settings.token_hours)
    text = secrets.token_urlsafe(32)
    db.add(
        Token(
            digest=_digest(text),
            audit_id=base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("="),
            user_id=user.id,
            project_id=project.id if project else None,
            credential_id=credential_id,
            methods=methods,
            issued_at=now,
            expires_at=min(latest, expires_at) if expires_at else latest,
        )
    )
    db.flush()
    return Login(text=text, bearer=_living(tokens.bearer(db, _digest(text)), now))


def _project(db: Session, user: users.User, scope: Scope) -> projects.Project | None:
    if scope.unscoped:
        return None
    if scope.project_id is not None:
        project = projects.get(db, scope.project_id)
    elif scope.project_name is not None:
        project = projects.by_name(db, scope.project_name)
    elif user.default_project_id is not None:
        project = projects.get(db, user.default_project_id)
    else:
        return None
    if project is None or not project.enabled or not users.roles_in(db, user.id, project.id):
        raise Unauthorized(_WRONG)
    return project


def _living(bearer: Bearer | None, now: datetime) -> Bearer:
    if bearer is None or bearer.token.revoked_at is not None or bearer.token.expires_at <= now:
        raise Unauthorized("the token is unknown, revoked or expired")
    if not bearer.user.enabled:
        raise Unauthorized("the user is disabled")
    if bearer.token.project_id is not None and (
        bearer.project is None or not bearer.project.enabled or not effective_roles(bearer)
    ):
        raise Unauthorized("the token's project is disabled, or the user has no role in it any more")
    if bearer.token.credential_id is not None and bearer.credential is None:
        raise Unauthorized("the application credential is gone")
    return bearer


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def new_secret() -> str:
    """Make an application credential's secret, or a password."""
    # hex: no command line takes it for an option
    return secrets.token_hex(24)


def new_credential_id() -> str:
    return names.new_hex_id()
