"""Application credentials: how a program logs in for its user, to one project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cloud import auth, passwords, policy
from cloud.context import Cloud
from common.errors import Conflict, Forbidden, Invalid, NotFound
from db import users
from db.users import ApplicationCredential, Role


@dataclass(frozen=True)
class CredentialSpec:
    """A new application credential; without a secret one is made."""

    name: str
    secret: str | None = field(default=None, repr=False)
    roles: tuple[Role, ...] | None = None
    description: str = ""
    expires_at: datetime | None = None
    unrestricted: bool = False


def add(
    cloud: Cloud, *, user_id: str, project_id: str, held: Sequence[Role], spec: CredentialSpec
) -> tuple[ApplicationCredential, str]:
    """Make an application credential for a user in a project; gives it with its secret, which is shown only now.

    `held` are the caller's own roles: a credential can have those and what they imply.
    Raises Invalid, Forbidden or Conflict.
    """
    roles = spec.roles if spec.roles is not None else tuple(held)
    beyond = [role for role in roles if role not in policy.implied(held)]
    if beyond:
        raise Forbidden(f"roles: {', '.join(beyond)} can't be given on by who does not have them")
    if not roles:
        raise Invalid("roles: at least one is needed")
    if spec.expires_at is not None and spec.expires_at <= cloud.clock():
        raise Invalid("expires_at: this time has passed")
    if not spec.name or len(spec.name) > 255:
        raise Invalid("name: 1 to 255 characters are needed")
    secret = spec.secret or auth.new_secret()
    hashed = passwords.hash_password(secret)
    with cloud.sessions.begin() as db:
        if users.credential_by_name(db, user_id, spec.name) is not None:
            raise Conflict(f"there is an application credential {spec.name} already")
        credential = ApplicationCredential(
            id=auth.new_credential_id(),
            name=spec.name,
            user_id=user_id,
            project_id=project_id,
            secret_hash=hashed,
            roles=list(roles),
            description=spec.description,
            unrestricted=spec.unrestricted,
            expires_at=spec.expires_at,
            created_at=cloud.clock(),
        )
        db.add(credential)
    return credential, secret


def of_user(cloud: Cloud, user_id: str) -> Sequence[ApplicationCredential]:
    """List a user's application credentials by name."""
    with cloud.sessions.read() as db:
        return users.credentials_of(db, user_id)


def get(cloud: Cloud, user_id: str, credential_id: str) -> ApplicationCredential:
    """Give a user's application credential by id; raises NotFound for anybody else's."""
    with cloud.sessions.read() as db:
        row = users.credential(db, credential_id)
    if row is None or row.user_id != user_id:
        raise NotFound(f"there is no application credential {credential_id}")
    return row


def remove(cloud: Cloud, user_id: str, credential_id: str) -> None:
    """End an application credential, and every token made by it."""
    row = get(cloud, user_id, credential_id)
    with cloud.sessions.begin() as db:
        found = users.credential(db, row.id)
        if found is not None:
            db.delete(found)
