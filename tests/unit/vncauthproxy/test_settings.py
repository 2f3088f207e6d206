"""What [vncauthproxy] may say."""

from typing import Any

import pytest

from common.config import Config, ConfigError
from vncauthproxy.settings import VncauthproxySettings

GOOD = {"control_cert": "c.pem", "control_key": "k.pem", "token": "between-us", "destinations": ["192.0.2.0/24"]}


def read(**values: Any) -> VncauthproxySettings:
    return Config({"vncauthproxy": {**GOOD, **values}}, {}, origin="test").section("vncauthproxy", VncauthproxySettings)


def test_ranges_and_networks_are_read() -> None:
    settings = read(destinations=["192.0.2.0/24", "2001:db8::/64"], ports="25000-25001", destination_ports="5900-5999")
    assert [str(each) for each in settings.networks] == ["192.0.2.0/24", "2001:db8::/64"]
    assert list(settings.viewer_ports) == [25000, 25001]
    assert settings.console_ports == range(5900, 6000)
    assert settings.metrics == ("127.0.0.1", 9467)
    assert read(metrics_address="[::1]:1").metrics == ("::1", 1)
    assert read(metrics_address="").metrics is None


def test_a_client_certificate_will_do_for_a_token_and_plain_needs_one() -> None:
    assert read(token="", control_ca="ca.pem").token == ""
    with pytest.raises(ConfigError, match="token"):
        read(token="")
    assert read(control_cert="", control_key="", plain_control=True).plain_control
    with pytest.raises(ConfigError, match="control_ca"):
        read(control_ca="ca.pem", plain_control=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("control_cert", ""),
        ("token", "t\u00f6ken"),
        ("destinations", []),
        ("destinations", ["192.0.2.1/24"]),
        ("destinations", ["node1"]),
        ("destination_ports", "11000-"),
        ("serial_ports", ""),
        ("destination_ports", "0-5"),
        ("ports", "30000-25000"),
        ("ports", "1-65536"),
        ("ports", "a-b"),
        ("console_cert", "c.pem"),
        ("console_seconds", 0),
        ("viewer_seconds", -1),
        ("ticket_seconds", "nan"),
        ("idle_seconds", 0),
        ("session_seconds", 0),
        ("sessions", 0),
        ("history", 0),
        ("sessions_per_user", 0),
        ("control_connections", 0),
        ("connections", 0),
        ("connections_per_address", -1),
        ("metrics_address", "localhost"),
    ],
)
def test_what_can_t_be_meant_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"\[vncauthproxy\] .*{key}"):
        read(**{key: value})


WEB = {
    "public_url": "wss://console.example:6080/", "web_cert": "c.pem", "web_key": "k.pem",
    "origins": ["https://console.example"],
}  # fmt: skip


def test_browsers_are_served_over_tls_or_behind_it() -> None:
    assert read(**WEB).origins == ("https://console.example",)
    behind = {**WEB, "web_cert": "", "web_key": "", "plain_web": True}
    assert read(**behind).plain_web
    assert read(**{**behind, "public_url": "ws://127.0.0.1:6080"}).public_url == "ws://127.0.0.1:6080"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("public_url", "https://console.example"),
        ("public_url", "ws://console.example"),
        ("public_url", "wss:///"),
        ("public_url", "wss://console.example/?ticket="),
        ("public_url", "wss://me@console.example/"),
        ("web_key", ""),
        ("origins", []),
        ("origins", ["console.example"]),
        ("origins", ["https://console.example/"]),
        ("origins", ["*"]),
    ],
)
def test_what_browsers_can_t_be_told_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"\[vncauthproxy\] .*{key}"):
        read(**{**WEB, key: value})


def test_the_token_is_not_shown() -> None:
    assert "between-us" not in repr(read())
