"""The accounts for tempest: made once, kept in a file for its owner alone, and good to log in with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cloud import accounts, auth
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common import config
from common.errors import Unauthorized
from db import schema
from db.sessions import Sessions
from sandbox import tempest

Entry = dict[str, object]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    sessions = Sessions(config.Database(url=f"sqlite:///{tmp_path}/syros.db"))
    schema.upgrade(sessions.engine)
    yield Cloud(sessions, CloudSettings())
    sessions.close()


def seeded(cloud: Cloud, path: Path) -> list[Entry]:
    tempest.seed(cloud, path)
    return list(yaml.safe_load(path.read_text()))


def test_each_of_two_workers_has_two_projects_with_a_member_and_a_reader_and_an_admin(
    cloud: Cloud, tmp_path: Path
) -> None:
    entries = seeded(cloud, tmp_path / "accounts.yaml")

    places = [(entry["project_name"], entry["roles"]) for entry in entries if "types" not in entry]
    for number in range(1, 5):
        assert (f"tempest-{number}", ["member"]) in places
        assert (f"tempest-{number}", ["reader"]) in places
    assert [entry["types"] for entry in entries if "types" in entry] == [["admin"], ["admin"]]


def test_only_its_owner_reads_the_file(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    seeded(cloud, path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_start_changes_nothing(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    first, users = seeded(cloud, path), accounts.all_users(cloud)
    assert seeded(cloud, path) == first
    assert [user.password_hash for user in accounts.all_users(cloud)] == [user.password_hash for user in users]


def test_a_file_that_is_lost_is_made_anew_with_passwords_that_work(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    old = seeded(cloud, path)[0]
    path.unlink()
    new = seeded(cloud, path)[0]
    log_in(cloud, new)
    with pytest.raises(Unauthorized):
        log_in(cloud, old)


def log_in(cloud: Cloud, entry: Entry) -> None:
    scope = auth.Scope(project_name=str(entry["project_name"]))
    auth.by_password(cloud, user_name=str(entry["username"]), password=str(entry["password"]), scope=scope)
