"""The broker: on this machine's RabbitMQ, unless its URL is told."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from common import bus, config, private_file
from manage import finding
from manage.context import Context
from manage.finding import Finding
from manage.setup import rabbitmqctl
from manage.setup.secret_files import SecretFiles
from manage.setup.step import Step, Undone

NAME = "bus-url"
_USER = "syros"
#: whom rabbitmqctl becomes
_SYSTEM_USER = "rabbitmq"
_READ = f"[bus] needs `url_file`, the path of {NAME}"
_AGAIN = "`syros-manage setup`, or on the broker's host "
_REMEDIES = {
    bus.Fault.UNREACHABLE: "have it run (`systemctl start rabbitmq-server`), or mend its URL, or a firewall",
    bus.Fault.UNTRUSTED: "set [bus] ca_file to the CA of the broker's certificate",
    bus.Fault.LOGIN: f"{_AGAIN}`rabbitmqctl change_password {_USER}` with the password of {NAME}",
    bus.Fault.VHOST: f"{_AGAIN}`rabbitmqctl add_vhost {_USER}` and `set_permissions`",
    bus.Fault.PERMISSION: f"{_AGAIN}`rabbitmqctl set_permissions -p {_USER} {_USER} '.*' '.*' '.*'`",
}
_LOCAL = ("127.0.0.1", "::1", "localhost")


def step(context: Context, files: SecretFiles, url: str | None) -> Step:
    """Write the URL that is told; without one, make a user and a virtual host here, or mend what they lack."""

    def look() -> Finding:
        fault = files.fault_of_url(NAME, url)
        if fault is not None:
            return finding.wrong("broker", fault, "`syros-manage setup` makes it so")
        known = files.read(NAME) or ""
        shown = _shown(known)
        try:
            trouble = _trouble(context, known)
        except Undone as err:
            return finding.wrong("broker", str(err), err.remedy)
        if trouble is None:
            return finding.well("broker", shown)
        return finding.wrong("broker", f"{shown}: {_said(trouble)}", _REMEDIES[trouble.fault])

    def make() -> str:
        known = files.read(NAME)
        _parsed(url or known or "")
        if url is not None:
            files.write(NAME, url)
            _verify(context, files)
            return f"wrote {files.folder / NAME}"
        if known is not None and not is_here(known):
            _verify(context, files)
            return f"{_shown(known)} answers again"
        wanted = _ours(known)
        _import(wanted)
        if known is None:
            files.write(NAME, wanted.url)
        _verify(context, files)
        return f"made user {wanted.user} and virtual host {wanted.vhost}"

    return Step("broker", look, make)


class Account:
    """A user, with its password, and the virtual host, as a URL has them."""

    def __init__(self, url: str) -> None:
        parts = _parsed(url)
        self.url = url
        self.user = unquote(parts.username or "guest")
        self.password = unquote(parts.password or "guest")
        self.vhost = unquote(parts.path.removeprefix("/")) or "/"


def is_here(url: str) -> bool:
    """Tell whether the broker is on this machine."""
    return _parsed(url).hostname in _LOCAL


def _ours(known: str | None) -> Account:
    password = secrets.token_hex(24)
    return Account(known or f"amqp://{_USER}:{quote(password)}@127.0.0.1/{_USER}")


def _verify(context: Context, files: SecretFiles) -> None:
    """Raise Undone unless the broker that programs will use is the one that is meant, and well."""
    trouble = _trouble(context, files.read(NAME))
    if trouble is not None:
        raise Undone(_said(trouble), _REMEDIES[trouble.fault])


def _trouble(context: Context, meant: str | None) -> bus.Trouble | None:
    """Tell what is wrong with the broker that is meant; raises Undone if it is not the one that programs will use."""
    try:
        if context.config.section("bus", config.Bus).url != meant:
            raise Undone(f"the configuration's [bus] has another URL than {NAME}", _READ)
        return context.bus.trouble()
    except config.ConfigError as err:
        raise Undone(str(err), _READ) from err


def _said(trouble: bus.Trouble) -> str:
    return f"{trouble.fault.value} ({trouble.words})"


def _parsed(url: str) -> SplitResult:
    """Raise Undone for what is no URL, without telling what it is: it has a password."""
    try:
        return urlsplit(url)
    except ValueError as err:
        raise Undone(f"{NAME} is no URL", "write a password's signs as a URL has them, `[` as %5B") from err


def _shown(url: str) -> str:
    parts = _parsed(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


def _import(wanted: Account) -> None:
    """Have the broker make what is not there, with the password that is wanted; raises Undone.

    By a file that the broker's user alone can read: the process list is everybody's, and rabbitmqctl reads nothing from
    its standard input since RabbitMQ 3.13.
    """
    every = {"configure": ".*", "write": ".*", "read": ".*"}
    definitions = {
        "users": [{"name": wanted.user, "password": wanted.password, "tags": _tags(wanted.user)}],
        "vhosts": [{"name": wanted.vhost}],
        "permissions": [{"user": wanted.user, "vhost": wanted.vhost, **every}],
    }
    with tempfile.TemporaryDirectory(prefix="syros-setup-") as folder:
        file = Path(folder) / "definitions.json"
        private_file.write(file, json.dumps(definitions))
        for path in (file, Path(folder)):
            _give(path)
        rabbitmqctl.run("import_definitions", str(file))


def _tags(user: str) -> list[str]:
    """Give those that the user has: one that is there from an earlier try has a password that nobody knows."""
    users = rabbitmqctl.listed("list_users", fields=("user", "tags"))
    return next((list(each["tags"]) for each in users if each["user"] == user), [])


def _give(path: Path) -> None:
    try:
        shutil.chown(path, user=_SYSTEM_USER)
    except LookupError as err:
        raise Undone(f"there is no user {_SYSTEM_USER} on this machine", rabbitmqctl.REMEDY) from err
