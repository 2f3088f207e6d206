"""The certificate that a RAPI shows: fetched to be pinned, with no judgement of its own on whether to trust it."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from rapi.errors import RapiUnreachable

_TIMEOUT = 10.0
_RAPI_PORT = 5080


def fingerprint(urls: Sequence[str]) -> str | None:
    """Give the SHA-256 of the first certificate that one of these URLs shows; None if none of them is https.

    Raises RapiUnreachable when nobody answers.
    """
    failure: OSError | None = None
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.hostname is None:
            continue
        try:
            return _fetch(parts.hostname, parts.port or _RAPI_PORT)
        except OSError as err:
            failure = err
    if failure is None:
        return None
    raise RapiUnreachable(f"no certificate from {', '.join(urls)}: {failure}", sent=False)


def spaced(digest: str) -> str:
    """Write a digest as openssl does, for comparing by eye."""
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)).upper()


def _fetch(host: str, port: int) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is sent: the certificate is what is to be judged, by a person or on trust at first use.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout=_TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        certificate = secured.getpeercert(binary_form=True)
    return hashlib.sha256(certificate or b"").hexdigest()
