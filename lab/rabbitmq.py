"""A RabbitMQ node of our own: private name, ports, port mapper, cookie and folders; loopback only."""

import json
import os
import secrets
import shutil
import socket
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from lab import process

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONTROL = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
SYSTEM_USER = "rabbitmq"
USER = "syros"
AMQP_GREETING = b"AMQP\x00\x00\x09\x01"


def unavailable() -> str | None:
    """Why this machine cannot run one, or None."""
    return None if SERVER.exists() and shutil.which("erl") else "RabbitMQ is not installed"


class RabbitMQ:
    """One broker. It has no guest user: ours is made, with its password, at the first start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.management_port = 0
        self.password = secrets.token_urlsafe(18)
        self._env: dict[str, str] = {}
        self._process: process.Guarded | None = None

    @property
    def url(self) -> str:
        """The default virtual host's URL."""
        return self.vhost_url("/")

    def vhost_url(self, vhost: str) -> str:
        """Where pika finds a virtual host of this broker."""
        name = urllib.parse.quote(vhost, safe="")
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Return when it speaks AMQP."""
        if not self.port:
            self._prepare()
        self._process = process.Guarded(
            process.as_user(SYSTEM_USER, [str(SERVER)]), log=self.folder / "console.log", env=self._env
        )
        process.wait_until(self._answers, what=f"RabbitMQ does not answer, see {self.folder}", timeout=120)

    def stop(self) -> None:
        """Shut it down in good order."""
        if self._process:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Kill every process of it, as a power cut would."""
        if self._process:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """Down and up again on the same port; durable queues survive."""
        self.stop()
        self.start()

    def create_vhost(self, name: str) -> str:
        """Make a virtual host for our user and give its URL."""
        quoted = urllib.parse.quote(name, safe="")
        self.manage("PUT", f"/api/vhosts/{quoted}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.manage("PUT", f"/api/permissions/{quoted}/{USER}", everything)
        return self.vhost_url(name)

    def delete_vhost(self, name: str) -> None:
        """Remove a virtual host with all that is in it."""
        self.manage("DELETE", f"/api/vhosts/{urllib.parse.quote(name, safe='')}")

    def create_user(self, name: str, password: str, *, vhost: str) -> None:
        """Make a user who may do everything in one virtual host."""
        self.manage("PUT", f"/api/users/{name}", {"password": password, "tags": ""})
        quoted = urllib.parse.quote(vhost, safe="")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.manage("PUT", f"/api/permissions/{quoted}/{name}", everything)

    def manage(self, method: str, path: str, body: Mapping[str, object] | None = None) -> object:
        """One call of the management API; the decoded answer, or None where it has no body."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.management_port}{path}",
            method=method,
            data=json.dumps(body or {}).encode() if method in ("PUT", "POST") else None,
            headers={"Content-Type": "application/json"},
        )
        manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
        manager.add_password(None, request.full_url, USER, self.password, is_authenticated=True)
        # No proxy of the environment stands between us and our own loopback.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(manager)
        )
        with opener.open(request, timeout=30) as answer:
            text = answer.read()
        decoded: object = json.loads(text) if text else None
        return decoded

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl against this node (a second or two) and give its output."""
        return process.run(process.as_user(SYSTEM_USER, [str(CONTROL), *arguments]), env=self._env)

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, distribution, mapper, self.management_port = (process.free_port() for _ in range(4))
        config = self.folder / "rabbitmq.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.management_port}\n"
            f"default_user = {USER}\ndefault_pass = {self.password}\n"
            "disk_free_limit.absolute = 50MB\nlog.console = false\nlog.file.level = info\n"
        )
        plugins = self.folder / "enabled_plugins"
        plugins.write_text("[rabbitmq_management].\n")
        process.give_to(SYSTEM_USER, self.folder, config, plugins)
        self._env = {
            "PATH": f"{os.defpath}:/usr/sbin:/sbin",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": f"syros-{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise process.LabError(f"RabbitMQ ended at once: {(self.folder / 'console.log').read_text()[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(AMQP_GREETING)
                return client.recv(8) not in (b"", AMQP_GREETING)
        except OSError:
            return False
