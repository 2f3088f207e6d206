"""The first admin, and the clouds.yaml by which OpenStack's clients are that admin."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from cloud import accounts
from common import clouds
from common.errors import Conflict
from db.users import Role
from manage import finding
from manage.context import Context
from manage.finding import Finding
from manage.setup.step import Step

CLOUDS = Path("~/.config/openstack/clouds.yaml")
_NAME = "admin"
_CLOUD = "syros"


def step(context: Context, path: Path, *, auth_url: Callable[[], str], cacert: Callable[[], Path | None]) -> Step:
    """Make the user, if there is no admin at all, and write a clouds.yaml; one that is there is left alone."""

    def look() -> Finding:
        admins = {user for user, _, role in accounts.all_assignments(context.cloud) if role is Role.ADMIN}
        if admins:
            return finding.well("admin", f"{len(admins)} with the role")
        return finding.wrong("admin", "there is none", "`syros-manage setup` makes one, or `syros-manage user add`")

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
        login = clouds.Login(cloud=_CLOUD, user=_NAME, project=_NAME, password=password)
        file = path.expanduser()
        if file.exists():
            file = file.with_name("clouds.syros.yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        url = auth_url()
        clouds.write(file, auth_url=url, logins=(login,), cacert=cacert())
        # last: an admin whose password is nowhere would be one for good
        accounts.grant(context.cloud, user=_NAME, project=_NAME, role=Role.ADMIN)
        return f"made {_NAME}, whose password is in {file}, for {url}"

    return Step("admin", look, make)
