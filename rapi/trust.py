"""TLS towards a cluster: its own CA, a pinned certificate, or the system's CAs; and when a call was not sent.

A Ganeti cluster signs its own certificate, with a name that is not its host's. So with `ca_pem` the certificate must
be signed by that CA and the host name is not compared; whoever wants the name compared leaves `ca_pem` out and lets
the system's CAs judge.
"""

import ssl
from typing import Any  # urllib3's pool arguments are open-ended

import requests.adapters
from urllib3 import connection, connectionpool, exceptions

from rapi import endpoint


class TlsAdapter(requests.adapters.HTTPAdapter):
    """Carries an endpoint's trust in a context of its own, so that no bundle from the environment widens it."""

    def __init__(self, point: endpoint.Endpoint) -> None:
        self._context = context(point)
        self._fingerprint = point.fingerprint
        self._compare_names = point.ca_pem is None and point.fingerprint is None
        super().__init__(pool_maxsize=point.max_connections)

    @property
    def verify(self) -> bool:
        """What to pass as `verify=` on each request: a pinned certificate alone needs no chain."""
        return self._context.verify_mode is ssl.CERT_REQUIRED

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs["ssl_context"] = self._context
        if self._fingerprint is not None:
            kwargs["assert_fingerprint"] = self._fingerprint
        if not self._compare_names:
            kwargs["assert_hostname"] = False
        super().init_poolmanager(*args, **kwargs)
        # A mapping of one's own: urllib3 documents the attribute for replacing the classes of one manager.
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Add no CA bundle to the pool: the context already holds whom to trust."""


def context(point: endpoint.Endpoint) -> ssl.SSLContext:
    """Give what judges the certificates of an endpoint, but for a pinned one; raises ValueError for what is no CA."""
    if point.ca_pem is None and point.fingerprint is None:
        return ssl.create_default_context()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    if point.ca_pem is None:
        made.verify_mode = ssl.CERT_NONE
        return made
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a server's own certificate may stand for its CA
    try:
        made.load_verify_locations(cadata=point.ca_pem)
    except ssl.SSLError as err:
        raise ValueError("ca_pem holds no certificate in PEM form") from err
    return made


class _Connection(connection.HTTPSConnection):
    """Tells a failure before the request (resolve, connect, handshake, certificate) from one after it."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, exceptions.HTTPError) as err:
            raise exceptions.NewConnectionError(self, str(err)) from err


class _Pool(connectionpool.HTTPSConnectionPool):
    ConnectionCls = _Connection
