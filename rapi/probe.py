"""A look at one address of a cluster's RAPI that tells apart what can be wrong with it; nothing is changed there.

`rapi.client` says that a call has failed. This says which of name, address, certificate, password and permission it is,
when the certificate ends, and what the time is there.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import http.client
import json
import socket
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any  # Ganeti's JSON has no types that we could name here
from urllib.parse import urlsplit

from cryptography import x509

from common import clock
from rapi import endpoint, trust

PORT = 5080
#: more than any answer that is asked for here
_LIMIT = 8 * 1024 * 1024
#: OpenSSL's X509_V_ERR_*, x509_vfy.h
_NOT_YET, _EXPIRED, _NAMES = 9, 10, (62, 64)


class Fault(StrEnum):
    """What is wrong with an address, the first thing in the way."""

    NAME = "the name does not resolve"
    CLOSED = "nothing listens there"
    SILENT = "no answer in time"
    NETWORK = "no way there"
    NOT_TLS = "no TLS is spoken there"
    AUTHORITY = "the certificate is not of the CA that is trusted"
    PINNED = "the certificate is not the one that is pinned"
    HOST = "the certificate is in another name"
    EXPIRED = "the certificate has expired"
    NOT_YET = "the certificate is not valid yet"
    LOGIN = "the user or the password is wrong"
    READ_ONLY = "the user may only read"
    NOT_RAPI = "what answers is no RAPI"


@dataclass(frozen=True)
class Look:
    """What was found at one URL; what nobody came far enough to see is None or empty."""

    url: str
    fault: Fault | None = None
    #: the peer's or the system's own words
    words: str = ""
    #: when the certificate that is shown ends
    expires: datetime | None = None
    #: its SHA-256, in hex
    fingerprint: str | None = None
    #: the peer's clock less ours, in seconds; the peer tells whole ones
    skew: float | None = None
    cluster: str | None = None
    #: OS definitions with their variants that all nodes have; None: it did not say
    systems: tuple[str, ...] | None = field(default=None)

    @property
    def answers(self) -> bool:
        """Whether RAPI is there, whatever it allows."""
        return self.cluster is not None


def look(point: endpoint.Endpoint, url: str) -> Look:
    """Look at one of an endpoint's URLs, within a few of its timeouts; never raises for what is found there."""
    facts: dict[str, Any] = {"url": url}
    try:
        _look(point, url, facts)
    except _Found as err:
        return Look(**facts, fault=err.fault, words=str(err))
    return Look(**facts)


class _Found(Exception):
    def __init__(self, fault: Fault, words: object) -> None:
        super().__init__(str(words))
        self.fault = fault


@dataclass(frozen=True)
class _Answer:
    """An answer in JSON, and the peer's time then, between two of ours."""

    document: Any
    date: str | None
    began: datetime
    ended: datetime


