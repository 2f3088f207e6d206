"""Where a cluster's remote API is, and how to know that it is the right one."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Endpoint:
    """One Ganeti cluster as a client sees it.

    `urls` are the addresses that may be the master's, the likeliest first. Trust comes from `ca_pem` (the cluster's
    own CA, or its self-signed certificate), from `fingerprint` (SHA-256 of the server's certificate, in hex), from
    both, or from the system's CAs when neither is given. Times are in seconds; `timeout` is for one read.
    """

    urls: tuple[str, ...]
    user: str
    password: str = field(repr=False)
    ca_pem: str | None = field(default=None, repr=False)
    fingerprint: str | None = None
    timeout: float = 15.0
    connect_timeout: float = 5.0
    max_connections: int = 4

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("an endpoint needs at least one URL")
        for url in self.urls:
            _check(url)
        if self.fingerprint is not None and not re.fullmatch(r"[0-9a-fA-F:]+", self.fingerprint):
            raise ValueError("a fingerprint is hexadecimal")
        if self.fingerprint is not None and len(self.fingerprint.replace(":", "")) != 64:
            raise ValueError("a fingerprint is a SHA-256 digest: 64 hexadecimal digits")
        if self.max_connections < 1:
            raise ValueError("max_connections is at least 1")


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("a RAPI URL carries no user or password")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"a RAPI URL is http://host:port or https://host:port, not {url!r}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"a RAPI URL has no path or query: {url!r}")
