"""What a daemon tells who started it, by sd_notify(3): that it is ready, that it lives, that it stops.

Without NOTIFY_SOCKET in the environment nothing is told to anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping

#: seconds between looks at the signal to stop where no watchdog sets the pace
_PACE = 60.0


class Supervisor:
    """systemd, or nobody. Sending never waits and never fails: a daemon goes on without it."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # an abstract socket (unix(7))
            self._address = "\0" + self._address[1:]
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        #: seconds within which a sign of life is expected; None: nobody waits for one
        self.patience = int(environ["WATCHDOG_USEC"]) / 1e6 if watched and environ.get("WATCHDOG_USEC") else None

    def tell(self, state: str) -> None:
        """Send one state, as sd_notify(3) has them: `READY=1`."""
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(state.encode(), self._address)

    @property
    def pace(self) -> float:
        """Seconds between two signs of life: less than half of what is waited, as sd_watchdog_enabled(3) asks for."""
        return _PACE if self.patience is None else self.patience / 3


@contextlib.contextmanager
def served() -> Iterator[Supervisor]:
    """Tell that the daemon is ready when this begins, and that it stops when this ends."""
    supervisor = Supervisor()
    supervisor.tell("READY=1")
    try:
        yield supervisor
    finally:
        supervisor.tell("STOPPING=1")


def until(stop: threading.Event) -> None:
    """Be ready, and give signs of life from this thread, until `stop`."""
    with served() as supervisor:
        while not stop.wait(supervisor.pace):
            supervisor.tell("WATCHDOG=1")


async def until_set(stop: asyncio.Event) -> None:
    """Be ready, and give signs of life from the running loop, until `stop`."""
    with served() as supervisor:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), supervisor.pace)
            supervisor.tell("WATCHDOG=1")
