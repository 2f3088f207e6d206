"""A cloud that shows consoles, and what opens the screen of one of its servers."""

from __future__ import annotations

from dataclasses import replace

import flask
import pytest

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud.context import Cloud
from tests.support.consoles import FakeProxy, Places, desk
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Standing
from tests.unit.apiserver.compute.remote_consoles.page import ask, token_of


@pytest.fixture
def places() -> Places:
    return Places()


@pytest.fixture
def proxy() -> FakeProxy:
    return FakeProxy("one")


@pytest.fixture
def showing(standing: Standing, cloud: Cloud, places: Places, proxy: FakeProxy) -> Cloud:
    """A cloud that shows consoles."""
    return replace(standing.cloud, console_desk=desk(places, proxy))


@pytest.fixture
def app(showing: Cloud) -> flask.Flask:
    return create_app(showing, ApiSettings(public_url="https://cloud.example"), bus_ready=lambda: True)


@pytest.fixture
def token(demo: Asking, active: str) -> str:
    """What opens the screen of a server that runs."""
    return token_of(ask(demo, active, "os-getVNCConsole", "novnc")["url"])
