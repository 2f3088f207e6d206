"""seriald itself: one loop that takes up each guest's serial port as it appears, and serves what was kept."""

from __future__ import annotations

import asyncio
import logging
import time

from common.certificate import Certificate
from seriald.logfile import LogFile, is_name, remove_old
from seriald.port import PARKED, SUFFIX, Port
from seriald.server import Server
from seriald.settings import SerialdSettings
from seriald.watcher import Watcher

log = logging.getLogger(__name__)

_DAY = 86_400.0
_CLEAN_EVERY = 3600.0
#: QEMU's socket shows before it is listened on: a look at what did not answer is repeated after so many seconds
_AGAIN = (0.05, 0.2, 1.0)
#: seconds from a connection's end to the next look at its socket
_AFTER_END = 0.2


class Seriald:
    """Call `start` and `stop` within one running loop; `port` is where it answers."""

    def __init__(self, settings: SerialdSettings) -> None:
        self._settings = settings
        self._ports: dict[str, Port] = {}
        self._server = Server(self._tail, self._ports.get, token=settings.token)
        self._look_wanted = asyncio.Event()
        #: looks in vain at a socket, by the guest's name and the socket's number
        self._silent: dict[tuple[str, int], int] = {}
        self._clean_at = 0.0
        self._certificate: Certificate | None = None
        self.port = 0

    async def start(self) -> None:
        """Take up what runs, and serve. Raises OSError for a folder, a certificate or a port that can't be used."""
        self._settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._settings.plain_http:
            self._certificate = Certificate(self._settings.cert, self._settings.key)
        tls = self._certificate.context if self._certificate is not None else None
        self._watcher = Watcher(self._settings.ctrl_dir, self._look_wanted.set)
        self._watcher.watch()
        await self.look()
        self._looking = asyncio.create_task(self._look_on())
        self.port = await self._server.start(self._settings.host, self._settings.port, tls)
        log.info("seriald.started", extra={"guests": len(self._ports), "port": self.port})

    def reload(self) -> None:
        """Read our certificate anew: who comes from now on is shown that; one that can't be used changes nothing."""
        if self._certificate is not None:
            self._certificate.reload("cert")

    async def stop(self) -> None:
        """Give every QEMU its socket back."""
        self._server.close()
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        self._watcher.close()
        for port in list(self._ports.values()):
            port.close()
        self._ports.clear()
        await self._server.ended()
        log.info("seriald.stopped")

    @property
    def guests(self) -> set[str]:
        """The guests whose ports are held."""
        return set(self._ports)

    async def look(self) -> None:
        """Take up the ports that are there and not held; those that are silent are looked at again soon."""
        try:
            found = {name for name in map(_guest, self._settings.ctrl_dir.iterdir()) if name is not None}
        except FileNotFoundError:
            return
        wanted = {name for name in found if name.startswith(self._settings.prefix)} - set(self._ports)
        self._silent = {key: tries for key, tries in self._silent.items() if key[0] in wanted}
        for name in sorted(wanted):
            await self._take_up(name)

    async def _take_up(self, name: str) -> None:
        kept = LogFile(self._settings.state_dir, name, size=self._settings.log_kib * 1024)
        port = Port(self._settings.ctrl_dir, name, kept, on_end=self._ended)
        try:
            if await port.open():
                self._ports[name] = port
                return
        except OSError as err:
            log.warning("port.failed", extra={"guest": name, "reason": repr(err)})
            port.close()
        key = (name, self._number(name))
        tries = self._silent.get(key, 0)
        self._silent[key] = tries + 1
        if tries < len(_AGAIN):
            asyncio.get_running_loop().call_later(_AGAIN[tries], self._look_wanted.set)

    def _number(self, name: str) -> int:
        try:
            return (self._settings.ctrl_dir / f"{name}{SUFFIX}").lstat().st_ino
        except FileNotFoundError:
            return 0

    def _ended(self, name: str) -> None:
        self._ports.pop(name, None)
        # what it left is cleared away, or taken up again where QEMU only dropped us; one that starts is seen anyway
        asyncio.get_running_loop().call_later(_AFTER_END, self._look_wanted.set)

    async def _look_on(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._settings.rescan_seconds):
                    await self._look_wanted.wait()
            except TimeoutError:
                self._silent.clear()
            self._look_wanted.clear()
            try:
                self._watcher.watch()
                await self.look()
                self._clean()
            except OSError:
                log.exception("look.failed")

    def _clean(self) -> None:
        if time.monotonic() < self._clean_at:
            return
        self._clean_at = time.monotonic() + _CLEAN_EVERY
        before = time.time() - self._settings.keep_days * _DAY
        if removed := remove_old(self._settings.state_dir, before=before, running=set(self._ports)):
            log.info("logs.removed", extra={"files": removed})

    def _tail(self, name: str) -> bytes | None:
        if not name.startswith(self._settings.prefix):
            return None
        return LogFile(self._settings.state_dir, name, size=self._settings.log_kib * 1024).tail()


def _guest(path: object) -> str | None:
    """Tell whose serial port a path is; None for any other."""
    text = str(path).rpartition("/")[2]
    for suffix in (SUFFIX, PARKED):
        name = text.removesuffix(suffix)
        if name != text and is_name(name):
            return name
    return None
