"""The broker: on this machine's RabbitMQ, unless its URL is told."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from manage.setup import tool
from manage.setup.secret_files import SecretFiles
from manage.setup.step import Found, Step

NAME = "bus-url"
_USER = "syros"
_REMEDY = "install RabbitMQ here and have it run, or give --bus-url-file"


def step(files: SecretFiles, url: str | None) -> Step:
    """Write the URL that is told; without one, make a user and a virtual host here."""

    def look() -> Found:
        return files.look_at_url(NAME, url, _shown)

    def make() -> str:
        if url is not None:
            files.write(NAME, url)
            return f"wrote {files.folder / NAME}"
        password = secrets.token_hex(24)
        known = _control("list_users").split()
        # a user that is there from an earlier try has a password that nobody knows
        _control("change_password" if _USER in known else "add_user", _USER, told=password + "\n")
        if _USER not in _control("list_vhosts").split():
            _control("add_vhost", _USER)
        _control("set_permissions", "-p", _USER, _USER, ".*", ".*", ".*")
        files.write(NAME, f"amqp://{_USER}:{password}@127.0.0.1/{_USER}")
        return f"made user and virtual host {_USER}"

    return Step("broker", look, make)


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


def _control(*words: str, told: str = "") -> str:
    return tool.run(["rabbitmqctl", "--quiet", *words], told=told, remedy=_REMEDY)
