"""What [nfdhcpd] may say."""

from typing import Any

import pytest

from common.config import Config, ConfigError
from nfdhcpd.settings import NfdhcpdSettings


def read(**values: Any) -> NfdhcpdSettings:
    return Config({"nfdhcpd": values}, {}, origin="test").section("nfdhcpd", NfdhcpdSettings)


def test_by_default_there_is_a_queue_for_each_kind() -> None:
    assert list(read().queues.values()) == [42, 43, 44, 45]
    assert read().metrics == ("127.0.0.1", 9465)


def test_queues_may_be_left_out_all_by_the_same_number() -> None:
    assert list(read(rs_queue=-1, ns_queue=-1).queues.values()) == [42, -1, -1, 45]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dhcp4_queue", -2),
        ("dhcp6_queue", 65_536),
        ("rs_queue", 42),
        ("queue_length", 0),
        ("server_address", "fe80::1"),
        ("server_address", "gateway"),
        ("ra_seconds", 3.9),
        ("ra_seconds", 1801),
        ("rescan_seconds", 0),
        ("metrics_address", "9465"),
        ("metrics_address", "127.0.0.1:http"),
        ("metrics_address", ":9465"),
    ],
)
def test_what_can_t_be_meant_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=r"the queues" if value == 42 else key):
        read(**{key: value})


@pytest.mark.parametrize("value", [4, 1800])
def test_the_bounds_of_the_rfc_may_be_meant(value: float) -> None:
    assert read(ra_seconds=value).ra_seconds == value


def test_metrics_may_be_left_out_or_on_ipv6() -> None:
    assert read(metrics_address="").metrics is None
    assert read(metrics_address="[::1]:80").metrics == ("::1", 80)
