"""The scripts of `clients/`, all at once on one cloud; each keeps to servers of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANSIBLE = ROOT / ".venv-ansible"
TENANT, OPERATOR = "syros", "syros-admin"
#: what the scripts have together is more than a project may have that nobody asked for more
QUOTA = ("--instances", "40", "--cores", "80", "--ram", "204800")
_PATIENCE = 900

_PYTHON = (sys.executable, "-m")
_CLOUDS = (TENANT, OPERATOR)
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "openstacksdk": (*_PYTHON, "tests.e2e.clients.sdk_life", *_CLOUDS),
    "openstackclient": (*_PYTHON, "tests.e2e.clients.openstack_life", *_CLOUDS),
    "novaclient": (*_PYTHON, "tests.e2e.clients.nova_life", *_CLOUDS),
    "libcloud 2.0": (*_PYTHON, "tests.e2e.clients.libcloud_life", *_CLOUDS, "2.0"),
    "libcloud 1.1": (*_PYTHON, "tests.e2e.clients.libcloud_life", *_CLOUDS, "1.1"),
    "ansible": (
        *(str(ANSIBLE / "bin" / "ansible-playbook"), "tests/e2e/clients/ansible_life.yaml", "-i", "localhost,"),
        *("-e", f"cloud={TENANT}", "-e", f"other_cloud={OPERATOR}"),
    ),
}


def unavailable(name: str) -> str | None:
    """Why this machine cannot run a script, or None."""
    if name == "ansible" and not (ANSIBLE / ".ansible").exists():
        return "not installed: Ansible (make .venv-ansible/.ansible)"
    return None


class Scripts:
    """One run of all that this machine has the client of, begun when it is made."""

    def __init__(self, clouds: Path, folder: Path) -> None:
        self._folder = folder
        self._environ = {
            **os.environ,
            "OS_CLIENT_CONFIG_FILE": str(clouds),
            "NO_PROXY": "127.0.0.1",
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(ANSIBLE),
            "ANSIBLE_PYTHON_INTERPRETER": str(ANSIBLE / "bin" / "python"),
        }
        self._openstack(*("quota", "set", *QUOTA, "demo"))
        self._running = {name: self._start(name) for name in SCRIPTS if unavailable(name) is None}

    def check(self, name: str) -> None:
        """Wait for a script's end; AssertionError with what it said if that was no good one."""
        status = self._running[name].wait(_PATIENCE)
        assert status == 0, self._log(name).read_text()

    def stop(self) -> None:
        """End what still runs."""
        for running in self._running.values():
            running.kill()
            running.wait()

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with self._log(name).open("wb") as log:
            return subprocess.Popen(SCRIPTS[name], cwd=ROOT, env=self._environ, stdout=log, stderr=subprocess.STDOUT)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _openstack(self, *words: str) -> None:
        command = [str(Path(sys.executable).with_name("openstack")), "--os-cloud", OPERATOR, *words]
        subprocess.run(command, env=self._environ, timeout=120, check=True, capture_output=True)
