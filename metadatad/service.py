"""metadatad itself: bridges are connected while they have guests who may ask, and what comes there is answered."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import time

from common.binding_folder import BindingFolder
from common.watcher import Watcher
from metadatad import guests, link, rules
from metadatad.api import Api
from metadatad.exchange import Answer
from metadatad.front import Front
from metadatad.metrics import Metrics
from metadatad.settings import MetadatadSettings

log = logging.getLogger(__name__)

#: between looks while something that is wanted is not there: a folder, a tap in its bridge, a bridge
_SHORT_PAUSE = 1.0
#: how long after a change a tap is looked for so often; what is missing longer is a guest that has gone
_EAGER = 60.0


class Metadatad:
    """Call `run`. Raises OSError where the API's CA certificate can't be read, or inotify is not to be had."""

    def __init__(self, settings: MetadatadSettings) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._api = Api(settings)
        self._front = Front(settings, self._ask, self.metrics)
        self._folder = BindingFolder(settings.bindings_dir)
        self._watcher = Watcher(settings.bindings_dir)
        self._servers: dict[guests.Lan, tuple[asyncio.Server, socket.socket]] = {}
        self._loaded: frozenset[guests.Guest] | None = None
        self._load_again_at = 0.0
        self._wanting = False
        self._eager_until = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; then leave neither a port nor a rule behind."""
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def notice() -> None:
            # what it names does not matter: a look reads what changed, and all the taps
            self._watcher.read()
            changed.set()

        loop.add_reader(self._watcher.fileno(), notice)
        log.info("metadatad.started")
        stopping = loop.create_task(stop.wait())
        try:
            while not stop.is_set():
                changed.clear()
                await self._look()
                noticed = loop.create_task(changed.wait())
                await asyncio.wait((stopping, noticed), timeout=self._pause, return_when=asyncio.FIRST_COMPLETED)
                noticed.cancel()
        finally:
            stopping.cancel()
            loop.remove_reader(self._watcher.fileno())
            await self._close()
            log.info("metadatad.stopped")

    @property
    def _pause(self) -> float:
        eager = time.monotonic() < self._eager_until
        short = (self._wanting and eager) or not self._watcher.watching
        return min(_SHORT_PAUSE, self._settings.rescan_seconds) if short else self._settings.rescan_seconds

    async def _look(self) -> None:
        """Look at all bindings and taps, and have rules, ports and listeners be what they ask for."""
        self._watcher.watch()
        try:
            if self._folder.look():
                self._eager_until = time.monotonic() + _EAGER
        except OSError as err:
            log.warning("bindings.unreadable", extra={"path": str(self._settings.bindings_dir), "reason": str(err)})
        found = guests.of(self._folder.bindings.values(), guests.bridge_of)
        expected = sum(1 for each in self._folder.bindings.values() if each.ipv4 and each.link)
        self._wanting = len(found) < expected
        wanted = {guest.lan for guest in found.values()}
        self._front.admit(found)
        self.metrics.guests.set(len(found))
        for lan in set(self._servers) - wanted:
            await self._take_down(lan)
        # the rules first: no port is open to anybody before they are there
        if not await self._load(frozenset(found.values())):
            self._wanting = True
            return
        for lan in wanted:
            if lan in self._servers and not link.present(lan):
                await self._take_down(lan)
            if lan not in self._servers:
                await self._put_up(lan)
        self.metrics.links.set(len(self._servers))

    async def _load(self, known: frozenset[guests.Guest]) -> bool:
        # now and then without a change, too: somebody may have flushed them
        if self._loaded == known and time.monotonic() < self._load_again_at:
            return True
        try:
            await asyncio.to_thread(rules.load, known)
        except rules.Unloaded as err:
            log.error("rules.unloaded", extra={"reason": str(err)})  # noqa: TRY400  # the reason is nft's
            return False
        self._loaded = known
        self._load_again_at = time.monotonic() + self._settings.rescan_seconds
        return True

    async def _put_up(self, lan: guests.Lan) -> None:
        try:
            listener = await asyncio.to_thread(link.open_link, lan)
        except OSError as err:
            log.warning("link.failed", extra={"link": lan.bridge, "reason": str(err)})
            self._wanting = True
            return
        server = await asyncio.start_server(
            functools.partial(self._front.serve, lan), sock=listener, limit=self._settings.request_size
        )
        self._servers[lan] = server, listener
        log.info("link.up", extra={"link": lan.bridge})

    async def _take_down(self, lan: guests.Lan) -> None:
        server, listener = self._servers.pop(lan)
        server.close()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(link.close_link, lan, listener)
        log.info("link.down", extra={"link": lan.bridge})

    async def _close(self) -> None:
        for lan in list(self._servers):
            await self._take_down(lan)
        self._watcher.close()
        try:
            await asyncio.to_thread(rules.clear)
        except rules.Unloaded as err:
            log.warning("rules.left", extra={"reason": str(err)})

    async def _ask(self, instance_id: str, path: str) -> Answer:
        start = time.monotonic()
        try:
            return await self._api.ask(instance_id, path)
        finally:
            self.metrics.api_seconds.observe(time.monotonic() - start)
