"""What an operator may decide about a Keystone that is used instead of the identity service of our own."""

from __future__ import annotations

from dataclasses import dataclass

from common import config


@dataclass(frozen=True)
class KeystoneSettings:
    """The Keystone that tokens come from, when `identity` of [api] is `keystone`."""

    auth_url: str = config.setting("", "URL of its version 3, such as https://keystone.example:5000/v3")
    username: str = config.setting("syros", "service user, who may validate tokens")
    password: str = config.setting("", "the service user's password", secret=True)
    user_domain: str = config.setting("Default", "name of the service user's domain")
    project: str = config.setting("service", "project that the service user logs in to")
    project_domain: str = config.setting("Default", "name of that project's domain")
    ca_file: str = config.setting("", "CA certificate to verify it against; empty for the system's")
    timeout: float = config.setting(10.0, "seconds that a call to it may take")
    cache_seconds: float = config.setting(
        30.0, "seconds for which its word on a token counts, also after it is revoked"
    )
    admin_roles: tuple[str, ...] = config.setting(("admin",), "its roles that are admin here")
    member_roles: tuple[str, ...] = config.setting(("member",), "its roles that are member here")
    reader_roles: tuple[str, ...] = config.setting(("reader",), "its roles that are reader here")
