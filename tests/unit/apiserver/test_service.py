"""What an API process is made from."""

from pathlib import Path

import pytest

from apiserver import service
from cloud.vault import new_key
from common import config
from tests.support import clouds

KEYSTONE = {"SYROS_API_IDENTITY": "keystone", "SYROS_KEYSTONE_AUTH_URL": "http://127.0.0.1:9/v3"}


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of a database with the schema."""
    clouds.sqlite_sessions(tmp_path).close()
    return f"sqlite:///{tmp_path}/syros.db"


def build(**environ: str) -> service.Service:
    wanted = {
        "SYROS_DATABASE_URL": "sqlite://",
        "SYROS_API_SUBMITTER": "false",
        "SYROS_IMAGES_WORKER": "false",
        **environ,
    }
    return service.build(config.Config({}, wanted, origin="test"))


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"SYROS_API_IDENTITY": "ldap"}, "local or keystone"),
        (KEYSTONE, "auth_url and password"),
        ({**KEYSTONE, "SYROS_KEYSTONE_AUTH_URL": "keystone", "SYROS_KEYSTONE_PASSWORD": "p"}, "auth_url and password"),
    ],
)
def test_an_identity_service_that_can_not_be_meant_is_said(environ: dict[str, str], text: str) -> None:
    with pytest.raises(config.ConfigError, match=text):
        build(**environ)


@pytest.mark.parametrize(("environ", "status"), [({}, 300), ({**KEYSTONE, "SYROS_KEYSTONE_PASSWORD": "p"}, 404)])
def test_identity_is_served_here_unless_a_keystone_is_configured(
    database: str, environ: dict[str, str], status: int
) -> None:
    made = build(**environ, SYROS_DATABASE_URL=database)
    assert made.app.test_client().get("/identity").status_code == status
    made.stop()


CONSOLES = {
    "SYROS_CONSOLE_PROXIES": "console1.example:24999,console2.example:24999",
    "SYROS_CONSOLE_ORIGINS": "wss://console1.example:6080,wss://console2.example:6080",
}


def test_the_console_page_may_connect_to_the_proxies_and_nowhere_else(database: str) -> None:
    made = build(**CONSOLES, SYROS_SECRETS_KEY=new_key(), SYROS_DATABASE_URL=database)
    with made.app.test_client().get("/console/") as page:
        policy = page.headers["Content-Security-Policy"]
    assert policy.endswith("connect-src 'self' wss://console1.example:6080 wss://console2.example:6080")
    made.stop()


def test_consoles_without_the_key_that_opens_ganetis_passwords_are_said() -> None:
    with pytest.raises(config.ConfigError, match=r"\[secrets\] key"):
        build(**CONSOLES)


def test_on_a_schema_that_is_behind_nothing_is_served_but_what_watchers_ask() -> None:
    made = build()
    client = made.app.test_client()
    refused = client.get("/identity")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json is not None
    assert "at nothing" in ready.json["schema"]
    assert "`syros-manage db upgrade`" in ready.json["schema"]
    assert client.get("/healthz").status_code == 200
    made.stop()
