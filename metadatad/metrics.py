"""What metadatad tells Prometheus."""

from __future__ import annotations

import prometheus_client


class Metrics:
    """One metadatad's counters, in a registry of their own: several may live in one process."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self.answered = prometheus_client.Counter(
            "syros_metadatad_answered", "Answers that guests were sent", ["status"], registry=self.registry
        )
        self.unanswered = prometheus_client.Counter(
            "syros_metadatad_unanswered", "Connections that ended without an answer", ["reason"], registry=self.registry
        )
        self.api_seconds = prometheus_client.Histogram(
            "syros_metadatad_api_seconds", "How long the API took for its answers", registry=self.registry
        )
        self.api_failures = prometheus_client.Counter(
            "syros_metadatad_api_failures", "Requests that the API has not answered as it should", ["reason"],
            registry=self.registry,
        )  # fmt: skip
        self.connections = prometheus_client.Gauge(
            "syros_metadatad_connections", "Connections of guests", registry=self.registry
        )
        self.links = prometheus_client.Gauge(
            "syros_metadatad_links", "LANs that are served: a bridge each, or part of one", registry=self.registry
        )
        self.guests = prometheus_client.Gauge("syros_metadatad_guests", "NICs that may ask", registry=self.registry)
