"""What Prometheus is told."""

import prometheus_client

from metadatad.metrics import Metrics


def test_each_figure_has_its_name_and_labels() -> None:
    metrics = Metrics()
    metrics.answered.labels("200").inc()
    metrics.unanswered.labels("timeout").inc(2)
    metrics.api_failures.labels("tls").inc(3)
    metrics.api_seconds.observe(0.5)
    metrics.connections.set(4)
    metrics.links.set(5)
    metrics.guests.set(6)
    lines = prometheus_client.generate_latest(metrics.registry).decode().splitlines()
    assert {
        'syros_metadatad_answered_total{status="200"} 1.0',
        'syros_metadatad_unanswered_total{reason="timeout"} 2.0',
        'syros_metadatad_api_failures_total{reason="tls"} 3.0',
        "syros_metadatad_api_seconds_count 1.0",
        "syros_metadatad_connections 4.0",
        "syros_metadatad_links 5.0",
        "syros_metadatad_guests 6.0",
    } <= set(lines)
