"""clouds.yaml: how OpenStack's clients find the cloud and log in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from common import private_file


@dataclass(frozen=True)
class Login:
    """A name in clouds.yaml, with its user, project and password."""

    cloud: str
    user: str
    project: str
    password: str


def write(path: Path, *, auth_url: str, logins: tuple[Login, ...], cacert: Path | None = None) -> None:
    """Write the file; passwords are in it, so only its owner can read it. `cacert`: what clients have to trust.

    Each text is quoted as JSON, which is YAML too.
    """
    lines = ["clouds:"]
    for login in logins:
        lines += [
            f"  {login.cloud}:",
            "    auth:",
            f"      auth_url: {json.dumps(auth_url)}",
            f"      username: {json.dumps(login.user)}",
            f"      password: {json.dumps(login.password)}",
            f"      project_name: {json.dumps(login.project)}",
            "      user_domain_name: Default",
            "      project_domain_name: Default",
            "    region_name: RegionOne",
            "    identity_api_version: 3",
        ]
        if cacert is not None:
            lines.append(f"    cacert: {json.dumps(str(cacert))}")
    private_file.write(path, "\n".join(lines) + "\n")
