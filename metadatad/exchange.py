"""One HTTP exchange with a guest: bytes in, a path or a refusal, and bytes out (RFC 9112). No sockets here.

Of what a guest says, only the method and the path count: headers of its making go nowhere, and each connection ends
with its one answer.
"""

from __future__ import annotations

import http
import re
from dataclasses import dataclass

import h11

RETRY_AFTER = 5
TEXT = "text/plain; charset=utf-8"

#: what paths of the service are made of; no percent signs, so that a path means the same to everybody on its way
_PATH = re.compile(rb"(/[A-Za-z0-9_.-]*)+")
_METHODS = (b"GET", b"HEAD")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a guest wants to read."""

    path: str
    #: without the body
    head: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What it is told."""

    status: int
    body: bytes = b""
    media_type: str = TEXT


class Refused(Exception):
    """The request is answered here; the answer says how."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.answer = refusal(status)


class Exchange:
    """Takes what the guest sends until it has asked, then gives the answer's bytes."""

    def __init__(self, *, request_size: int) -> None:
        self._guest = h11.Connection(h11.SERVER, max_incomplete_event_size=request_size)
        self._head = False

    def take(self, data: bytes) -> Asked | None:
        """Take bytes, none for their end; give what is asked, or None while there is more to come. Raises Refused."""
        try:
            self._guest.receive_data(data)
            event = self._guest.next_event()
        except h11.RemoteProtocolError as err:
            raise Refused(err.error_status_hint if err.error_status_hint in _KNOWN else 400) from err
        if event is h11.NEED_DATA:
            return None
        if not isinstance(event, h11.Request):
            raise Refused(400)
        return self._asked(event)

    def answer(self, answer: Answer) -> bytes:
        """Give an answer's bytes; it is the last thing said."""
        phrase = http.HTTPStatus(answer.status).phrase
        headers = [
            ("Content-Type", answer.media_type),
            ("Content-Length", str(len(answer.body))),
            ("Connection", "close"),
            ("Cache-Control", "no-store"),
        ]
        if answer.status == 405:
            headers.append(("Allow", "GET, HEAD"))
        if answer.status in (429, 503):
            headers.append(("Retry-After", str(RETRY_AFTER)))
        head = f"HTTP/1.1 {answer.status} {phrase}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers)
        return head.encode("latin-1") + b"\r\n" + (b"" if self._head else answer.body)

    def _asked(self, request: h11.Request) -> Asked:
        self._head = request.method == b"HEAD"
        if request.method not in _METHODS:
            raise Refused(405)
        path, _, _query = request.target.partition(b"?")
        if not _PATH.fullmatch(path) or any(part in (b".", b"..") for part in path.split(b"/")):
            raise Refused(404)
        return Asked(path.decode("ascii"), self._head)


#: what h11 finds wrong, besides 400
_KNOWN = (431, 501)


def refusal(status: int) -> Answer:
    """Make an answer that says no more than its status."""
    return Answer(status, f"{status} {http.HTTPStatus(status).phrase}\n".encode())
