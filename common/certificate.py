"""A certificate of ours, which may be replaced while connections are open."""

from __future__ import annotations

import logging
import ssl

log = logging.getLogger(__name__)


class Certificate:
    """Shows whoever comes next the newest; `context` is to be asked for anew, or serves as the newest by itself."""

    def __init__(self, cert: str, key: str, *, ca: str = "") -> None:
        """With `ca` clients have to show one of its certificates. Raises OSError for files that can't be used."""
        self._cert = cert
        self._key = key
        self._ca = ca
        self.context = self._load()

    def reload(self, name: str) -> None:
        """Read the files again; those that can't be used are told of in the log, by this name, and change nothing."""
        try:
            self.context = self._load()
        except OSError as err:
            log.error("certificate.unusable", extra={"key": name, "reason": str(err)})  # noqa: TRY400  # no bug
        else:
            log.info("certificate.read", extra={"key": name})

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._cert, self._key)
        if self._ca:
            context.load_verify_locations(self._ca)
            context.verify_mode = ssl.CERT_REQUIRED
        # a listener keeps the context that it began with; OpenSSL asks here whether a client names a host or not
        context.sni_callback = self._renew
        return context

    def _renew(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self.context
