"""A Debian machine of its own, with systemd, in a folder: packages are installed there as an operator would.

systemd-nspawn boots it in namespaces: its processes, users and network are its own, its kernel is this machine's.
"""

import shutil
import subprocess
from collections.abc import Sequence
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
    """A machine in `root`, which `make` fills; it has no network but loopback while it is up."""

    def __init__(self, root: Path, log: Path) -> None:
        self.root = root
        self._log = log
        self._nspawn: process.Guarded | None = None
        self._leader = 0

    def make(self) -> None:
        """Install Debian: about a minute, and Debian's archive."""
        debian.install(self.root, _BASE)
        (self.root / "etc/machine-id").write_text("")
        (self.root / "etc/hostname").write_text("cloud\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost cloud\n")

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

    def boot(self) -> None:
        """Have systemd bring it up; return when it says that it is."""
        command = ["systemd-nspawn", "--register=no", "--keep-unit", "--private-network", "--hostname=cloud"]
        self._nspawn = process.Guarded([*command, f"--directory={self.root}", "--boot"], log=self._log)
        process.wait_until(self._found_leader, what=f"systemd in {self.root}", timeout=_BOOT_TIMEOUT)
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
        self._leader = int(children[0]) if children else 0
        return self._leader != 0

    def _is_up(self) -> bool:
        # "degraded" is up, too: what has failed is for the test to say
        return self.ask("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")
