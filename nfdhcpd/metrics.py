"""What nfdhcpd tells Prometheus."""

from __future__ import annotations

import prometheus_client

from nfdhcpd.responder import Wanted


class Metrics:
    """One nfdhcpd's counters, in a registry of their own: several may live in one process."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        received = prometheus_client.Counter(
            "syros_nfdhcpd_received", "Packets that the queues brought", ["queue"], registry=self.registry
        )
        #: without a lookup for each packet
        self.received = {wanted: received.labels(wanted.value) for wanted in Wanted}
        self.answered = prometheus_client.Counter(
            "syros_nfdhcpd_answered", "Answers that were sent", ["queue", "kind"], registry=self.registry
        )
        self.passed = prometheus_client.Counter(
            "syros_nfdhcpd_passed", "Packets that passed unanswered", ["queue", "reason"], registry=self.registry
        )
        self.dropped = prometheus_client.Counter(
            "syros_nfdhcpd_dropped", "Packets that were not what they should be", ["queue", "reason"],
            registry=self.registry,
        )  # fmt: skip
        self.unsent = prometheus_client.Counter(
            "syros_nfdhcpd_unsent", "Frames that a tap did not take", ["reason"], registry=self.registry
        )
        self.advertised = prometheus_client.Counter(
            "syros_nfdhcpd_advertised", "Router advertisements sent unasked", registry=self.registry
        )
        self.bindings = prometheus_client.Gauge(
            "syros_nfdhcpd_bindings", "Bindings that are good", registry=self.registry
        )
        self.nics = prometheus_client.Gauge(
            "syros_nfdhcpd_nics", "NICs with a binding and a tap", registry=self.registry
        )
