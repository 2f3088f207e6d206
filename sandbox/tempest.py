"""The accounts for OpenStack's test suite tempest, which makes none itself when it is told to use what there is.

tempest locks an account while a test class has it. Two workers want two projects each, for what one tenant may not see
of another, in each project somebody who may change things and somebody who may only look, and an admin each.
"""

from __future__ import annotations

import contextlib
import json
import secrets as random
from dataclasses import dataclass
from pathlib import Path

from cloud import accounts
from cloud.accounts import UserChange
from cloud.context import Cloud
from common import private_file
from common.errors import Conflict
from db.users import Role

_TENANTS = tuple(f"tempest-{number}" for number in range(1, 5))
_ADMINS = ("tempest-5", "tempest-6")
#: members come first: tempest takes the first that is free for a second tenant, whatever its role
_PLACES = (
    *((project, Role.MEMBER) for project in _TENANTS),
    *((project, Role.READER) for project in _TENANTS),
    *((project, Role.ADMIN) for project in _ADMINS),
)
_ENTRY = "- "


@dataclass(frozen=True)
class Account:
    """A user with one role in one project."""

    user: str
    project: str
    role: Role
    password: str


def seed(cloud: Cloud, path: Path) -> None:
    """Make what is missing of projects, users and passwords, and write the file that tempest reads.

    The file is where the passwords are kept; who isn't in it gets a new one.
    """
    kept = _kept(path)
    present = {user.name for user in accounts.all_users(cloud)}
    made = [
        Account(user=name, project=project, role=role, password=kept.get(name) or random.token_hex(8))
        for project, role in _PLACES
        for name in (f"{project}-{role}",)
    ]
    for account in made:
        with contextlib.suppress(Conflict):
            accounts.add_project(cloud, account.project)
        if account.user not in present:
            accounts.add_user(cloud, account.user, password=account.password, default_project=account.project)
        elif account.user not in kept:
            accounts.update_user(cloud, account.user, UserChange(password=account.password))
        accounts.grant(cloud, user=account.user, project=account.project, role=account.role)
    _write(path, made)


def _kept(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line.removeprefix(_ENTRY)) for line in lines if line.startswith(_ENTRY)]
    return {entry["username"]: entry["password"] for entry in entries}


def _write(path: Path, made: list[Account]) -> None:
    """Write the file; passwords are in it, so only its owner can read it. Each entry is JSON, which is YAML too."""
    lines = ["# for tempest: [auth] use_dynamic_credentials = false, test_accounts_file = this file"]
    for account in made:
        entry: dict[str, object] = {
            "username": account.user,
            "project_name": account.project,
            "password": account.password,
            "roles": [account.role],
        }
        if account.role is Role.ADMIN:
            entry["types"] = ["admin"]
        lines.append(_ENTRY + json.dumps(entry))
    private_file.write(path, "\n".join(lines) + "\n")
