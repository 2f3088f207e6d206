"""One guest's serial port: it takes the place of QEMU's socket, reads without end, and lets operators in beside it.

QEMU listens on NAME.serial and serves one client. That socket is moved to NAME.serial.qemu, where it goes on working,
and ours is put in its place, for `gnt-instance console`. Ganeti removes NAME.serial when the guest stops, and so does
QEMU itself; NAME.serial.qemu is ours to remove. At each moment one of the two paths leads to QEMU: what is found there
after a crash is enough to go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from seriald.logfile import LogFile

log = logging.getLogger(__name__)

SUFFIX = ".serial"
PARKED = ".serial.qemu"
_NEW = ".serial.new"

#: on one console at once, operators on the node and those who come by the network
_MOST_VIEWERS = 8
#: bytes that wait for somebody who does not read before that one is dropped
_MOST_WAITING = 1024 * 1024
#: bytes a second: more is the guest's to wait for, as on a real line
_RATE = 1024 * 1024


class Full(Exception):
    """There are as many viewers as there may be."""


class Viewer(Protocol):
    """Somebody who sees what the guest prints."""

    def show(self, data: bytes, *, most: int) -> None:
        """Show what the guest printed; who has more waiting than so many bytes is dropped."""

    def leave(self) -> None:
        """End, after what was shown has been sent."""


class Port(asyncio.Protocol):
    """The connection to a QEMU, from `open` until the guest ends or `close`."""

    def __init__(self, ctrl_dir: Path, name: str, kept: LogFile, *, on_end: Callable[[str], None]) -> None:
        self.name = name
        self._own = ctrl_dir / f"{name}{SUFFIX}"
        self._parked = ctrl_dir / f"{name}{PARKED}"
        self._new = ctrl_dir / f"{name}{_NEW}"
        self._kept = kept
        self._on_end = on_end
        self._qemu: asyncio.Transport | None = None
        self._listener: asyncio.Server | None = None
        self._listening: tuple[int, int] | None = None
        self._viewers: set[Viewer] = set()
        self._credit = _RATE
        self._refill: asyncio.TimerHandle | None = None

    async def open(self) -> bool:
        """Take QEMU's place; False if nobody listens, or not yet. Raises OSError."""
        if _is_socket(self._parked):
            if await self._connect(self._parked):
                return await self._listen()
            # of a guest that ended while nobody looked
            self._parked.unlink(missing_ok=True)
        before = _identity(self._own)
        if before is None or not await self._connect(self._own):
            return False
        if _identity(self._own) != before:
            self._drop()
            return False
        # a second name, so that a crash here leaves a way to QEMU
        os.link(self._own, self._parked)
        return await self._listen()

    def close(self) -> None:
        """Give QEMU its socket back and end, without a word to `on_end`."""
        self._on_end = _nobody
        if _identity(self._own) in (None, self._listening):
            with contextlib.suppress(FileNotFoundError):
                # over ours: at no moment is there none
                self._parked.rename(self._own)
        self._end()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self._kept.append(data)
        for viewer in list(self._viewers):
            viewer.show(data, most=_MOST_WAITING)
        self._credit -= len(data)
        if self._credit < 0 and self._refill is None and self._qemu is not None:
            self._qemu.pause_reading()
            self._refill = asyncio.get_running_loop().call_later(-self._credit / _RATE, self._go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._qemu is None:
            return
        # whether QEMU has ended too shows in the next look: the parked socket may be the only way to it
        log.info("port.ended", extra={"guest": self.name})
        self._end()

    # viewers

    def join(self, viewer: Viewer) -> None:
        """Let somebody see, and type, until `left`. Raises Full."""
        if len(self._viewers) >= _MOST_VIEWERS:
            raise Full(f"there are {_MOST_VIEWERS} viewers already")
        if self._qemu is None:
            viewer.leave()
        else:
            self._viewers.add(viewer)

    def left(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)

    def type(self, data: bytes) -> None:
        """Send the guest what an operator types; a guest that does not read loses it."""
        if self._qemu is not None and self._qemu.get_write_buffer_size() < _MOST_WAITING:
            self._qemu.write(data)

    async def _connect(self, path: Path) -> bool:
        connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connecting.setblocking(False)
        try:
            # done at once or not at all: it would block where others wait for QEMU already
            connecting.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            connecting.close()
            return False
        except OSError:
            connecting.close()
            raise
        self._qemu, _ = await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=connecting)
        return True

    async def _listen(self) -> bool:
        self._new.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(self._new))
        # before it can be found
        self._new.chmod(0o600)
        self._listener = await asyncio.get_running_loop().create_unix_server(lambda: _LocalViewer(self), sock=listening)
        if self._qemu is None or self._qemu.is_closing():
            self._new.unlink(missing_ok=True)
            self._end()
            return False
        self._listening = _identity(self._new)
        self._new.rename(self._own)
        log.info("port.opened", extra={"guest": self.name})
        return True

    def _go_on(self) -> None:
        self._credit, self._refill = _RATE, None
        if self._qemu is not None:
            self._qemu.resume_reading()

    def _drop(self) -> None:
        qemu, self._qemu = self._qemu, None
        if qemu is not None:
            qemu.abort()

    def _end(self) -> None:
        if self._refill is not None:
            self._refill.cancel()
        if self._listener is not None:
            self._listener.close()
            # another QEMU may have its own there by now
            if self._listening is not None and _identity(self._own) == self._listening:
                self._own.unlink(missing_ok=True)
        for viewer in list(self._viewers):
            viewer.leave()
        self._drop()
        self._kept.close()
        self._on_end(self.name)


class _LocalViewer(asyncio.Protocol):
    """An operator on the node, at `gnt-instance console`."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a stream's is one
        self._transport = transport
        try:
            self._port.join(self)
        except Full as err:
            transport.write(f"seriald: {err}\r\n".encode("ascii"))
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._port.type(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.left(self)

    # Viewer

    def show(self, data: bytes, *, most: int) -> None:
        if self._transport is None:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > most:
            self._transport.abort()

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _nobody(_name: str) -> None:
    """Nobody wants to know."""


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell which socket is at a path."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None
