"""What the sandbox writes for tempest is good to log in with, and each role may what it should."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.client import Client, Refused
from tests.e2e.sandbox_process import SandboxProcess

Clients = dict[str, Client]


@pytest.fixture(scope="module")
def logged_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    sandbox = SandboxProcess(tmp_path_factory.mktemp("sandbox"))
    sandbox.start()
    clients = {}
    for entry in yaml.safe_load((sandbox.folder / "tempest-accounts.yaml").read_text()):
        client = Client(sandbox.url)
        client.log_in(entry["username"], entry["password"], project=entry["project_name"])
        clients[entry["username"]] = client
    yield clients
    assert sandbox.stop() == 0


def test_a_member_makes_a_server_that_the_projects_reader_sees_and_nobody_elses(logged_in: Clients) -> None:
    server_id = logged_in["tempest-1-member"].create("seen")

    assert logged_in["tempest-1-reader"].call("GET", f"/servers/{server_id}")["server"]["name"] == "seen"
    with pytest.raises(Refused, match="404"):
        logged_in["tempest-2-reader"].call("GET", f"/servers/{server_id}")


def test_a_reader_makes_nothing(logged_in: Clients) -> None:
    with pytest.raises(Refused, match="403"):
        logged_in["tempest-1-reader"].create("unseen")


def test_only_the_admins_see_hypervisors(logged_in: Clients) -> None:
    assert logged_in["tempest-5-admin"].call("GET", "/os-hypervisors")["hypervisors"]
    with pytest.raises(Refused, match="403"):
        logged_in["tempest-1-member"].call("GET", "/os-hypervisors")
