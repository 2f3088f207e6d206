"""One call to a cluster over HTTP: which address, how long, how many at once, and what the failure means."""

import base64
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any  # Ganeti's JSON has no types that we could name here
from urllib.parse import urlencode

import orjson
import requests
from urllib3 import exceptions

from rapi import answers, endpoint, errors, trust, wire

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One call: `path` is made by `wire.resource`; `reads` says that sending it twice does no harm."""

    method: str
    path: str
    query: wire.Query = ()
    body: object = field(default=None, repr=False)
    reads: bool = False
    timeout: float | None = None


class Transport:
    """Sends calls to the master of one cluster; safe to share between threads.

    A call that only reads is tried at the next address whenever an address gives no answer. A call that changes
    something goes to the next address only if it certainly was not sent, so it reaches Ganeti at most once.
    """

    def __init__(self, point: endpoint.Endpoint) -> None:
        adapter = trust.TlsAdapter(point)
        self._point = point
        self._verify = adapter.verify
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("https://", adapter)
        self._slots = threading.BoundedSemaphore(point.max_connections)
        self._master = point.urls[0]
        credentials = base64.b64encode(f"{point.user}:{point.password}".encode()).decode()
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"Basic {credentials}",
            "Connection": "close",  # RAPI closes each connection anyway; a proxy in front of it should too
            "Content-Type": "application/json",
        }

    def close(self) -> None:
        self._session.close()

    def answer(self, call: Call) -> Any:
        """The JSON answer to one call; raises RapiRefused or RapiUnreachable."""
        wire.check(call.query, call.body)
        *others, last = self._addresses()
        with self._slot():
            for url in others:
                try:
                    return self._ask(url, call)
                except errors.RapiUnreachable as err:
                    if err.sent and not call.reads:
                        raise
            return self._ask(last, call)

    def _addresses(self) -> list[str]:
        """Where the master answered last comes first."""
        master = self._master
        return [master, *(url for url in self._point.urls if url != master)]

    def _ask(self, url: str, call: Call) -> Any:
        facts: dict[str, object] = {"method": call.method, "backend_url": url, "resource": call.path}
        facts |= {name: value for name, value in call.query if name == "reason"}
        began = time.monotonic()
        try:
            status, content = self._exchange(url, call)
            facts["http_status"] = status
            value = answers.value(status, content, secrets=wire.secrets_in(call.body) | {self._point.password})
        except errors.RapiRefused:
            self._master = url
            raise
        except errors.RapiUnreachable as err:
            facts |= {"error": err.reason, "sent": err.sent}
            raise
        finally:
            facts["ms"] = round((time.monotonic() - began) * 1000, 1)
            log.info("rapi call", extra=facts)
        self._master = url
        return value

    def _exchange(self, url: str, call: Call) -> tuple[int, bytes]:
        address = url.rstrip("/") + call.path + ("?" + urlencode(call.query) if call.query else "")
        content = b"" if call.body is None else orjson.dumps(call.body)
        request = requests.Request(call.method, address, headers=self._headers, data=content).prepare()
        try:
            response = self._session.send(
                request,
                verify=self._verify,
                timeout=(self._point.connect_timeout, call.timeout or self._point.timeout),
                allow_redirects=False,
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as err:
            raise errors.RapiUnreachable(_why(err), sent=_was_sent(err)) from err
        return response.status_code, response.content

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._point.timeout):
            raise errors.RapiUnreachable(
                f"all {self._point.max_connections} connections stayed busy for {self._point.timeout:g} s", sent=False
            )
        try:
            yield
        finally:
            self._slots.release()


def _was_sent(err: requests.RequestException) -> bool:
    """Whether any byte of the request may have reached the server."""
    cause = _cause(err)
    return not isinstance(cause, exceptions.ConnectTimeoutError)  # the base of every failure to connect


def _why(err: requests.RequestException) -> str:
    cause = _cause(err)
    if isinstance(cause, exceptions.NewConnectionError):
        return str(cause).rpartition(": ")[2] if cause.__cause__ is None else str(cause.__cause__)
    return str(cause)


def _cause(err: requests.RequestException) -> object:
    inner = err.args[0] if err.args else err
    return inner.reason if isinstance(inner, exceptions.MaxRetryError) else inner
