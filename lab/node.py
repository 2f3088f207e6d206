"""One node of the lab: namespaces of its own over a private copy-on-write view of this machine's root.

It sees every program and package of the host and can change none of them. `kill` is a power cut: the disk stays.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from lab import link, process

BOOT = Path(__file__).with_name("node_boot.py")
CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C", "TERM": "dumb"}
NAMESPACES = ("-m", "-u", "-i", "-p")


@dataclass(frozen=True)
class Plan:
    """What a node is made of.

    `binds` are (folder of the host, path in the node, "ro" or "rw"); `files` are written at the first boot, with mode
    644 unless `modes` says another.
    """

    hostname: str
    host: int
    disk: Path
    binds: Sequence[tuple[str, str, str]] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, str] = field(default_factory=dict)


class Node:
    """A node that can be booted, used and killed, again and again."""

    def __init__(self, plan: Plan, network: link.Link) -> None:
        self.plan = plan
        self._network = network
        self._shell: subprocess.Popen[str] | None = None
        self.pid = 0

    def boot(self) -> None:
        """Power on; return when the node is on the network and commands can run in it."""
        self.plan.disk.mkdir(parents=True, exist_ok=True)
        binds = [*self.plan.binds, (str(CHECKOUT), str(CHECKOUT), "ro"), *_python_homes()]
        argument = {
            "hostname": self.plan.hostname,
            "disk": str(self.plan.disk),
            "binds": binds,
            "files": dict(self.plan.files),
            "modes": dict(self.plan.modes),
        }
        command = ["unshare", "--mount", "--uts", "--pid", "--ipc", "--net", "--fork", "--kill-child"]
        # By a file and not as an argument: the files hold keys, and arguments are for everybody to see.
        orders = self.plan.disk / "plan.json"
        orders.touch(mode=0o600)
        orders.write_text(json.dumps(argument))
        with (self.plan.disk / "boot.log").open("w") as log:
            self._shell = subprocess.Popen(
                [*command, "/usr/bin/python3", "-I", "-S", str(BOOT), str(orders)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
            )
        assert self._shell.stdout is not None
        if self._shell.stdout.readline() != "ready\n":
            self.kill()
            raise process.LabError(f"{self.plan.hostname} did not boot: {(self.plan.disk / 'boot.log').read_text()}")
        (self.pid,) = _children(self._shell.pid)
        self._network.attach(self.pid, host=self.plan.host)

    @property
    def up(self) -> bool:
        return self._shell is not None and self._shell.poll() is None

    def kill(self) -> None:
        """Power off at once: every process of the node is gone on return, its disk is kept."""
        if self._shell is None:
            return
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.wait()
        self._shell.stdout.close()
        self._shell = None
        self._network.detach(host=self.plan.host)

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        timeout: float = 300.0,
        check: bool = True,
        host_network: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; LabError with its output if it fails and `check` is set."""
        done = subprocess.run(
            [*self.entrance(host_network=host_network), *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=ENVIRONMENT,
            check=False,
        )
        if check and done.returncode != 0:
            what = f"{self.plan.hostname}: {' '.join(command)} ended with {done.returncode}"
            raise process.LabError(f"{what}: {(done.stdout + done.stderr).strip()[-2000:]}")
        return done

    def entrance(self, *, host_network: bool = False) -> list[str]:
        """The words to put before a command that is to run here."""
        if not self.up:
            raise process.LabError(f"{self.plan.hostname} is down")
        network = () if host_network else ("-n",)
        return ["nsenter", "-t", str(self.pid), *NAMESPACES, *network, "--"]

    def popen(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: IO[Any] | int | None = None,  # as subprocess.Popen takes it
        stderr: IO[Any] | int | None = None,
    ) -> "NodeProcess":
        """Start a long-running command; it ends with the node, and with this process."""
        inner = subprocess.Popen(
            # The command's parent is nsenter, outside; should that be killed, the command must not stay.
            [*self.entrance(), "setpriv", "--pdeathsig", "KILL", *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**ENVIRONMENT, **(env or {})},
            start_new_session=True,
        )
        return NodeProcess(inner)


class NodeProcess:
    """A command that runs in a node: signals reach the command itself, not the door it went through."""

    def __init__(self, door: subprocess.Popen[bytes]) -> None:
        self._door = door
        process.wait_until(lambda: bool(_children(door.pid)) or door.poll() is not None, what="nsenter", timeout=10)
        self.pid = next(iter(_children(door.pid)), door.pid)

    def poll(self) -> int | None:
        return self._door.poll()

    def wait(self, timeout: float | None = None) -> int:
        return self._door.wait(timeout)

    def send_signal(self, number: int) -> None:
        """Signal the command; nothing happens if it has ended."""
        if self.poll() is None:
            subprocess.run(["kill", f"-{int(number)}", str(self.pid)], capture_output=True, check=False)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _python_homes() -> list[tuple[str, str, str]]:
    # The interpreter and its packages may live on a filesystem that the node's root does not show.
    homes = {sys.prefix, sys.base_prefix}
    device = Path("/").stat().st_dev
    return [(home, home, "ro") for home in sorted(homes) if Path(home).stat().st_dev != device]


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
