"""The whole cloud: what a client asks for is what Ganeti does, and what Ganeti did is what the client sees."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from lab import cloud as lab_cloud
from lab import handles, process, seed

PATIENCE = 60.0
ON_THE_WAY = (
    *(
        "BUILD",
        "ACTIVE",
        "SHUTOFF",
        "REBOOT",
        "HARD_REBOOT",
        "RESIZE",
        "VERIFY_RESIZE",
        "REBUILD",
        "RESCUE",
        "MIGRATING",
    ),
)


class Session:
    """A tenant's token, and calls with it; a second library would only test that library."""

    def __init__(self, cloud: lab_cloud.LabCloud, login: seed.Login) -> None:
        self.cloud = cloud
        self.token = ""
        domain = {"name": "Default"}
        user = {"name": login.user, "password": login.password, "domain": domain}
        scope = {"project": {"name": login.project, "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        _, headers, _ = self._send("POST", f"{cloud.auth_url}/auth/tokens", body)
        self.token = headers["X-Subject-Token"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call of the compute API; the decoded answer, whatever its shape."""
        return self._send(method, f"{self.cloud.api_url}/compute/v2.1{path}", body)[2]

    def call_network(self, method: str, path: str, body: object = None) -> Any:
        """One call of the network API; the decoded answer."""
        return self._send(method, f"{self.cloud.api_url}/network/v2.0{path}", body)[2]

    def status(self, server: str) -> str:
        """A server's status; GONE when there is none."""
        try:
            return str(self.call("GET", f"/servers/{server}")["server"]["status"])
        except urllib.error.HTTPError as err:
            with err:
                if err.code != 404:
                    raise
            return "GONE"

    def create(self, name: str) -> str:
        """Ask for the smallest server; its id."""
        flavors = self.call("GET", "/flavors")["flavors"]
        images = self.call("GET", "/images")["images"]
        flavor = next(each["id"] for each in flavors if each["name"] == "m1.tiny")
        spec = {"name": name, "flavorRef": flavor, "imageRef": images[0]["id"]}
        return str(self.call("POST", "/servers", {"server": spec})["server"]["id"])

    def wait(self, server: str, status: str) -> None:
        """Wait for a status while the lab's programs are kept running, as `make lab` does."""

        def reached() -> bool:
            self.cloud.programs.restart_ended()
            seen = self.status(server)
            assert seen in (status, *ON_THE_WAY), f"{server} is {seen}, not {status}"
            return seen == status

        process.wait_until(reached, what=f"server {server} becomes {status}", timeout=PATIENCE, every=0.2)

    def _send(self, method: str, url: str, body: object) -> tuple[int, Any, Any]:
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token}
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, method=method, data=data, headers=headers), timeout=30) as answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None


def in_ganeti(cloud: lab_cloud.LabCloud) -> dict[str, str]:
    """The status of each instance, by its name, as Ganeti's own command sees it."""
    listed = cloud.cluster.run(["gnt-instance", "list", "--no-headers", "--separator=|", "-o", "name,status"]).stdout
    return dict(line.split("|") for line in listed.splitlines())


@pytest.fixture
def tenant(cloud: lab_cloud.LabCloud) -> Session:
    return Session(cloud, cloud.demo)


def test_a_server_becomes_a_qemu_process_and_active_in_the_database(cloud: lab_cloud.LabCloud, tenant: Session) -> None:
    server = tenant.create("web1")
    tenant.wait(server, "ACTIVE")

    assert in_ganeti(cloud) == {f"syros-{server}": "running"}
    assert server in cloud.cluster.run(["pgrep", "-fa", "qemu-system"]).stdout
    connection = psycopg2.connect(cloud.postgres.url("syros").replace("+psycopg2", ""))
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM instances WHERE id = %s", (server,))
        assert cursor.fetchone() == ("active",)
    connection.close()

    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")
    assert in_ganeti(cloud) == {}


def test_stop_start_and_reboot_agree_with_ganeti_at_every_step(cloud: lab_cloud.LabCloud, tenant: Session) -> None:
    server = tenant.create("web2")
    tenant.wait(server, "ACTIVE")
    steps: list[tuple[dict[str, object], str, str]] = [
        ({"os-stop": None}, "SHUTOFF", "ADMIN_down"),
        ({"os-start": None}, "ACTIVE", "running"),
        ({"reboot": {"type": "HARD"}}, "ACTIVE", "running"),
    ]
    for action, status, in_cluster in steps:
        tenant.call("POST", f"/servers/{server}/action", action)
        tenant.wait(server, status)
        assert in_ganeti(cloud)[f"syros-{server}"] == in_cluster
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


@pytest.mark.parametrize("victim", ["apiserver", "dispatcher", "eventd-node1"])
def test_a_create_survives_the_kill_of_any_one_program(cloud: lab_cloud.LabCloud, tenant: Session, victim: str) -> None:
    server = tenant.create("web3")
    cloud.programs.kill(victim)
    assert set(cloud.programs.restart_ended()) == {victim}
    process.wait_until(cloud.ready, what="the API comes back", timeout=PATIENCE)

    tenant.wait(server, "ACTIVE")
    assert in_ganeti(cloud) == {f"syros-{server}": "running"}
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


def test_a_create_survives_the_kill_of_the_broker(cloud: lab_cloud.LabCloud, tenant: Session) -> None:
    server = tenant.create("web4")
    cloud.rabbitmq.kill()
    cloud.rabbitmq.start()

    tenant.wait(server, "ACTIVE")
    assert in_ganeti(cloud) == {f"syros-{server}": "running"}
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


def test_a_resize_and_a_rebuild_happen_in_ganeti(cloud: lab_cloud.LabCloud, tenant: Session) -> None:
    server = tenant.create("grower")
    tenant.wait(server, "ACTIVE")
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.small")

    tenant.call("POST", f"/servers/{server}/action", {"resize": {"flavorRef": flavor}})
    tenant.wait(server, "VERIFY_RESIZE")
    tenant.call("POST", f"/servers/{server}/action", {"confirmResize": None})
    tenant.wait(server, "ACTIVE")
    listed = cloud.cluster.run(["gnt-instance", "list", "--no-headers", "-o", "name,be/memory"]).stdout
    assert f"syros-{server} 128" in " ".join(listed.split())

    image = tenant.call("GET", "/images")["images"][0]["id"]
    tenant.call("POST", f"/servers/{server}/action", {"rebuild": {"imageRef": image}})
    tenant.wait(server, "ACTIVE")
    actions = tenant.call("GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
    assert [action["action"] for action in actions] == ["rebuild", "confirmResize", "resize", "create"]
    assert all(action["message"] is None for action in actions)
    tenant.call("DELETE", f"/servers/{server}")
    tenant.wait(server, "GONE")


def test_a_newcomer_finds_a_node_and_the_operators_command_line(cloud: lab_cloud.LabCloud, tmp_path: Path) -> None:
    handles.write(tmp_path, cloud)

    on_node = [str(tmp_path / "node1"), "gnt-cluster", "getmaster"]
    assert subprocess.run(on_node, capture_output=True, text=True, check=True).stdout == "node1.lab.test\n"
    status = [sys.executable, "-m", "manage", "--config", str(tmp_path / "syros.toml"), "backend", "list"]
    assert "lab" in subprocess.run(status, capture_output=True, text=True, check=True).stdout

    handles.remove(tmp_path)
    assert not tmp_path.exists()
