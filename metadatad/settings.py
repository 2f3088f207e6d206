"""What metadatad can be told; section [metadatad] of the configuration."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from common import bindings, config, metrics
from common.metrics import Address

_PORTS = {"https": 443, "http": 80}

_METRICS = "[metadatad] metrics_address"


@dataclass(frozen=True)
class MetadatadSettings:
    """metadatad, on every Ganeti node whose guests may ask for their metadata."""

    api_url: str = config.setting("", "URL that this node reaches the API by, `https://` and without a path")
    api_ca: str = config.setting("", "CA certificate that the API's is verified against; empty for the system's")
    plain_http: bool = config.setting(False, "whether `http://` will do: for test beds only")
    secret: str = config.setting("", "the API's metadata_secret, with which this node says who asks", secret=True)
    bindings_dir: Path = config.setting(bindings.DEFAULT_FOLDER, "where the bindings of this node's NICs are")
    rescan_seconds: float = config.setting(30.0, "pause between full looks at the bindings, in case one went unnoticed")
    api_seconds: float = config.setting(3.0, "seconds that the API has for an answer")
    guest_seconds: float = config.setting(10.0, "seconds that a guest has from its connection to the answer's end")
    guest_connections: int = config.setting(8, "connections that a guest may have at once")
    guest_rate: float = config.setting(
        20.0, "requests a second that a guest may make in the long run; five seconds' worth of them at once"
    )
    connections: int = config.setting(512, "connections that all guests of this node may have at once")
    request_size: int = config.setting(8192, "bytes that a request may have, with its headers")
    answer_size: int = config.setting(1_048_576, "bytes that an answer of the API's may have")
    metrics_address: str = config.setting("127.0.0.1:9466", "address:port for Prometheus; empty for none")

    def __post_init__(self) -> None:
        url = urllib.parse.urlsplit(self.api_url)
        if url.scheme not in ("https", *(("http",) if self.plain_http else ())) or not url.hostname:
            raise config.ConfigError(f"[metadatad] api_url: {self.api_url!r} is not https://host[:port]")
        if url.path.strip("/") or url.query or url.fragment or url.username is not None:
            raise config.ConfigError(f"[metadatad] api_url: {self.api_url!r} has more than host and port")
        try:
            url.port  # noqa: B018  # it is what raises
        except ValueError as err:
            raise config.ConfigError(f"[metadatad] api_url: {err}") from err
        if not self.secret:
            raise config.ConfigError("[metadatad] secret: missing; it is that of [api] metadata_secret")
        for key in ("rescan_seconds", "api_seconds", "guest_seconds", "guest_rate"):
            if getattr(self, key) <= 0:
                raise config.ConfigError(f"[metadatad] {key}: more than 0 is needed")
        for key in ("guest_connections", "connections", "answer_size"):
            if getattr(self, key) < 1:
                raise config.ConfigError(f"[metadatad] {key}: at least 1 is needed")
        if self.request_size < 1024:
            raise config.ConfigError("[metadatad] request_size: at least 1024 is needed")
        metrics.address(self.metrics_address, _METRICS)

    @property
    def metrics(self) -> Address | None:
        """Where Prometheus is answered."""
        return metrics.address(self.metrics_address, _METRICS)

    @property
    def api(self) -> tuple[str, int, bool]:
        """The API's host and port, and whether TLS is spoken there."""
        url = urllib.parse.urlsplit(self.api_url)
        return url.hostname or "", url.port or _PORTS[url.scheme], url.scheme == "https"
