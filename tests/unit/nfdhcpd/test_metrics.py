"""What Prometheus is told."""

import prometheus_client

from nfdhcpd.metrics import Metrics
from nfdhcpd.responder import Wanted


def test_each_figure_has_its_name_and_labels() -> None:
    metrics = Metrics()
    metrics.received[Wanted.DHCP4].inc()
    metrics.answered.labels("dhcp4", "ack").inc(2)
    metrics.passed.labels("rs", "no binding").inc(3)
    metrics.dropped.labels("ns", "icmp6 checksum").inc(4)
    metrics.unsent.labels("ENODEV").inc(5)
    metrics.advertised.inc(6)
    metrics.bindings.set(7)
    metrics.nics.set(8)
    lines = prometheus_client.generate_latest(metrics.registry).decode().splitlines()
    assert {
        'syros_nfdhcpd_received_total{queue="dhcp4"} 1.0',
        'syros_nfdhcpd_answered_total{kind="ack",queue="dhcp4"} 2.0',
        'syros_nfdhcpd_passed_total{queue="rs",reason="no binding"} 3.0',
        'syros_nfdhcpd_dropped_total{queue="ns",reason="icmp6 checksum"} 4.0',
        'syros_nfdhcpd_unsent_total{reason="ENODEV"} 5.0',
        "syros_nfdhcpd_advertised_total 6.0",
        "syros_nfdhcpd_bindings 7.0",
        "syros_nfdhcpd_nics 8.0",
    } <= set(lines)


def test_every_queue_is_counted_from_the_start() -> None:
    lines = prometheus_client.generate_latest(Metrics().registry).decode().splitlines()
    assert {f'syros_nfdhcpd_received_total{{queue="{wanted}"}} 0.0' for wanted in Wanted} <= set(lines)


def test_two_of_them_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.advertised.inc()
    assert second.registry.get_sample_value("syros_nfdhcpd_advertised_total") == 0
