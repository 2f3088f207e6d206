"""A Debian machine of its own, with systemd, in a folder: packages are installed there as an operator would.

systemd-nspawn boots it in namespaces: its processes, users and network are its own, its kernel is this machine's.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import debian, process

_BASE = ("ca-certificates", "dbus", "systemd-sysv")
_INSTALL_TIMEOUT = 900.0
_COMMAND_TIMEOUT = 120.0
_BOOT_TIMEOUT = 120.0
_STOP_TIMEOUT = 60.0
#: 101 is "forbidden" to invoke-rc.d: nothing is started while packages come in with this machine's network
_POLICY = "#!/bin/sh\nexit 101\n"
_ENVIRONMENT = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")


def unavailable() -> str | None:
    """Why this machine can't have another in it, or None."""
    for command in ("mmdebstrap", "systemd-nspawn", "nsenter"):
        if shutil.which(command) is None:
            return f"not installed: {command}"
    return None


class Machine:
    """A machine in `root`, which `make` or `copy` fills.

    `options` are systemd-nspawn's own, for what it needs of the host's.
    """

    def __init__(self, root: Path, log: Path, *, name: str = "cloud", options: Sequence[str] = ()) -> None:
        self.root = root
        self._log = log
        self._name = name
        self._options = options
        self._nspawn: process.Guarded | None = None
        self._leader = 0

    @property
    def leader(self) -> int:
        """The process id of its init, on the host."""
        return self._leader

    def make(self, *packages: str) -> None:
        """Install Debian, with these packages too: about a minute, and Debian's archive."""
        debian.install(self.root, (*_BASE, *packages))
        self._christen()

    def copy(self, other: "Machine") -> None:
        """Be as another one that is not up."""
        process.run(["cp", "-a", "--reflink=auto", str(other.root), str(self.root)], timeout=_INSTALL_TIMEOUT)
        self._christen()

    def _christen(self) -> None:
        (self.root / "etc/machine-id").write_text("")
        (self.root / "etc/hostname").write_text(f"{self._name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost {self._name}\n")

    def await_interface(self, interface: str, address: str) -> None:
        """Have it go by an address such as 192.0.2.1/24, and not bring up its network before it has that interface.

        It needs ifupdown.
        """
        text = f"auto {interface}\niface {interface} inet static\n    address {address}\n"
        (self.root / "etc/network/interfaces.d" / interface).write_text(text)
        folder = self.root / "etc/systemd/system/networking.service.d"
        folder.mkdir(parents=True, exist_ok=True)
        wait = f"until [ -e /sys/class/net/{interface} ]; do sleep 0.1; done"
        (folder / f"{interface}.conf").write_text(f"[Service]\nExecStartPre=/bin/sh -c '{wait}'\n")

    def prepare(self, script: str, *, folder: str = "/") -> str:
        """Run a shell's commands in a folder of it, with this machine's network, before it is up; give what they say.

        No service is started by them. Raises LabError with what they said if one fails.
        """
        policy = self.root / "usr/sbin/policy-rc.d"
        policy.write_text(_POLICY)
        policy.chmod(0o755)
        try:
            nspawn = ["systemd-nspawn", "--register=no", "--keep-unit", "--quiet", f"--directory={self.root}"]
            variables = [f"--setenv={each}" for each in _ENVIRONMENT]
            command = [*nspawn, f"--chdir={folder}", *variables, "sh", "-euc", script]
            return process.run(command, timeout=_INSTALL_TIMEOUT)
        finally:
            policy.unlink()

    def boot(self, plug: Callable[[int], None] = lambda _: None) -> None:
        """Have systemd bring it up; return when it says that it is.

        `plug` is given its leader as soon as it has one, to give that process' network more than loopback; what of it
        comes up has to wait for that (`await_interface`).
        """
        command = ["systemd-nspawn", "--register=no", "--keep-unit", "--private-network", f"--hostname={self._name}"]
        command += [*self._options, f"--directory={self.root}", "--boot"]
        self._nspawn = process.Guarded(command, log=self._log)
        process.wait_until(self._found_leader, what=f"systemd in {self.root}", timeout=_BOOT_TIMEOUT)
        plug(self._leader)
        process.wait_until(self._is_up, what=f"{self.root} to be up; see {self._log}", timeout=_BOOT_TIMEOUT)

    def stop(self) -> None:
        """Power it off, and by force if it does not obey."""
        if self._nspawn is None:
            return
        if self._nspawn.poll() is None:
            self.ask("systemctl", "poweroff", "--no-block")
            try:
                self._nspawn.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                pass
        self._nspawn.kill()
        self._nspawn = None

    def run(self, *command: str, timeout: float = _COMMAND_TIMEOUT) -> str:
        """Run a command as the machine's root; give its output. Raises LabError with that if it fails."""
        return process.run(self._inside(command), timeout=timeout)

    def ask(self, *command: str, timeout: float = _COMMAND_TIMEOUT) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail."""
        return subprocess.run(
            self._inside(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def _inside(self, command: Sequence[str]) -> list[str]:
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        return ["nsenter", f"--target={self._leader}", *spaces, "--", "env", "-i", *_ENVIRONMENT, *command]

    def _found_leader(self) -> bool:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise process.LabError(f"systemd-nspawn has ended: {self._log.read_text()[-2000:]}")
        pid = self._nspawn.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        # its first child makes the machine's namespaces, and is not in them
        inits = [int(child) for child in children if _command(child) == "systemd"]
        self._leader = inits[0] if inits else 0
        return self._leader != 0

    def _is_up(self) -> bool:
        # "degraded" is up, too: what has failed is for the test to say
        return self.ask("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has ended
        return ""
