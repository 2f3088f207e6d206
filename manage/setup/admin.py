"""The first admin, and the clouds.yaml by which OpenStack's clients are that admin."""

from __future__ import annotations

import secrets
from pathlib import Path

from cloud import accounts
from common import clouds
from common.errors import Conflict
from db.users import Role
from manage.context import Context
from manage.setup.step import Found, Step

CLOUDS = Path("~/.config/openstack/clouds.yaml")
_NAME = "admin"
_CLOUD = "syros"


def step(context: Context, path: Path, auth_url: str) -> Step:
    """Make the user, if there is no admin at all, and write a clouds.yaml; one that is there is left alone."""

    def look() -> Found:
        admins = {user for user, _, role in accounts.all_assignments(context.cloud) if role is Role.ADMIN}
        return Found(well=bool(admins), detail=f"{len(admins)} with the role" if admins else "there is none")

    def make() -> str:
        password = secrets.token_hex(12)
        try:
            accounts.add_project(context.cloud, _NAME, description="the operators' own")
        except Conflict:
            pass
        try:
            accounts.add_user(context.cloud, _NAME, password=password, default_project=_NAME)
        except Conflict:
            accounts.set_password(context.cloud, _NAME, password)
        accounts.grant(context.cloud, user=_NAME, project=_NAME, role=Role.ADMIN)
        login = clouds.Login(cloud=_CLOUD, user=_NAME, project=_NAME, password=password)
        file = path.expanduser()
        if file.exists():
            file = file.with_name("clouds.syros.yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        clouds.write(file, auth_url=auth_url, logins=(login,))
        return f"made {_NAME}, whose password is in {file}"

    return Step("admin", look, make)
