"""A Keystone instead of the identity service of our own; another app of ours stands in for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import flask
import pytest

from apiserver import server
from apiserver.app import create_app
from apiserver.front import ForeignIdentity
from apiserver.keystone import Keystone
from apiserver.keystone_settings import KeystoneSettings
from apiserver.settings import ApiSettings
from cloud import accounts, quotas
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common.errors import Unauthorized, Unavailable
from db.quotas import Resource
from db.users import Role
from tests.support import clouds
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.conftest import Clock


@pytest.fixture
def theirs(app: flask.Flask, cloud: Cloud) -> Iterator[KeystoneSettings]:
    """The stand-in, with a service user who may look at tokens; what it takes to reach it."""
    accounts.add_project(cloud, "service")
    accounts.add_user(cloud, "syros", password="service-secret")
    accounts.grant(cloud, user="syros", project="service", role=Role.ADMIN)
    serving = server.serve(app, "127.0.0.1", 0)
    yield KeystoneSettings(auth_url=f"http://127.0.0.1:{serving.port}/identity", password="service-secret")
    serving.stop()


@pytest.fixture
def mine(tmp_path: Path, clock: Clock) -> Iterator[Cloud]:
    """A cloud of its own database, which knows nobody."""
    sessions = clouds.sqlite_sessions(tmp_path)
    yield Cloud(sessions, CloudSettings(), clock=clock)
    sessions.close()


def api(mine: Cloud, keystone: Keystone) -> flask.Flask:
    foreign = ForeignIdentity(validate=keystone.validate, url=keystone.url)
    return create_app(mine, ApiSettings(), bus_ready=lambda: True, foreign_identity=foreign)


@pytest.fixture
def showing(mine: Cloud, theirs: KeystoneSettings) -> Callable[[Asking], Asking]:
    """Shows somebody's token to an API that asks the stand-in."""
    client = api(mine, Keystone(mine, theirs)).test_client()
    return lambda asking: Asking(client, asking.token)


def test_a_token_of_theirs_is_good_here(demo: Asking, cloud: Cloud, showing: Callable[[Asking], Asking]) -> None:
    asking = showing(demo)
    assert asking.get("/compute/v2.1/servers").status_code == 200
    assert asking.get(f"/compute/v2.1/{accounts.project(cloud, 'demo').id}/servers").status_code == 200


def test_users_and_projects_get_rows_by_their_own_ids_on_first_sight(
    demo: Asking, cloud: Cloud, mine: Cloud, showing: Callable[[Asking], Asking]
) -> None:
    asking = showing(demo)
    asking.get("/compute/v2.1/servers")
    asking.get("/compute/v2.1/servers")
    assert [(row.id, row.name) for row in accounts.all_users(mine)] == [(accounts.user(cloud, "demo").id, "demo")]
    project = accounts.project(cloud, "demo").id
    assert [(row.id, row.name) for row in accounts.all_projects(mine)] == [(project, "demo")]
    quotas.set_limits(mine, project, {Resource.CORES: 3})


def test_roles_count_here_as_they_do_there(
    anyone: Asking, admin: Asking, demo: Asking, showing: Callable[[Asking], Asking]
) -> None:
    key = {"keypair": {"name": "mine"}}
    assert showing(demo).post("/compute/v2.1/os-keypairs", key).status_code in (200, 201)
    assert showing(anyone.as_user("watcher")).post("/compute/v2.1/os-keypairs", key).status_code == 403
    assert showing(demo).get("/compute/v2.1/servers?all_tenants=true").status_code == 403
    assert showing(admin).get("/compute/v2.1/servers?all_tenants=true").status_code == 200


def test_a_role_that_has_no_meaning_here_is_not_enough(demo: Asking, mine: Cloud, theirs: KeystoneSettings) -> None:
    client = api(mine, Keystone(mine, replace(theirs, member_roles=("operator",)))).test_client()
    assert Asking(client, demo.token).get("/compute/v2.1/servers").status_code == 403


@pytest.mark.parametrize("token", ["unknown", "with space", "\xe9", "x" * 5000])
def test_an_unknown_token_is_answered_with_where_to_get_one(
    anyone: Asking, showing: Callable[[Asking], Asking], theirs: KeystoneSettings, token: str
) -> None:
    answer = showing(Asking(anyone.client, token)).get("/compute/v2.1/servers")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{theirs.auth_url}/v3"'


def test_identity_is_not_served_here(showing: Callable[[Asking], Asking], demo: Asking) -> None:
    for path in ("/identity", "/identity/v3", "/identity/v3/users", "/v3/auth/tokens", "/v2.0/tokens"):
        assert showing(demo).get(path).status_code == 404


def test_their_word_is_remembered_for_a_while_and_no_longer(
    demo: Asking, cloud: Cloud, mine: Cloud, theirs: KeystoneSettings, clock: Clock
) -> None:
    keystone = Keystone(mine, theirs)
    assert keystone.validate(demo.token or "").user.name == "demo"
    accounts.set_user_enabled(cloud, "demo", enabled=False)
    assert keystone.validate(demo.token or "").user.name == "demo"
    clock.forward(seconds=theirs.cache_seconds)
    with pytest.raises(Unauthorized):
        keystone.validate(demo.token or "")


def test_a_token_ends_when_it_expires_also_while_it_is_remembered(
    demo: Asking, mine: Cloud, theirs: KeystoneSettings, clock: Clock
) -> None:
    keystone = Keystone(mine, replace(theirs, cache_seconds=1e6))
    keystone.validate(demo.token or "")
    clock.forward(hours=8)
    with pytest.raises(Unauthorized):
        keystone.validate(demo.token or "")


def test_who_is_disabled_here_stays_out(demo: Asking, mine: Cloud, theirs: KeystoneSettings) -> None:
    Keystone(mine, theirs).validate(demo.token or "")
    accounts.set_project_enabled(mine, "demo", enabled=False)
    with pytest.raises(Unauthorized):
        Keystone(mine, theirs).validate(demo.token or "")


@pytest.mark.parametrize(
    "change", [{"password": "wrong"}, {"auth_url": "http://127.0.0.1:9"}, {"auth_url": "nonsense://"}]
)
def test_a_keystone_that_does_not_serve_us_is_an_outage_and_not_the_callers_fault(
    demo: Asking, mine: Cloud, theirs: KeystoneSettings, change: dict[str, str]
) -> None:
    with pytest.raises(Unavailable):
        Keystone(mine, replace(theirs, **change)).validate(demo.token or "")  # type: ignore[arg-type]  # texts alone
