"""A node and its guests as network namespaces: veths stand for taps, in a bridge or routed, before a real nfdhcpd."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from common import bindings
from common.bindings import Binding
from lab import process

NEEDED = {
    "ip": "iproute2",
    "nft": "nftables",
    "udhcpc": "udhcpc",
    "dhclient": "isc-dhcp-client",
    "dhcpcd": "dhcpcd-base",
    "tcpdump": "tcpdump",
}
PATIENCE = 60.0
_COMMAND = 30
_beds = itertools.count(1)


def unavailable() -> str | None:
    """Why this machine can't make a bed, or None."""
    if os.geteuid() != 0:
        return "root is needed for network namespaces"
    absent = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if absent:
        return f"not installed: {' '.join(absent)}"
    probe = f"syros-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], check=False, capture_output=True, text=True, timeout=_COMMAND)
    if made.returncode:
        return f"no network namespaces: {made.stderr.strip()}"
    try:
        _ip("-n", probe, "link", "add", "tap0", "type", "veth", "peer", "name", "eth0")
        run(probe, [sys.executable, "-m", "lab.queue_rules"])
    except subprocess.CalledProcessError as err:
        return f"no NFQUEUE: {str(err.stderr).strip().splitlines()[-1]}"
    finally:
        _ip("netns", "delete", probe)
    return None


def run(namespace: str, command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in a namespace."""
    return subprocess.run(
        ["ip", "netns", "exec", namespace, *command], check=check, capture_output=True, text=True, timeout=_COMMAND
    )


class Guest:
    """A guest's end: `eth0` in a namespace of its own, with a folder for what its DHCP client writes."""

    def __init__(self, namespace: str, tap: str, mac: str, folder: Path) -> None:
        self.namespace, self.tap, self.mac, self.folder = namespace, tap, mac, folder
        self._running: list[subprocess.Popen[bytes]] = []
        folder.mkdir()

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in the guest; give what it prints."""
        return run(self.namespace, command, check=check).stdout

    def popen(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a program in the guest; it ends with the bed."""
        with (self.folder / "log").open("ab") as log:
            started = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._running.append(started)
        return started

    @property
    def log(self) -> str:
        """What its programs printed."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for_log(self, text: str, times: int = 1) -> None:
        """Wait until its programs have printed a text so often."""
        process.wait_until(lambda: self.log.count(text) >= times, what=f"no {text!r}: {self.log}", timeout=PATIENCE)

    def end(self) -> None:
        """End its programs."""
        for started in self._running:
            started.kill()
            started.wait()
        self._running.clear()


class Bed:
    """A node with a bridge, its rules and nfdhcpd; `guest` plugs one in."""

    def __init__(self, folder: Path) -> None:
        self.node = f"syros-node-{os.getpid()}-{next(_beds)}"
        self.bindings = folder / "bindings"
        self._folder = folder
        self._guests: dict[str, Guest] = {}
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the node, load the rules, and start nfdhcpd."""
        self.make()
        self.spawn()

    def make(self) -> None:
        """Make the node, and load the rules."""
        self.bindings.mkdir(parents=True)
        _ip("netns", "add", self.node)
        self.ip("link", "set", "lo", "up")
        self.ip("link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge")
        self.ip("link", "set", "br0", "up")
        run(self.node, [sys.executable, "-m", "lab.queue_rules"])

    def ip(self, *arguments: str) -> None:
        """Run ip(8) for the node."""
        _ip("-n", self.node, *arguments)

    def spawn(self, **more: str) -> None:
        """Start nfdhcpd, with more of its settings, and wait until it answers."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("SYROS_")}
        env |= {
            "SYROS_NFDHCPD_BINDINGS_DIR": str(self.bindings),
            "SYROS_NFDHCPD_RA_SECONDS": "4",
            "SYROS_NFDHCPD_RESCAN_SECONDS": "1",
            "SYROS_NFDHCPD_METRICS_ADDRESS": "127.0.0.1:9465",
            **{f"SYROS_NFDHCPD_{key}": text for key, text in more.items()},
        }
        started = self.log.count("nfdhcpd.started")
        with (self._folder / "nfdhcpd.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                ["ip", "netns", "exec", self.node, sys.executable, "-m", "nfdhcpd"], env=env, stderr=log
            )
        self._wait_for(lambda: self.log.count("nfdhcpd.started") > started)

    def end_daemon(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End nfdhcpd; give its exit status."""
        assert self._daemon is not None
        self._daemon.send_signal(number)
        return self._daemon.wait(PATIENCE)

    @property
    def log(self) -> str:
        """What nfdhcpd logged."""
        path = self._folder / "nfdhcpd.log"
        return path.read_text() if path.exists() else ""

    @property
    def daemon_pid(self) -> int:
        """Whose memory and speed are measured."""
        assert self._daemon is not None
        return self._daemon.pid

    def guest(self, number: int, *, routed: bool = False, bridge: str = "br0") -> Guest:
        """Plug a guest in, without a binding."""
        tap, mac = f"tap{number}", f"02:53:79:00:00:{number:02x}"
        guest = Guest(f"{self.node}-{number}", tap, mac, self._folder / tap)
        _ip("netns", "add", guest.namespace)
        self._guests[tap] = guest
        self.plug(guest, routed=routed, bridge=bridge)
        return guest

    def plug(self, guest: Guest, *, routed: bool = False, bridge: str = "br0") -> None:
        """Make a guest's tap."""
        self.ip("link", "add", guest.tap, "type", "veth", "peer", "name", "eth0", "netns", guest.namespace)
        _ip("-n", guest.namespace, "link", "set", "eth0", "address", guest.mac, "up")
        _ip("-n", guest.namespace, "link", "set", "lo", "up")
        if not routed:
            self.ip("link", "set", guest.tap, "master", bridge)
        self.ip("link", "set", guest.tap, "up")

    def unplug(self, guest: Guest) -> None:
        """Remove a guest's tap, as its QEMU's end does."""
        self.ip("link", "delete", guest.tap)

    def bind(self, binding: Binding) -> None:
        """Write a NIC's binding, and wait until nfdhcpd has read it."""
        read = self.log.count("binding.read")
        bindings.write(self.bindings, binding)
        self._wait_for(lambda: self.log.count("binding.read") > read)

    def metric(self, name: str, *, port: int = 9465) -> float:
        """Read one of nfdhcpd's metrics, or another's, by its whole name with labels; 0 if it is not there."""
        script = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())"
        text = run(self.node, [sys.executable, "-c", script, f"http://127.0.0.1:{port}/metrics"]).stdout
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return float(lines.get(name, 0))

    def stop(self) -> None:
        """End everything, and leave no namespace behind."""
        if self._daemon is not None and self._daemon.poll() is None:
            self.end_daemon(signal.SIGKILL)
        for guest in self._guests.values():
            guest.end()
            _ip("netns", "delete", guest.namespace)
        _ip("netns", "delete", self.node)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        process.wait_until(condition, what=f"nfdhcpd: {self.log}", timeout=PATIENCE)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=_COMMAND)
