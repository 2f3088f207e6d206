"""systemd's units of the roles that need no more than this machine: they are enabled and started."""

from __future__ import annotations

import subprocess
from pathlib import Path

from manage.setup import tool
from manage.setup.step import Found, Step

#: those of a Ganeti node or a console host have to be told where they are first
_ROLES = ("syros-dispatcher", "syros-apiserver")
_FOLDERS = (Path("/lib/systemd/system"), Path("/usr/lib/systemd/system"), Path("/etc/systemd/system"))
_BOOTED = Path("/run/systemd/system")


def steps() -> list[Step]:
    """Give the step, or none on a machine without systemd or without those packages."""
    units = [f"{role}.service" for role in _ROLES if any((each / f"{role}.service").exists() for each in _FOLDERS)]
    if not units or not _BOOTED.exists():
        return []

    def look() -> Found:
        down = [unit for unit in units if not (_is("active", unit) and _is("enabled", unit))]
        return Found(well=not down, detail=f"{', '.join(down or units)} {'is to be started' if down else 'run'}")

    def make() -> str:
        tool.run(["systemctl", "enable", "--now", *units], remedy="`journalctl -u UNIT` says why")
        return f"started {', '.join(units)}"

    return [Step("services", look, make)]


def _is(state: str, unit: str) -> bool:
    done = subprocess.run(["systemctl", "--quiet", f"is-{state}", unit], timeout=30, check=False)
    return done.returncode == 0
