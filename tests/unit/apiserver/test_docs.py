"""The API's description, where it is wanted."""

from __future__ import annotations

import pytest

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud.context import Cloud
from cloud.settings import CloudSettings
from db.sessions import Sessions


@pytest.mark.parametrize(("wanted", "status"), [(True, 200), (False, 404)])
def test_the_description_is_served_where_it_is_wanted(sessions: Sessions, wanted: bool, status: int) -> None:
    app = create_app(Cloud(sessions, CloudSettings()), ApiSettings(docs=wanted), bus_ready=lambda: True)
    for path in ("/docs", "/swagger.json"):
        assert app.test_client().get(path).status_code == status