class _Address:
    """One URL of an endpoint; each method raises _Found."""

    def __init__(self, point: endpoint.Endpoint, url: str) -> None:
        parts = urlsplit(url)
        self._point = point
        self._host = parts.hostname or ""
        self._port = parts.port or PORT
        try:
            self.context = trust.context(point) if parts.scheme == "https" else None
        except ValueError as err:
            raise _Found(Fault.AUTHORITY, err) from err

    def certificate(self) -> bytes:
        """Give the certificate that is shown, whoever has signed it, in DER."""
        # nothing is sent: it is only to be seen
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        with self._connected() as plain:
            try:
                with blind.wrap_socket(plain, server_hostname=self._host) as secured:
                    return secured.getpeercert(binary_form=True) or b""
            except TimeoutError as err:
                raise _Found(Fault.SILENT, f"no TLS handshake within {self._point.connect_timeout:g} s") from err
            except OSError as err:
                raise _Found(Fault.NOT_TLS, getattr(err, "reason", None) or err) from err

    def check_pin(self, shown: bytes) -> None:
        """Compare a certificate, in DER, with the one that is pinned, if one is."""
        digest = hashlib.sha256(shown).hexdigest()
        if self._point.fingerprint is not None and digest != self._point.fingerprint.replace(":", "").lower():
            raise _Found(Fault.PINNED, f"its SHA-256 is {digest}")

    def ask(self, method: str, path: str, body: object = None) -> _Answer:
        """Make a call."""
        credentials = base64.b64encode(f"{self._point.user}:{self._point.password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json", "Connection": "close"}
        content = None if body is None else json.dumps(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self._host, self._port)
        began = clock.now()
        try:
            connection.sock = self._secured()
            connection.request(method, path, body=content, headers=headers)
            answer = connection.getresponse()
            status, told, date = answer.status, answer.read(_LIMIT), answer.headers["Date"]
        except ssl.SSLCertVerificationError as err:
            raise _Found(_judged(err), err.verify_message) from err
        except TimeoutError as err:
            raise _Found(Fault.SILENT, f"no answer to {path} within {self._point.timeout:g} s") from err
        except (http.client.HTTPException, OSError) as err:
            raise _Found(Fault.NOT_RAPI, f"{type(err).__name__} for {path}: {err}") from err
        finally:
            connection.close()
        if status == 401:
            raise _Found(Fault.LOGIN, f"RAPI refuses {self._point.user}")
        if status == 403:
            raise _Found(Fault.READ_ONLY, f"{self._point.user} may not {method} {path}")
        try:
            return _Answer(json.loads(told), date, began, clock.now())
        except ValueError as err:
            raise _Found(Fault.NOT_RAPI, f"status {status}, and no JSON, for {path}") from err

    def _connected(self) -> socket.socket:
        try:
            return socket.create_connection((self._host, self._port), timeout=self._point.connect_timeout)
        except socket.gaierror as err:
            raise _Found(Fault.NAME, err.strerror) from err
        except ConnectionRefusedError as err:
            raise _Found(Fault.CLOSED, err.strerror) from err
        except TimeoutError as err:
            raise _Found(Fault.SILENT, f"no connection within {self._point.connect_timeout:g} s") from err
        except OSError as err:
            raise _Found(Fault.NETWORK, err.strerror or err) from err

    def _secured(self) -> socket.socket:
        plain = self._connected()
        plain.settimeout(self._point.timeout)
        if self.context is None:
            return plain
        try:
            secured = self.context.wrap_socket(plain, server_hostname=self._host)
        except BaseException:
            plain.close()
            raise
        try:
            # of each connection: what is asked is asked with the password
            self.check_pin(secured.getpeercert(binary_form=True) or b"")
        except _Found:
            secured.close()
            raise
        return secured


def _look(point: endpoint.Endpoint, url: str, facts: dict[str, Any]) -> None:
    address = _Address(point, url)
    if address.context is not None:
        shown = address.certificate()
        try:
            facts["expires"] = x509.load_der_x509_certificate(shown).not_valid_after_utc
        except ValueError as err:
            raise _Found(Fault.NOT_TLS, "what it shows is no certificate") from err
        facts["fingerprint"] = hashlib.sha256(shown).hexdigest()
        address.check_pin(shown)
    info = address.ask("GET", "/2/info")
    if not isinstance(info.document, dict) or "uuid" not in info.document:
        raise _Found(Fault.NOT_RAPI, "its answer to /2/info is no cluster's")
    facts["cluster"] = str(info.document["uuid"])
    facts["skew"] = _skew(info)
    # Who may write is found out by an order that Ganeti refuses once it has seen who asks: an instance by the oldest
    # form. R_2_instances.POST (lib/rapi/rlib2.py) answers 400 before it makes a job, and 403 to who may only read.
    address.ask("POST", "/2/instances", {"__version__": 0})
    systems = address.ask("GET", "/2/os").document
    if isinstance(systems, list):
        facts["systems"] = tuple(map(str, systems))


def _judged(error: ssl.SSLCertVerificationError) -> Fault:
    if error.verify_code == _EXPIRED:
        return Fault.EXPIRED
    if error.verify_code == _NOT_YET:
        return Fault.NOT_YET
    return Fault.HOST if error.verify_code in _NAMES else Fault.AUTHORITY


def _skew(answer: _Answer) -> float | None:
    """Compare the header Date (RFC 9110, 6.6.1), of whole seconds, with the time between question and answer."""
    try:
        told = email.utils.parsedate_to_datetime(answer.date or "")
    except (TypeError, ValueError):
        return None
    return clock.skew(told, answer.began, answer.ended, resolution=1.0)
