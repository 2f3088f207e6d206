"""The whole cloud on one machine: real servers, a real Ganeti, and every Syros program as its own process."""

import json
import os
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent import futures
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe

from cloud import vault
from common import config, console_proxy
from lab import certificate, ganeti, postgres, process, programs, queue_rules, rabbitmq, scratch, seed

NODE_CONFIG = "/etc/syros/syros.toml"
NODE_CERTIFICATE = "/etc/syros/seriald.pem"
OS_CONFIG = "/etc/syros/os.conf"
READY_TIMEOUT = 60.0

Progress = Callable[[str], None]
Section = dict[str, str | int | list[str]]


def unavailable() -> str | None:
    """Why this machine cannot run it, or None."""
    if reason := ganeti.unavailable() or postgres.unavailable() or rabbitmq.unavailable():
        return reason
    absent = [name for name in ("xorriso", "nft") if shutil.which(name) is None]
    return f"not installed: {' '.join(absent)}" if absent else None


class LabCloud:
    """One cloud; the API listens on the port, loopback only. `stop` leaves no trace."""

    def __init__(self, *, nodes: int = 1, version: str = "", port: int = 0) -> None:
        self.folder = scratch.folder("cloud")
        self.port = port or process.free_port()
        self.postgres = postgres.Postgres(self.folder / "postgres")
        self.rabbitmq = rabbitmq.RabbitMQ(self.folder / "rabbitmq")
        self.cluster = ganeti.Cluster(self.folder / "ganeti", nodes=nodes, version=version)
        self.programs = programs.Supervisor()
        self.logs = self.folder / "logs"
        self.config = self.folder / "syros.toml"
        self.demo, self.admin = seed.new_logins()
        self._nodes = nodes
        self._console_token = token_urlsafe(24)
        self._metadata_secret = token_urlsafe(24)
        self._node_ca = self.folder / "nodes-ca.pem"
        self._proxy_token = token_urlsafe(24)
        self._proxy_certificate = self.folder / "console-proxy.pem"
        #: where browsers find the console proxy, and the API its control channel
        self.console_port = process.free_port()
        self._proxy_control = process.free_port()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def console_url(self) -> str:
        """Where browsers find the console proxy; test beds do without TLS."""
        return f"ws://127.0.0.1:{self.console_port}/"

    @property
    def console_proxy(self) -> console_proxy.ConsoleProxy:
        """The console proxy's control channel."""
        trusted = console_proxy.trust(str(self._proxy_certificate))
        return console_proxy.ConsoleProxy(
            "127.0.0.1", self._proxy_control, tls=trusted, token=self._proxy_token, timeout=READY_TIMEOUT
        )

    @property
    def auth_url(self) -> str:
        return f"{self.api_url}/identity/v3"

    def start(self, progress: Progress = lambda _: None) -> None:
        """Bring everything up, until the API is ready; nothing is left if that fails."""
        self.logs.mkdir()
        try:
            self._claim_port()
            with futures.ThreadPoolExecutor() as pool:
                for started in [
                    pool.submit(self.postgres.start),
                    pool.submit(self.rabbitmq.start),
                    pool.submit(self.cluster.start, progress),
                ]:
                    started.result()
            progress("PostgreSQL, RabbitMQ and Ganeti are up")
            database = config.Database(url=self.postgres.create_database("syros"))
            secrets = config.Secrets(key=vault.new_key())
            self._install_on_nodes()
            seed.fill(database, secrets, cluster=self.cluster, logins=(self.demo, self.admin))
            self._start_programs(database, secrets)
            process.wait_until(self._came_up, what="the API is ready", timeout=READY_TIMEOUT)
        except BaseException as err:
            for log in sorted(self.logs.glob("*.log")):
                err.add_note(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}")
            self.stop()
            raise

    def write_clouds(self, path: Path) -> None:
        """Write the clients' configuration: clouds `syros` and `syros-admin`."""
        seed.write_clouds(path, (self.demo, self.admin), auth_url=self.auth_url)

    def stop(self) -> None:
        """End and remove everything."""
        self.programs.stop()
        self.cluster.stop()
        self.rabbitmq.kill()
        self.postgres.kill()
        scratch.remove(self.folder)

    def _claim_port(self) -> None:
        # Another API there would say that it is ready, in place of ours.
        try:
            socket.create_server(("127.0.0.1", self.port)).close()
        except OSError as err:
            hint = "SYROS_API_PORT chooses another port"
            raise process.LabError(
                f"cannot listen on 127.0.0.1:{self.port}: {os.strerror(err.errno or 0)}; {hint}"
            ) from err

    def _install_on_nodes(self) -> None:
        address = self.cluster.expose(self.rabbitmq.port)
        text = toml(
            {
                "bus": {"url": self.rabbitmq.url.replace(f"127.0.0.1:{self.rabbitmq.port}", address)},
                "seriald": {"token": self._console_token, "cert": NODE_CERTIFICATE, "key": NODE_CERTIFICATE},
                "nfdhcpd": {"metadata": True},
                "metadatad": {
                    "api_url": f"http://{self.cluster.expose(self.port)}",
                    # the lab's API has no TLS
                    "plain_http": True,
                    "secret": self._metadata_secret,
                },
            }
        )
        key, chain = certificate.make("nodes", names=self.cluster.nodes, addresses=[], now=datetime.now(UTC))
        self._node_ca.write_text(chain)
        for number in range(1, self._nodes + 1):
            self.cluster.run([programs.PYTHON, "-m", "ganeti_hooks.install", "--images", ganeti.IMAGES], number)
            write = f"mkdir -p $(dirname {NODE_CONFIG}) /var/lib/syros && umask 077 && cat > {NODE_CONFIG}"
            self.cluster.run(["sh", "-c", write], number, stdin=text)
            self.cluster.run(["sh", "-c", f"umask 077 && cat > {NODE_CERTIFICATE}"], number, stdin=key + chain)
            # the lab's API has no TLS
            self.cluster.run(["sh", "-c", f"cat > {OS_CONFIG}"], number, stdin="PLAIN_HTTP=yes\n")
            self.cluster.run([programs.PYTHON, queue_rules.__file__], number)

    def _start_programs(self, database: config.Database, secrets: config.Secrets) -> None:
        self.config.touch(mode=0o600)
        sections: dict[str, Section] = {
            "database": {"url": database.url},
            "bus": {"url": self.rabbitmq.url},
            "secrets": {"key": secrets.key},
            "api": {"port": self.port, "metadata_secret": self._metadata_secret},
            "console": {
                "token": self._console_token,
                "ca_file": str(self._node_ca),
                "proxies": [f"127.0.0.1:{self._proxy_control}"],
                "proxy_token": self._proxy_token,
                "proxy_ca_file": str(self._proxy_certificate),
                "origins": [self.console_url.rstrip("/")],
            },
            "cloud": {"guest_url": f"http://{self.cluster.expose(self.port)}"},
            # the folder that the nodes see as theirs
            "images": {"store": str(self.cluster.images)},
            "vncauthproxy": self._proxy_section(),
        }
        self.config.write_text(toml(sections))
        env = {"PATH": os.defpath, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        # a program that is killed leaves its temporary files: where they are removed with the rest
        temporary = self.folder / "tmp"
        temporary.mkdir()
        env["TMPDIR"] = str(temporary)
        for name in ("vncauthproxy", "dispatcher", "apiserver"):
            self.programs.add(programs.on_host(name, config=self.config, logs=self.logs, env=env))
        for number in range(1, self._nodes + 1):
            for name in ("eventd", "seriald", "nfdhcpd", "metadatad"):
                self.programs.add(
                    programs.in_node(name, self.cluster, number=number, config=NODE_CONFIG, logs=self.logs)
                )

    def _proxy_section(self) -> Section:
        key, chain = certificate.make("console", names=[], addresses=["127.0.0.1"], now=datetime.now(UTC))
        self._proxy_certificate.touch(mode=0o600)
        self._proxy_certificate.write_text(key + chain)
        return {
            "control_port": self._proxy_control,
            "control_cert": str(self._proxy_certificate),
            "control_key": str(self._proxy_certificate),
            "token": self._proxy_token,
            "console_ca": str(self._node_ca),
            "destinations": [f"{self.cluster.network.address(0)}/24"],
            "web_host": "127.0.0.1",
            "web_port": self.console_port,
            "plain_web": True,
            "public_url": self.console_url,
            "origins": [self.api_url],
            "metrics_address": "",
        }

    def ready(self) -> bool:
        """Whether the API says that it can serve."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.api_url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:  # not listening yet, or a 503: urllib's errors are OSErrors
            return False

    def _came_up(self) -> bool:
        if ended := self.programs.ended():
            raise process.LabError(f"ended at once, with status: {ended}")
        return self.ready()


def toml(sections: dict[str, Section]) -> str:
    """Write a configuration file; JSON's texts, numbers and lists of them are TOML's too."""
    lines = []
    for name, keys in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"
