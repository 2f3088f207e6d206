"""The RAPI users file, in Ganeti's format: `name password access`, or `name {HA1}digest access`."""

import base64
import binascii
import hashlib
import hmac
import pathlib
from collections.abc import Iterable

from gntsim import settings

REALM = "Ganeti Remote API"


def write(path: pathlib.Path, users: Iterable[settings.User]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o640)
    lines = [f"{user.name} {user.password} {'write' if user.write else 'read'}\n" for user in users]
    path.write_text("".join(lines))


def authenticate(path: pathlib.Path, header: str | None) -> settings.User | None:
    """The user that a request's Authorization header proves, or None; the file is read anew each time."""
    if header is None or not header.startswith("Basic "):
        return None
    try:
        name, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    for line in path.read_text().splitlines():
        fields = line.split()
        if not fields or fields[0].startswith("#") or fields[0] != name or len(fields) < 2:
            continue
        if not _matches(name, password, fields[1]):
            return None
        return settings.User(name, password, write="write" in ",".join(fields[2:]).split(","))
    return None


def _matches(name: str, password: str, stored: str) -> bool:
    expected = stored
    given = password
    if stored.lower().startswith("{ha1}"):
        expected = stored[5:].lower()
        # Ganeti's own format is HTTP digest's HA1.
        given = hashlib.md5(f"{name}:{REALM}:{password}".encode()).hexdigest()  # noqa: S324
    elif stored.lower().startswith("{cleartext}"):
        expected = stored[11:]
    return hmac.compare_digest(given.encode(), expected.encode())
