"""What the API and vncauthproxy tell each other of consoles: requests and answers, their JSON and back.

docs/consoles.md is the same, in prose.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from common import hosts

#: of a request and of an answer but a list's, in bytes with its line's end
LONGEST_LINE = 16 * 1024

#: characters of a native viewer's password: as many as VNC authentication looks at
PASSWORD_LENGTH = 8

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})|[0-9A-Fa-f:.]{2,45}")
_FACT = re.compile(r"[\x21-\x7e]{1,255}")
#: as seriald has them
_GUEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PASSWORD = re.compile(r"[\x21-\x7e]{8}")
_TICKET = re.compile(r"[A-Za-z0-9_-]{22,128}")
_LONGEST = 86_400.0

Doc = Mapping[str, object]


class Kind(enum.Enum):
    """How a viewer comes."""

    #: a native client, to a port that is this console's alone, with a password
    VNC = "vnc"
    #: a browser, with a ticket in the URL
    WEBSOCKET = "websocket"


class Protocol(enum.Enum):
    """What a console speaks."""

    #: a screen's, RFC 6143
    RFB = "rfb"
    #: none: the bytes of a serial port, as seriald serves them
    SERIAL = "serial"


class BadField(ValueError):
    """A request can't be meant."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.field = name
        self.reason = reason


@dataclass(frozen=True)
class Forward:
    """Let one viewer to a console, once."""

    #: where the console listens: the node, and Ganeti's network_port, or seriald's for a serial port
    host: str
    port: int
    kind: Kind
    #: until when the viewer has to have come
    seconds: float
    #: for whom, for the log and the limits
    server: str
    user: str
    project: str
    request_id: str
    view_only: bool = False
    #: whether those who work at this server's console by the same protocol are ended when this viewer comes
    take_over: bool = False
    protocol: Protocol = Protocol.RFB
    #: the instance's name in Ganeti: which serial port it is to be; empty for a screen
    guest: str = ""
    #: what the console asks for, of which eight bytes count, or seriald's token; None if nothing
    console_password: str | None = field(default=None, repr=False)
    #: whether a screen must be reached by TLS; a serial port always is
    tls: bool = False
    #: the name in its certificate; empty for the host
    tls_name: str = ""
    #: what the viewer has to show; None for the proxy to make it up
    secret: str | None = field(default=None, repr=False)

    @property
    def console(self) -> str:
        """Where the console listens, in one text."""
        return f"{hosts.bracketed(self.host)}:{self.port}"


@dataclass(frozen=True)
class Granted:
    """A viewer may come."""

    session: str
    #: a password (VNC), or a ticket (WebSocket)
    secret: str = field(repr=False)
    #: where a native client connects to; empty and 0 for a browser
    host: str
    port: int
    #: where a browser connects to, without the ticket; empty for a native client
    url: str


@dataclass(frozen=True)
class Session:
    """A session as it is listed. Times are ISO 8601; opened_at and viewer are None while a viewer is awaited."""

    session: str
    kind: Kind
    protocol: Protocol
    view_only: bool
    server: str
    user: str
    project: str
    request_id: str
    host: str
    port: int
    viewer: str | None
    granted_at: str
    opened_at: str | None
    #: bytes so far
    shown: int
    typed: int


@dataclass(frozen=True)
class EndedSession(Session):
    """A session that has ended, as it was at its end; `opened_at` is None if its viewer never came."""

    ended_at: str
    reason: str


@dataclass(frozen=True)
class History:
    """Some of the sessions that have ended, in the order of their ends."""

    #: the process that remembers: with another one all that is not in its list or its history has ended
    boot: str
    #: what to ask `after` next
    next: int
    #: how many that ended after what was asked for are forgotten already
    lost: int
    #: as many as go into one answer; none if there are no more
    sessions: list[EndedSession]


def forward(doc: Doc) -> Forward:
    """Read a request to forward; raises BadField."""
    values: dict[str, object] = {}
    for each in dataclasses.fields(Forward):
        if each.name in doc:
            values[each.name] = _READERS[each.name](each.name, doc[each.name])
        elif each.default is dataclasses.MISSING:
            raise BadField(each.name, "missing")
    for name in doc:
        if name not in _READERS:
            raise BadField(name, "unknown")
    read = Forward(**values)  # type: ignore[arg-type]  # each by its reader
    if read.secret is not None:
        form, what = _SECRETS[read.kind]
        if not form.fullmatch(read.secret):
            raise BadField("secret", what)
    if read.take_over and read.view_only:
        raise BadField("take_over", "who may only watch takes nothing over")
    if read.protocol is Protocol.SERIAL:
        if read.kind is not Kind.WEBSOCKET:
            raise BadField("kind", "a serial port is shown by websocket only")
        if not read.guest:
            raise BadField("guest", "missing: it says which serial port")
    return read


