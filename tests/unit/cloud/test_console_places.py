"""Where a screen is, by what Ganeti tells of its instance."""

from __future__ import annotations

from typing import Any

import pytest

from cloud import console_desk, console_proxies
from cloud.console_places import GanetiPlaces, Guest, Node, Screen
from cloud.console_settings import ConsoleSettings
from cloud.settings import CloudSettings
from common.config import ConfigError
from common.errors import Conflict, Unavailable
from db.backends import Backend
from db.nodes import Node as NodeRow
from rapi.errors import RapiError, RapiRefused, RapiUnreachable
from tests.support.clouds import World

NODE, ADDRESS = "node1.example.org", "192.0.2.7"


class Ganeti:
    """A cluster's RAPI, and whoever gives its clients."""

    def __init__(self, told: Any) -> None:
        self.told = told
        self.asked: list[str] = []

    def of(self, backend: Backend) -> Ganeti:
        return self

    def get_instance(self, name: str) -> Any:
        self.asked.append(name)
        if isinstance(self.told, RapiError):
            raise self.told
        return self.told


def instance(bind: object = "0.0.0.0", **changes: object) -> dict[str, object]:
    hvparams = {"vnc_bind_address": bind, "vnc_tls": False}
    return {"oper_state": True, "pnode": NODE, "network_port": 11004, "hvparams": hvparams, **changes}


@pytest.fixture
def guest(world: World) -> Guest:
    with world.cloud.sessions.begin() as db:
        db.add(NodeRow(backend_id=world.backend.id, name=NODE, ip=ADDRESS))
    return Guest("id-1", "web", "syros-id-1", world.backend.id)


def places(world: World, told: object) -> GanetiPlaces:
    return GanetiPlaces(world.cloud.sessions, Ganeti(told))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("0.0.0.0", ADDRESS),
        ("::", ADDRESS),
        ("br0", ADDRESS),
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_a_screen_is_where_it_is_bound_to(world: World, guest: Guest, bind: str, host: str) -> None:
    assert places(world, instance(bind)).screen(guest) == Screen(host, 11004, tls=False, node=NODE)


def test_tls_is_told_of(world: World, guest: Guest) -> None:
    told = instance(hvparams={"vnc_bind_address": "::", "vnc_tls": True})
    assert places(world, told).screen(guest).tls


def test_a_node_whose_address_is_not_known_is_reached_by_its_name(world: World, guest: Guest) -> None:
    moved = places(world, instance(pnode="node2.example.org"))
    assert moved.screen(guest).host == "node2.example.org"
    assert moved.node(guest) == Node("node2.example.org", "node2.example.org")


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.8.8.8", "::1", "lo", "localhost"])
def test_loopback_is_out_of_reach_and_the_reason_is_told(world: World, guest: Guest, bind: str) -> None:
    with pytest.raises(Conflict, match=f"^server web: .* from outside its node.*{bind}"):
        places(world, instance(bind)).screen(guest)


@pytest.mark.parametrize(
    "told",
    [
        instance(""),
        instance(None),
        instance("/var/run/vnc"),
        instance(network_port=None),
        instance(hvparams={}),
        instance(hvparams=None),
        instance(oper_state=False),
        RapiRefused(status=404, error_class="HttpNotFound", reason="no such instance"),
    ],
)
def test_a_server_without_a_screen_is_a_conflict(world: World, guest: Guest, told: object) -> None:
    with pytest.raises(Conflict, match=r"^server web\b"):
        places(world, told).screen(guest)


@pytest.mark.parametrize(
    "told",
    [
        RapiUnreachable("10.0.0.1: connection refused", sent=False),
        RapiRefused(status=504, error_class="HttpGatewayTimeout", reason="luxid at 10.0.0.1"),
        instance(pnode=None),
    ],
)
def test_a_cluster_that_does_not_tell_makes_it_unavailable(world: World, guest: Guest, told: object) -> None:
    with pytest.raises(Unavailable) as raised:
        places(world, told).screen(guest)
    assert "10.0.0.1" not in str(raised.value)


def test_a_cluster_that_is_out_of_service_is_not_asked(world: World, guest: Guest) -> None:
    with world.cloud.sessions.begin() as db:
        row = db.get(Backend, world.backend.id)
        assert row is not None
        row.offline = True
    ganeti = Ganeti(instance())
    with pytest.raises(Unavailable):
        GanetiPlaces(world.cloud.sessions, ganeti).screen(guest)  # type: ignore[arg-type]
    assert ganeti.asked == []


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"proxies": ("console.example",)}, "proxies"),
        ({"proxies": ("console.example:0",)}, "proxies"),
        ({"proxies": ("console.example:vnc",)}, "proxies"),
        ({"origins": ("https://console.example",)}, "origins"),
        ({"origins": ("wss://console.example/path",)}, "origins"),
        ({"page_url": "console.example"}, "page_url"),
        ({"vnc_password": "grün"}, "vnc_password"),
        ({"ganeti_timeout": 0.0}, "ganeti_timeout"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused_by_name(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[console\] {key}:"):
        ConsoleSettings(**settings)


def test_a_file_of_authorities_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="proxy_ca_file"):
        console_proxies.of(ConsoleSettings(proxies=("console.example:24999",), proxy_ca_file="/nonexistent"))


def test_consoles_take_proxies_and_the_key_that_opens_ganetis_password(world: World) -> None:
    sessions, rules = world.cloud.sessions, CloudSettings()
    assert console_desk.of(ConsoleSettings(), rules, sessions, None, roles_elsewhere=False) is None
    settings = ConsoleSettings(proxies=("console.example:24999", "[2001:db8::1]:24999"), plain_proxies=True)
    with pytest.raises(ConfigError, match=r"\[secrets\] key"):
        console_desk.of(settings, rules, sessions, None, roles_elsewhere=False)
    made = console_desk.of(settings, rules, sessions, world.vault, roles_elsewhere=True)
    assert made is not None
    assert list(made.proxies.by_name) == ["console.example:24999", "[2001:db8::1]:24999"]
