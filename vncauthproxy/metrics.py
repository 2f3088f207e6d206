"""What vncauthproxy tells Prometheus."""

from __future__ import annotations

import prometheus_client


class Metrics:
    """One vncauthproxy's counters, in a registry of their own: several may live in one process."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self.sessions = prometheus_client.Gauge(
            "syros_vncauthproxy_sessions", "Sessions: awaited, or open", ["kind", "protocol", "state"],
            registry=self.registry,
        )  # fmt: skip
        self.ended = prometheus_client.Counter(
            "syros_vncauthproxy_sessions_ended", "Sessions that ended", ["kind", "protocol", "reason"],
            registry=self.registry,
        )  # fmt: skip
        self.take_overs = prometheus_client.Counter(
            "syros_vncauthproxy_take_overs", "Sessions that ended since another viewer took the console over",
            ["protocol"], registry=self.registry,
        )  # fmt: skip
        self.bytes = prometheus_client.Counter(
            "syros_vncauthproxy_bytes", "Bytes of sessions that ended: shown to viewers, or typed by them",
            ["kind", "protocol", "direction"], registry=self.registry,
        )  # fmt: skip
        self.viewers_refused = prometheus_client.Counter(
            "syros_vncauthproxy_viewers_refused", "Viewers that were not let in", ["reason"], registry=self.registry
        )
        self.console_seconds = prometheus_client.Histogram(
            "syros_vncauthproxy_console_seconds", "How long consoles took for connection and handshake",
            ["protocol"], registry=self.registry,
        )  # fmt: skip
        self.control_requests = prometheus_client.Counter(
            "syros_vncauthproxy_control_requests", "Requests of the control channel", ["op", "outcome"],
            registry=self.registry,
        )  # fmt: skip
