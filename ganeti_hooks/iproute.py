"""Runs ip(8)."""

from __future__ import annotations

import json
import subprocess
from typing import Any  # JSON, as ip(8) prints it

from ganeti_hooks.refused import Refused

_TIMEOUT = 20.0


def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command; raises Refused with its words if that fails and is to be checked."""
    done = subprocess.run(
        ["ip", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if check and done.returncode != 0:
        raise Refused(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done


def shown(version: int, *arguments: str) -> list[dict[str, Any]]:
    """Give what a command shows of an IP version; nothing where it fails."""
    # a table that has no route yet is none
    done = run("-json", "-details", f"-{version}", *arguments, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]") if done.returncode == 0 else []
    # rules of a sort that ip(8) can't describe come as empty
    return [each for each in found if each]
