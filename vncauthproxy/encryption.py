"""TLS towards consoles, as VeNCrypt has it: by certificates, or anonymous."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True)
class Encryption:
    """What TLS may be; None for what may not."""

    certified: ssl.SSLContext | None
    anonymous: ssl.SSLContext | None
    #: seconds for a handshake
    timeout: float


def certified(ca_file: str, *, cert: str = "", key: str = "") -> ssl.SSLContext:
    """Check consoles' certificates, and show one if they ask (Ganeti's vnc_x509_verify). Raises OSError."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file)
    if cert:
        context.load_cert_chain(cert, key or None)
    return context


def anonymous() -> ssl.SSLContext:
    """Encrypt without knowing for whom: Diffie-Hellman without certificates, which TLS 1.3 has no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:!eNULL:@SECLEVEL=0")
    return context