def document(request: Forward) -> dict[str, object]:
    """Give the request as it is sent."""
    return {name: value for name, value in _plain(request).items() if value is not None}


def granted(doc: Doc) -> Granted:
    """Read the answer; raises KeyError, TypeError."""
    return Granted(**{each.name: doc[each.name] for each in dataclasses.fields(Granted)})  # type: ignore[arg-type]


def session(doc: Doc) -> Session:
    """Read a listed session; raises KeyError, TypeError, ValueError."""
    return Session(**_listed(doc, Session))  # type: ignore[arg-type]  # our own proxy's


def history(doc: Doc) -> History:
    """Read a history; raises KeyError, TypeError, ValueError."""
    ended = doc["sessions"]
    if not isinstance(ended, list):
        raise TypeError("no list of sessions")
    sessions = [EndedSession(**_listed(each, EndedSession)) for each in ended]  # type: ignore[arg-type]
    return History(boot=str(doc["boot"]), next=_count(doc["next"]), lost=_count(doc["lost"]), sessions=sessions)


def answer(what: Granted | Session) -> dict[str, object]:
    """Give an answer's document."""
    return _plain(what)


def line(doc: Doc) -> bytes:
    """Give a document as a line."""
    return orjson.dumps(doc) + b"\n"


def _plain(what: Forward | Granted | Session) -> dict[str, object]:
    values = {each.name: getattr(what, each.name) for each in dataclasses.fields(what)}
    return {name: value.value if isinstance(value, enum.Enum) else value for name, value in values.items()}


def _listed(doc: Doc, form: type[Session]) -> dict[str, object]:
    values = {each.name: doc[each.name] for each in dataclasses.fields(form)}
    return {**values, "kind": Kind(values["kind"]), "protocol": Protocol(values["protocol"])}


def _count(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a number is expected")
    return value


def _host(name: str, value: object) -> str:
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise BadField(name, "a host's name or address is expected")
    return value


def _port(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise BadField(name, "a port is expected, 1 to 65535")
    return value


def _kind(name: str, value: object) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        raise BadField(name, f"one of {', '.join(kind.value for kind in Kind)} is expected") from None


def _protocol(name: str, value: object) -> Protocol:
    try:
        return Protocol(value)
    except ValueError:
        raise BadField(name, f"one of {', '.join(each.value for each in Protocol)} is expected") from None


def _guest(name: str, value: object) -> str:
    if not isinstance(value, str) or (value and not _GUEST.fullmatch(value)):
        raise BadField(name, "an instance's name in Ganeti is expected")
    return value


def _seconds(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 1 <= value <= _LONGEST:
        raise BadField(name, f"seconds are expected, 1 to {_LONGEST:.0f}")
    return float(value)


def _fact(name: str, value: object) -> str:
    if not isinstance(value, str) or not _FACT.fullmatch(value):
        raise BadField(name, "1 to 255 printable ASCII characters without spaces are expected")
    return value


def _bool(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadField(name, "true or false is expected")
    return value


def _console_password(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or not value.isascii() or "\0" in value:
        raise BadField(name, "1 to 255 ASCII characters are expected")
    return value


def _name(name: str, value: object) -> str:
    return "" if value == "" else _host(name, value)


def _secret(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadField(name, "a text is expected")
    return value


_READERS: dict[str, Callable[[str, object], object]] = {
    "host": _host,
    "port": _port,
    "kind": _kind,
    "seconds": _seconds,
    "server": _fact,
    "user": _fact,
    "project": _fact,
    "request_id": _fact,
    "view_only": _bool,
    "take_over": _bool,
    "protocol": _protocol,
    "guest": _guest,
    "console_password": _console_password,
    "tls": _bool,
    "tls_name": _name,
    "secret": _secret,
}
_SECRETS = {
    Kind.VNC: (_PASSWORD, f"{PASSWORD_LENGTH} printable ASCII characters are expected"),
    Kind.WEBSOCKET: (_TICKET, "22 to 128 letters, digits, - and _ are expected"),
}
