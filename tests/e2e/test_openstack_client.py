"""A stranger's first ten minutes: the sandbox, and the real openstack client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.sandbox_process import SandboxProcess


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    running = SandboxProcess(tmp_path_factory.mktemp("sandbox"))
    running.start()
    yield running
    assert running.stop() == 0


def test_the_greeting_names_the_url_two_logins_three_commands_and_the_operators(sandbox: SandboxProcess) -> None:
    text = sandbox.text

    assert sandbox.url in text
    assert "demo " in text
    assert "admin " in text
    assert text.count("openstack --os-cloud syros") == 3
    assert f"syros-manage --config {sandbox.folder}/syros.toml" in text


def test_a_servers_life_from_create_to_delete(sandbox: SandboxProcess) -> None:
    sandbox.openstack("server", "create", "--flavor", "m1.small", "--image", "debian-12", "--wait", "web1")
    assert _status(sandbox, "web1") == "ACTIVE"

    sandbox.openstack("server", "stop", "web1")
    _wait(sandbox, "web1", "SHUTOFF")
    sandbox.openstack("server", "start", "web1")
    _wait(sandbox, "web1", "ACTIVE")
    sandbox.openstack("server", "reboot", "--hard", "--wait", "web1")
    sandbox.openstack("server", "set", "--name", "web2", "web1")
    assert _status(sandbox, "web2") == "ACTIVE"

    sandbox.openstack("server", "delete", "--wait", "web2")
    assert json.loads(sandbox.openstack("server", "list", "-f", "json")) == []


def test_ten_servers_at_once_and_gone_again(sandbox: SandboxProcess) -> None:
    sandbox.openstack(
        "server", "create", "--flavor", "m1.tiny", "--image", "cirros", "--min", "10", "--max", "10", "--wait", "ten"
    )
    listed = json.loads(sandbox.openstack("server", "list", "-f", "json"))

    assert [server["Status"] for server in listed] == ["ACTIVE"] * 10
    sandbox.openstack("server", "delete", "--wait", *(server["ID"] for server in listed))
    assert json.loads(sandbox.openstack("server", "list", "-f", "json")) == []
    assert json.loads(sandbox.openstack("limits", "show", "--absolute", "-f", "json"))


def test_the_operators_commands_see_into_the_sandbox(sandbox: SandboxProcess) -> None:
    assert "simulated" in sandbox.manage("backend", "list")
    sandbox.manage("reconcile", "--dry-run")

    sandbox.openstack("server", "create", "--flavor", "m1.small", "--image", "debian-12", "--wait", "seen")
    sandbox.openstack("console", "url", "show", "--serial", "seen")
    (session,) = json.loads(sandbox.manage("--format", "json", "console", "list"))
    sandbox.manage("console", "kill", "--yes", session["id"])
    sandbox.openstack("server", "delete", "--wait", "seen")


def test_what_a_tenant_and_an_operator_may_list(sandbox: SandboxProcess) -> None:
    assert "m1.small" in sandbox.openstack("flavor", "list")
    assert "debian-12" in sandbox.openstack("image", "list")
    assert "compute" in sandbox.openstack("catalog", "list")
    assert "demo" in sandbox.openstack("project", "list", cloud="syros-admin")


def test_the_state_survives_a_second_run(tmp_path: Path) -> None:
    first = SandboxProcess(tmp_path / "var")
    first.start()
    first.openstack("server", "create", "--flavor", "m1.tiny", "--image", "cirros", "--wait", "keeper")
    assert first.stop() == 0

    second = SandboxProcess(tmp_path / "var")
    second.start()
    try:
        assert _status(second, "keeper") == "ACTIVE"
        second.openstack("server", "delete", "--wait", "keeper")
    finally:
        assert second.stop() == 0


def _status(sandbox: SandboxProcess, name: str) -> str:
    return sandbox.openstack("server", "show", name, "-f", "value", "-c", "status")


def _wait(sandbox: SandboxProcess, name: str, status: str) -> None:
    for _ in range(20):
        if _status(sandbox, name) == status:
            return
    pytest.fail(f"{name} never became {status}")


def test_a_resize_is_reverted_then_made_and_confirmed_and_a_rebuild_keeps_the_server(sandbox: SandboxProcess) -> None:
    sandbox.openstack("server", "create", "--flavor", "m1.tiny", "--image", "cirros", "--wait", "grower")

    sandbox.openstack("server", "resize", "--flavor", "m1.small", "--wait", "grower")
    assert _status(sandbox, "grower") == "VERIFY_RESIZE"
    sandbox.openstack("server", "resize", "revert", "grower")
    _wait(sandbox, "grower", "ACTIVE")
    assert "m1.tiny" in sandbox.openstack("server", "show", "grower", "-f", "value", "-c", "flavor")

    sandbox.openstack("server", "resize", "--flavor", "m1.small", "--wait", "grower")
    sandbox.openstack("server", "resize", "confirm", "grower")
    _wait(sandbox, "grower", "ACTIVE")
    assert "m1.small" in sandbox.openstack("server", "show", "grower", "-f", "value", "-c", "flavor")

    sandbox.openstack("server", "rebuild", "--image", "debian-12", "--wait", "grower")
    assert "debian-12" in sandbox.openstack("server", "show", "grower", "-f", "value", "-c", "image")
    sandbox.openstack("server", "delete", "--wait", "grower")


def test_an_image_of_a_stopped_server_has_real_bytes(sandbox: SandboxProcess, tmp_path: Path) -> None:
    sandbox.openstack("server", "create", "--flavor", "m1.tiny", "--image", "cirros", "--wait", "model")
    sandbox.openstack("server", "stop", "model")
    _wait(sandbox, "model", "SHUTOFF")

    sandbox.openstack("server", "image", "create", "--wait", "--name", "made", "model")
    assert sandbox.openstack("image", "show", "made", "-f", "value", "-c", "status") == "active"
    sandbox.openstack("image", "save", "--file", str(tmp_path / "made"), "made")
    assert (tmp_path / "made").stat().st_size > 0
    sandbox.openstack("server", "delete", "--wait", "model")
    sandbox.openstack("image", "delete", "made")
