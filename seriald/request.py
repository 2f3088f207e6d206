"""What may be asked of seriald: `GET /v1/log/NAME?length=LINES`, and `GET /v1/console/NAME` with an upgrade."""

from __future__ import annotations

import hmac
import http
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

#: what a connection becomes, raw bytes of a serial port both ways: RFC 9110 section 7.8
UPGRADE = "syros-serial"

_PATH = re.compile(r"/v1/(log|console)/([A-Za-z0-9][A-Za-z0-9._-]{0,199})")
_LENGTH = re.compile(r"[0-9]{1,9}")


class Refused(Exception):
    """A request is answered by this status, these headers, and the message if there is one."""

    def __init__(self, status: http.HTTPStatus, message: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


@dataclass(frozen=True)
class Log:
    """What a guest has printed."""

    guest: str
    #: as Nova counts them, from the end; None for all that is kept
    lines: int | None


@dataclass(frozen=True)
class Console:
    """A guest's serial port."""

    guest: str


@dataclass(frozen=True)
class _Head:
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)

    def lists(self, name: str, value: str) -> bool:
        """Tell whether a value is among those of a header; RFC 9110 section 5.6.1."""
        return value in {each.strip().lower() for each in self.headers.get(name, "").split(",")}


def read(head: bytes, *, token: bytes) -> Log | Console:
    """Understand a request by its head, up to the empty line. Raises Refused."""
    asked = _head(head)
    scheme, _, shown = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode("latin-1"), token):
        raise Refused(http.HTTPStatus.UNAUTHORIZED)
    if asked.method != "GET":
        raise Refused(http.HTTPStatus.METHOD_NOT_ALLOWED)
    path, _, query = asked.target.partition("?")
    found = _PATH.fullmatch(path)
    if found is None:
        raise Refused(http.HTTPStatus.NOT_FOUND)
    if found[1] == "log":
        length = parse_qs(query).get("length", [""])[-1]
        if length and not _LENGTH.fullmatch(length):
            raise Refused(http.HTTPStatus.BAD_REQUEST)
        return Log(found[2], int(length) if length else None)
    if not (asked.lists("connection", "upgrade") and asked.lists("upgrade", UPGRADE)):
        # RFC 9110 section 15.5.22
        raise Refused(http.HTTPStatus.UPGRADE_REQUIRED, Connection="Upgrade, close", Upgrade=UPGRADE)
    return Console(found[2])


def _head(head: bytes) -> _Head:
    request, *lines = head.decode("latin-1").split("\r\n")
    words = request.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Refused(http.HTTPStatus.BAD_REQUEST)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return _Head(words[0], words[1], headers)
