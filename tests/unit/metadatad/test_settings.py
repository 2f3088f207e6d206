"""What [metadatad] may say."""

from typing import Any

import pytest

from common.config import Config, ConfigError
from metadatad.settings import MetadatadSettings

GOOD = {"api_url": "https://api.example:8774", "secret": "between-us"}


def read(**values: Any) -> MetadatadSettings:
    return Config({"metadatad": {**GOOD, **values}}, {}, origin="test").section("metadatad", MetadatadSettings)


def test_url_and_secret_are_enough() -> None:
    assert read().api == ("api.example", 8774, True)
    assert read().metrics == ("127.0.0.1", 9466)


@pytest.mark.parametrize(
    ("url", "api"),
    [("https://api.example", ("api.example", 443, True)), ("https://[::1]:9/", ("::1", 9, True))],
)
def test_a_port_may_be_left_out_and_an_address_be_ipv6(url: str, api: tuple[str, int, bool]) -> None:
    assert read(api_url=url).api == api


def test_without_tls_only_where_it_is_said_so() -> None:
    with pytest.raises(ConfigError, match="api_url"):
        read(api_url="http://api.example")
    assert read(api_url="http://api.example", plain_http=True).api == ("api.example", 80, False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_url", ""),
        ("api_url", "api.example:8774"),
        ("api_url", "ftp://api.example"),
        ("api_url", "https://"),
        ("api_url", "https://api.example/compute"),
        ("api_url", "https://api.example?x=1"),
        ("api_url", "https://me@api.example"),
        ("api_url", "https://api.example:99999"),
        ("secret", ""),
        ("rescan_seconds", 0),
        ("api_seconds", 0),
        ("guest_seconds", -1),
        ("guest_rate", 0),
        ("guest_connections", 0),
        ("connections", 0),
        ("answer_size", 0),
        ("request_size", 1023),
        ("metrics_address", ":80"),
        ("metrics_address", "localhost:http"),
    ],
)
def test_what_can_t_be_meant_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"\[metadatad\] {key}"):
        read(**{key: value})


def test_the_secret_is_not_shown() -> None:
    assert "between-us" not in repr(read())
