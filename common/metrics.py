"""Where a program tells Prometheus of itself."""

from __future__ import annotations

import prometheus_client

from common import config

Address = tuple[str, int]


def address(text: str, key: str) -> Address | None:
    """Read `address:port`, of which an IPv6 address stands in brackets; an empty text is nowhere.

    Raises ConfigError, which names the key.
    """
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise config.ConfigError(f"{key}: {text!r} is not address:port")
    return host.strip("[]"), int(port)


def serve(where: Address | None, registry: prometheus_client.CollectorRegistry) -> None:
    """Answer Prometheus from now on, by a thread; nowhere where there is no address. Raises OSError."""
    if where is not None:
        prometheus_client.start_http_server(where[1], addr=where[0], registry=registry)
