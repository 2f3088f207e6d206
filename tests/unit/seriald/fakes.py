"""QEMUs with nothing but a serial port, and a seriald in a thread of its own."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab import process
from seriald.service import Seriald
from seriald.settings import SerialdSettings

TOKEN = "t0ken-of-nodes"
PATIENCE = 20.0


class FakeQemu:
    """Listens as `-serial unix:PATH,server,nowait` does: one client at a time, and the path goes with it."""

    def __init__(self, ctrl_dir: Path, name: str) -> None:
        self.path = ctrl_dir / f"{name}.serial"
        self.parked = ctrl_dir / f"{name}.serial.qemu"
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._client: socket.socket | None = None

    def accept(self) -> None:
        """Take the next client; the one before is gone."""
        if self._client is not None:
            self._client.close()
        self._listener.settimeout(PATIENCE)
        self._client, _ = self._listener.accept()
        self._client.settimeout(PATIENCE)

    def print(self, data: bytes) -> None:
        assert self._client is not None
        self._client.sendall(data)

    def typed(self, count: int) -> bytes:
        """What the client typed, so many bytes of it."""
        assert self._client is not None
        found = b""
        while len(found) < count:
            found += self._client.recv(count - len(found))
        return found

    def lost_client(self) -> bool:
        """Whether the client has gone; what it typed is lost."""
        assert self._client is not None
        return self._client.recv(4096) == b""

    def hang_up(self) -> None:
        """Drop the client and go on."""
        assert self._client is not None
        self._client.close()
        self._client = None

    def end(self) -> None:
        """End as a process whose path somebody else has by now."""
        if self._client is not None:
            self._client.close()
        self._listener.close()

    def quit(self) -> None:
        self.end()
        self.path.unlink(missing_ok=True)


class Daemon:
    """A seriald that runs until `stop`, or until `kill`, which leaves everything as it lies."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.ctrl = folder / "ctrl"
        self.state = folder / "state"
        self.ctrl.mkdir(exist_ok=True)
        wanted: dict[str, object] = {
            "ctrl_dir": self.ctrl,
            "state_dir": self.state,
            "host": "127.0.0.1",
            "port": 0,
            "token": TOKEN,
            "plain_http": True,
            "rescan_seconds": 60.0,
        }
        self.seriald = Seriald(SerialdSettings(**{**wanted, **changes}))  # type: ignore[arg-type]  # each is of its type
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.call(self.seriald.start)

    def call(self, what: Callable[[], object]) -> None:
        async def run() -> None:
            result = what()
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.call(self.seriald.stop)
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(_let_go())
        self._loop.close()

    def holds(self, name: str) -> bool:
        return name in self.seriald.guests

    def wait_held(self, name: str) -> None:
        process.wait_until(lambda: self.holds(name), what=f"{name} is held", timeout=PATIENCE, every=0.005)

    def log(self, name: str) -> bytes:
        """What is kept, read as the API reads it."""
        status, body = self.get(f"/v1/log/{name}")
        return body if status == 200 else b""

    def wait_log(self, name: str, ending: bytes) -> bytes:
        process.wait_until(
            lambda: self.log(name).endswith(ending), what=f"{ending!r} is kept", timeout=PATIENCE, every=0.01
        )
        return self.log(name)

    def get(self, target: str, *, token: str = TOKEN, method: str = "GET") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.seriald.port, timeout=PATIENCE)
        try:
            connection.request(method, target, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


async def _let_go() -> None:
    """End what is left in a loop, as at a program's end: somebody may be in TLS's handshake still."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    # transports that were aborted have yet to be told of it, TLS's by those below them
    for _ in range(10):
        await asyncio.sleep(0)


def operator(ctrl_dir: Path, name: str) -> socket.socket:
    """Somebody at `gnt-instance console`."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    found.settimeout(PATIENCE)
    found.connect(str(ctrl_dir / f"{name}.serial"))
    return found


def read(from_: socket.socket, count: int) -> bytes:
    found = b""
    with suppress(TimeoutError):
        while len(found) < count and (more := from_.recv(count - len(found))):
            found += more
    return found
