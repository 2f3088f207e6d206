"""The serial consoles of simulated guests: a text that says what they are, and when they began."""

from __future__ import annotations

from common import names
from db import instances
from db.sessions import Sessions
from seriald.logfile import last_lines

_KERNEL = (
    "SyrosSim version 1.0 (simulated guest, no kernel, no disk)",
    "Command line: console=ttyS0",
    "Memory: {ram} MiB, {vcpus} virtual CPUs: as many as the flavor says, none of them real",
    "ttyS0 at I/O 0x3f8: a simulated serial port",
    "virtio_net: a simulated network card",
    "virtio_blk: a simulated disk of {disk} GiB",
    "Mounted nothing: there is no file system behind this console",
    "Reached target: simulation",
    "No program runs in here: Ganeti is simulated, and so is this guest",
    "`make lab` has real ones",
)


class SimulatedLogs:
    """Gives the text of any guest that has been started, from its row."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def tail(self, guest: str, *, node: str, address: str | None, lines: int | None) -> bytes:
        instance_id = names.instance_id(names.DEFAULT_PREFIX, guest)
        with self._sessions.read() as db:
            row = instances.get(db, instance_id) if instance_id is not None else None
        if row is None or row.launched_at is None:
            return b""
        began = row.launched_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        printed = [
            f"[{number * 0.125:12.6f}] {line.format(ram=row.ram, vcpus=row.vcpus, disk=row.disk)}"
            for number, line in enumerate(_KERNEL)
        ]
        printed += ["", f"{guest} (simulated) on {node}, first started {began}", "", "login: "]
        return last_lines("\r\n".join(printed).encode(), lines)
