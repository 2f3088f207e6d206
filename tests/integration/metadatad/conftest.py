"""A node with two bridges and their guests in network namespaces, a real metadatad, and the real API over TLS."""

import ipaddress
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common import bindings
from common.bindings import Binding, Ipv4
from lab import process
from tests.conftest import missing
from tests.support import taps

SECRET = "between-node-and-api"
ADDRESS = "10.0.0.2"


class Node(taps.Bed):
    """Bridges br0 and br1, without nfdhcpd; `api` and `metadatad` are started and ended here."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Make the bridges, and start both programs."""
        self.make()
        self.ip("link", "add", "br1", "type", "bridge")
        self.ip("link", "set", "br1", "up")
        self.start_api()
        self.start_metadatad()

    def start_api(self) -> None:
        folder = self.folder / "api"
        folder.mkdir(exist_ok=True)
        self._popen("api", ["-m", "tests.support.metadata_api", str(folder), SECRET], {})
        process.wait_until((folder / "servers").exists, what=f"no API: {self.log_of('api')}", timeout=taps.PATIENCE)

    def start_metadatad(self, **more: str) -> None:
        started = self.log_of("metadatad").count("metadatad.started")
        told = {
            "API_URL": "https://127.0.0.1:8774",
            "API_CA": str(self.folder / "api" / "cert.pem"),
            "SECRET": SECRET,
            "BINDINGS_DIR": str(self.bindings),
            "RESCAN_SECONDS": "1",
            "GUEST_SECONDS": "5",
            "GUEST_CONNECTIONS": "4",
            "METRICS_ADDRESS": "127.0.0.1:9466",
            **more,
        }
        self._popen("metadatad", ["-m", "metadatad"], {f"SYROS_METADATAD_{key}": text for key, text in told.items()})
        self.wait(lambda: self.log_of("metadatad").count("metadatad.started") > started)

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """End one of the programs; give its exit status."""
        ended = self._processes.pop(name)
        ended.send_signal(number)
        return ended.wait(taps.PATIENCE)

    @property
    def servers(self) -> list[str]:
        """The ids of the API's servers."""
        return (self.folder / "api" / "servers").read_text().split()

    def bound(
        self, number: int, server: str, *, bridge: str = "br0", address: str = ADDRESS, mac: str = ""
    ) -> taps.Guest:
        """Plug a guest in that is a server's, with its address and the route that DHCP would tell."""
        guest = self.guest(number, bridge=bridge)
        if mac:
            guest.mac = mac
            guest.run("ip", "link", "set", "eth0", "address", mac)
        guest.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        guest.run("ip", "route", "add", "169.254.169.254/32", "dev", "eth0")
        ipv4 = Ipv4(ipaddress.IPv4Address(address), ipaddress.IPv4Network(f"{address}/24", strict=False))
        bindings.write(self.bindings, Binding(guest.tap, f"syros-{server}", guest.mac, link=bridge, ipv4=ipv4))
        return guest

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait for something that metadatad does."""
        process.wait_until(condition, what=f"metadatad: {self.log_of('metadatad')}", timeout=taps.PATIENCE)

    def log_of(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def ports(self) -> list[str]:
        """The ports that lead to metadatad."""
        lines = taps.run(self.node, ["ip", "-o", "link", "show"]).stdout.splitlines()
        return [name for line in lines if (name := line.split(": ")[1].partition("@")[0]).startswith("smd")]

    def rules(self) -> str:
        return taps.run(self.node, ["nft", "list", "ruleset"]).stdout

    def figure(self, name: str) -> float:
        """Read one of metadatad's metrics."""
        return self.metric(name, port=9466)

    def stop(self) -> None:
        for name in list(self._processes):
            self.end(name, signal.SIGKILL)
        super().stop()

    def _popen(self, name: str, arguments: list[str], environ: dict[str, str]) -> None:
        env = {key: text for key, text in os.environ.items() if not key.startswith("SYROS_")} | environ
        with (self.folder / f"{name}.log").open("ab") as log:
            command = ["ip", "netns", "exec", self.node, sys.executable, *arguments]
            self._processes[name] = subprocess.Popen(command, env=env, stderr=log, stdout=log)


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Leave the tests out where they can't be run."""
    if reason := taps.unavailable():
        missing(reason)


@pytest.fixture
def node(namespaces: None, tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    try:
        node.start()
        yield node
    finally:
        node.stop()
