"""What eventd tells Prometheus."""

from __future__ import annotations

import prometheus_client


class Metrics:
    """One eventd's counters, in a registry of their own: several may live in one process."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self.published = prometheus_client.Counter(
            "syros_eventd_published", "Events that the broker has confirmed", ["kind"], registry=self.registry
        )
        self.errors = prometheus_client.Counter(
            "syros_eventd_errors",
            "Unreadable files, failed publishings",
            ["what"],
            registry=self.registry,
        )
        self.rescans = prometheus_client.Counter(
            "syros_eventd_rescans", "Full looks at the queue", registry=self.registry
        )
        self.pending = prometheus_client.Gauge(
            "syros_eventd_pending_jobs", "Jobs that have to be looked at", registry=self.registry
        )
        self.publishing = prometheus_client.Gauge(
            "syros_eventd_publishing", "1 on the master, 0 elsewhere", registry=self.registry
        )
        self.lag = prometheus_client.Histogram(
            "syros_eventd_lag_seconds",
            "From a job's end by Ganeti's clock to the broker's confirmation",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30, 300, 3600),
            registry=self.registry,
        )
