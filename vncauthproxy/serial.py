"""The way into a guest's serial port: seriald is asked by HTTP for a connection of raw bytes (RFC 9110 section 7.8)."""

from __future__ import annotations

import http

import h11

from common.consoles import Forward
from vncauthproxy.console import NoWay
from vncauthproxy.stream import SocketStream

#: bytes of an answer up to its empty line
_LONGEST_HEAD = 8 * 1024
_END = b"\r\n\r\n"
_PROTOCOL = "syros-serial"
#: what seriald means by its answers
_NOES: dict[int, str] = {
    http.HTTPStatus.UNAUTHORIZED: "it refuses the token",
    http.HTTPStatus.NOT_FOUND: "it has no guest of this name, or the guest does not run",
    http.HTTPStatus.SERVICE_UNAVAILABLE: "the guest's serial port has as many viewers as it may have",
}


async def enter(node: SocketStream, request: Forward) -> None:
    """Have the connection become the guest's serial port. Raises Broken, NoWay."""
    seriald = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
    headers = {"Host": request.console, "Connection": "Upgrade", "Upgrade": _PROTOCOL}
    if request.console_password is not None:
        headers["Authorization"] = f"Bearer {request.console_password}"
    try:
        asked = h11.Request(method="GET", target=f"/v1/console/{request.guest}", headers=list(headers.items()))
    except h11.LocalProtocolError as err:
        raise NoWay("its token can't be sent by HTTP") from err
    node.write((seriald.send(asked) or b"") + (seriald.send(h11.EndOfMessage()) or b""))
    try:
        head = await node.read_through(_END, most=_LONGEST_HEAD)
        seriald.receive_data(head)
        answer = seriald.next_event()
    except h11.RemoteProtocolError as err:
        raise NoWay(f"it does not speak HTTP: {err}") from err
    if not isinstance(answer, h11.InformationalResponse | h11.Response):
        raise NoWay("it does not answer as seriald does")
    if answer.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS:
        raise NoWay(_NOES.get(answer.status_code, f"it answers {answer.status_code}"))
    if (b"upgrade", _PROTOCOL.encode()) not in answer.headers:
        raise NoWay("it speaks another protocol than was asked for")
    # the guest has not printed that
    node.received -= len(head)
