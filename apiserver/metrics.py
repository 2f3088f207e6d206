"""What the API server tells Prometheus: requests by route, and how long they took."""

from __future__ import annotations

import os

import prometheus_client
from prometheus_client import multiprocess

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


class Metrics:
    """One server's counters, in a registry of their own: several may live in one process."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._requests = prometheus_client.Counter(
            "syros_api_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = prometheus_client.Histogram(
            "syros_api_request_seconds",
            "From the request's arrival to its answer",
            ["method", "route"],
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """Write everything out; of all processes, where several share one folder for it."""
        registry = self.registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = prometheus_client.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it is half typed
        text: bytes = prometheus_client.generate_latest(registry)
        return text
