"""A small cloud on a machine: the roles that need no node, with a simulated Ganeti, and servers of a tenant."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import process
from lab.machine import Machine

PASSWORD = "correct-horse"
ROLES = ("apiserver", "dispatcher", "eventd")
#: what the admin of the machine has written into the configuration that the packages brought
EDIT = '\n[eventd]\nnode_name = "node1.gnt.test"\nmetrics_address = "127.0.0.1:9464"\n'
PATIENCE = 180.0

_GANETI = "/var/lib/ganeti"
_VENV = "/opt/venvs/syros/bin"
_SEED = f"""
from pathlib import Path
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common import config
from db.sessions import Sessions
from sandbox import seed
url = Path("/etc/syros/secrets/database-url").read_text().strip()
seed.seed(
    Cloud(Sessions(config.Database(url=url)), CloudSettings()), demo_password="{PASSWORD}", admin_password="{PASSWORD}"
)
"""
#: asked by the system's Python: the virtualenv's programs are what is upgraded
_ASK = """
import json, sys, urllib.error, urllib.request
port, method, path, token, body = sys.argv[1:]
headers = {"Content-Type": "application/json", "X-Auth-Token": token}
request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body.encode() or None, headers, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=60)
except urllib.error.HTTPError as err:
    answer = err
except OSError as err:
    print(json.dumps({"status": 0, "headers": {}, "body": str(err)}))
    sys.exit()
print(json.dumps({"status": answer.status, "headers": dict(answer.headers), "body": answer.read().decode()}))
"""


@dataclass
class Answer:
    """What the API said; status 0 is a connection that failed."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class SmallCloud:
    """The tenant's and the operator's ways into the machine's cloud."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._token = ""

    def set_up(self, script: str) -> None:
        """Set the machine up with these commands, and give it a cluster, people, flavors, images, networks."""
        self.machine.run("sh", "-euc", script, timeout=300)
        config = self.machine.root / "etc/syros/syros.toml"
        text = config.read_text()
        config.write_text(text.replace('\n[eventd]\nmetrics_address = "127.0.0.1:9464"\n', EDIT))
        assert EDIT in config.read_text()
        self.start_ganeti()
        self.machine.run("systemctl", "enable", "--now", *(f"syros-{role}" for role in ROLES), timeout=300)
        self.machine.run(f"{_VENV}/python", "-c", _SEED)
        (self.machine.root / "root/rapi-password").write_text("secret\n")
        self.machine.run(
            *("syros-manage", "backend", "add", "--rapi-url", "https://127.0.0.1:5080", "--rapi-user", "syros"),
            *("--rapi-password-file", "/root/rapi-password", "--ca-file", f"{_GANETI}/ca.pem"),
            *("--disk-template", "file", "simulated"),
        )
        self.log_in()

    def start_ganeti(self) -> None:
        """Have a simulated master of Ganeti run, with its queue where eventd looks."""
        # of a copy of its own: Ganeti is not what is upgraded
        copy = "cp -a /opt/venvs/syros /opt/simulated-ganeti"
        simulate = "systemd-run --unit=ganeti-simulated /opt/simulated-ganeti/bin/python -m gntsim"
        self.machine.run("sh", "-euc", f"{copy}\n{simulate} --data {_GANETI} --user syros:secret --scale 0.2")
        process.wait_until(
            (self.machine.root / f"{_GANETI[1:]}/ca.pem").exists, what="the simulated Ganeti", timeout=PATIENCE
        )

    def start_previous(self, common: Path, *, port: int) -> None:
        """Have the API server of another syros-common run beside the installed one, as on another host."""
        target = self.machine.root / "opt/previous"
        process.run(["dpkg-deb", "-x", str(common), str(target)])
        self.machine.run(
            *("systemd-run", "--unit=previous-apiserver", f"--setenv=SYROS_API_PORT={port}"),
            *("/opt/previous/opt/venvs/syros/bin/python", "-m", "apiserver"),
        )
        process.wait_until(lambda: self.ready(port), what="the previous API server", timeout=PATIENCE)

    def log_in(self, *, port: int = 8774) -> None:
        user = {"name": "demo", "password": PASSWORD, "domain": {"id": "default"}}
        scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = self.ask("POST", "/identity/v3/auth/tokens", body, port=port)
        assert answer.status == 201, answer
        self._token = answer.headers["X-Subject-Token"]

    def ask(self, method: str, path: str, body: object = None, *, port: int = 8774) -> Answer:
        told = "" if body is None else json.dumps(body)
        said = self.machine.run("/usr/bin/python3", "-c", _ASK, str(port), method, path, self._token, told)
        found = json.loads(said)
        return Answer(found["status"], found["headers"], found["body"])

    def ready(self, port: int = 8774) -> bool:
        return self.ask("GET", "/readyz", port=port).status == 200

    def create(self, name: str, *, port: int = 8774) -> str:
        """Make a server that runs; give its id."""
        image = self.ask("GET", "/compute/v2.1/images", port=port).json["images"][0]["id"]
        networks = self.ask("GET", "/network/v2.0/networks", port=port).json["networks"]
        (network,) = (row["id"] for row in networks if row["name"] == "public")
        server = {"name": name, "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}
        made = self.ask("POST", "/compute/v2.1/servers", {"server": server}, port=port)
        assert made.status == 202, made
        process.wait_until(
            lambda: self.states(port=port).get(name) == "ACTIVE", what=f"{name} runs", timeout=PATIENCE, every=0.5
        )
        return str(made.json["server"]["id"])

    def servers(self, *, port: int = 8774) -> list[dict[str, Any]]:
        """List the tenant's servers, by name."""
        found = self.ask("GET", "/compute/v2.1/servers/detail", port=port)
        assert found.status == 200, found
        servers: list[dict[str, Any]] = found.json["servers"]
        return sorted(servers, key=lambda server: str(server["name"]))

    def states(self, *, port: int = 8774) -> dict[str, str]:
        return {server["name"]: server["status"] for server in self.servers(port=port)}

    def manage(self, *words: str, code: int = 0) -> Any:
        """Run syros-manage; give what it says, decoded."""
        done = self.machine.ask("syros-manage", "--format", "json", *words, timeout=300)
        assert done.returncode == code, f"{shlex.join(words)}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def ganeti(self, method: str, path: str) -> None:
        """Order something of the cluster behind Syros' back."""
        told = f"https://syros:secret@127.0.0.1:5080{path}"
        script = (
            "import requests, sys; requests.request(sys.argv[1], sys.argv[2], verify=sys.argv[3], timeout=60)"
            ".raise_for_status()"
        )
        self.machine.run("/opt/simulated-ganeti/bin/python", "-c", script, method, told, f"{_GANETI}/ca.pem")

    def rows(self) -> dict[str, int]:
        """Count the rows of the tables whose rows only an order or an event changes."""
        counted = ("projects", "users", "instances", "ports", "jobs", "images", "flavors", "networks", "quotas")
        found = {}
        for table in counted:
            order = f"SELECT count(*) FROM {table}"
            said = self.machine.run("runuser", "-u", "postgres", "--", "psql", "-tAc", order, "syros")
            found[table] = int(said)
        return found

    def pid(self, unit: str) -> int:
        """Give the main process of a unit that runs; 0 if it does not."""
        return int(self.machine.run("systemctl", "show", unit, "--property=MainPID", "--value"))
