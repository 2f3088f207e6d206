"""What a lab hands to who uses it: clouds.yaml, a configuration for syros-manage, and a command for each node."""

import contextlib
import shlex
from pathlib import Path

from lab import cloud, node

CLOUDS = "clouds.yaml"
CONFIG = "syros.toml"
#: what runs in a node: the command that is given, or a shell
_INSIDE = '[ $# -gt 0 ] || set -- bash\nexec "$@"'


def write(folder: Path, lab: cloud.LabCloud) -> None:
    """Write them; `node1 gnt-instance list` runs a command on the first node, `node1` alone a shell."""
    folder.mkdir(parents=True, exist_ok=True)
    lab.write_clouds(folder / CLOUDS)
    config = folder / CONFIG
    config.touch(mode=0o600)
    config.write_text(lab.config.read_text())
    for number, machine in enumerate(lab.cluster.machines, start=1):
        command = folder / f"node{number}"
        command.write_text(_script(machine.entrance()))
        command.chmod(0o755)


def remove(folder: Path) -> None:
    """Remove them, and the folder when nothing else is in it."""
    for path in (folder / CLOUDS, folder / CONFIG, *folder.glob("node[0-9]*")):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty: something in it is not ours
        folder.rmdir()


def _script(entrance: list[str]) -> str:
    variables = [f"{name}={value}" for name, value in node.ENVIRONMENT.items()]
    words = shlex.join(["env", *variables, *entrance, "sh", "-c", _INSIDE, "sh"])
    return f'#!/bin/sh\nexec {words} "$@"\n'
