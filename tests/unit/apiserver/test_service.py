"""What an API process is made from."""

import pytest

from apiserver import service
from common import config

KEYSTONE = {"SYROS_API_IDENTITY": "keystone", "SYROS_KEYSTONE_AUTH_URL": "http://127.0.0.1:9/v3"}


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
def test_identity_is_served_here_unless_a_keystone_is_configured(environ: dict[str, str], status: int) -> None:
    made = build(**environ)
    assert made.app.test_client().get("/identity").status_code == status
    made.stop()
