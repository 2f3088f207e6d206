"""The dispatcher's threads: consumers of events, and the loops that look, sweep, refresh and reconcile."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from datetime import timedelta

import prometheus_client

from cloud import backends, console_sessions, looks, network_objects, reconciler, resizes, soft_deletes, sweeper
from cloud.clients import Clients
from cloud.console_proxies import Proxies
from cloud.context import Cloud
from common import bus as buses
from common import daemon
from db.backends import Backend
from dispatcher.consumer import Consumer, Meters
from dispatcher.settings import DispatcherSettings
from rapi.errors import RapiError

log = logging.getLogger(__name__)


class Dispatcher:
    """Runs until stopped; any number of them may share one database."""

    def __init__(
        self,
        cloud: Cloud,
        clients: Clients,
        bus: buses.Bus,
        settings: DispatcherSettings,
        *,
        registry: prometheus_client.CollectorRegistry,
        proxies: Proxies | None = None,
    ) -> None:
        self._cloud = cloud
        self._clients = clients
        self._settings = settings
        self._stop = threading.Event()
        consumer = Consumer(cloud, Meters(registry))
        self._threads = [
            threading.Thread(
                target=bus.consume,
                args=(consumer.handle,),
                kwargs={"stop": self._stop},
                name=f"consumer-{number}",
                daemon=True,
            )
            for number in range(settings.consumers)
        ]
        self._loops = [
            self._loop("refresh", self._refresh, settings.refresh_seconds),
            self._loop("look", self._look, settings.look_seconds),
            self._loop("sweep", self._sweep, settings.sweep_seconds),
            daemon.Loop("forget", lambda: sweeper.forget_expired(cloud), interval=3600),
            daemon.Loop("confirm", lambda: resizes.confirm_old(cloud), interval=60),
            daemon.Loop("reclaim", lambda: soft_deletes.reclaim_old(cloud), interval=60),
        ]
        if proxies is not None:
            follow = functools.partial(console_sessions.follow, cloud, proxies)
            self._loops.append(daemon.Loop("consoles", follow, interval=settings.console_seconds))
        if settings.reconcile_seconds > 0:
            self._loops.append(self._loop("reconcile", self._reconcile, settings.reconcile_seconds))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        for loop in self._loops:
            loop.start()
        log.info("dispatcher.started", extra={"consumers": len(self._threads)})

    def stop(self) -> None:
        """Let every event and call under way end, then stop."""
        self._stop.set()
        daemon.stop_all(self._loops)
        for thread in self._threads:
            thread.join()
        log.info("dispatcher.stopped")

    def _loop(self, name: str, step: Callable[[Backend], object], interval: float) -> daemon.Loop:
        return daemon.Loop(name, lambda: self._each(name, step), interval=interval)

    def _each(self, name: str, step: Callable[[Backend], object]) -> None:
        """Do a step for each backend; one that can't be reached keeps no other waiting longer than its timeout."""
        for backend in backends.usable(self._cloud):
            if self._stop.is_set():
                return
            try:
                step(backend)
            except RapiError as err:
                log.warning("backend.skipped", extra={"loop": name, "backend": backend.name, "reason": str(err)})
            except Exception:
                # whatever one backend's answers do to us, the others are not to wait for it
                log.exception("backend.failed", extra={"loop": name, "backend": backend.name})

    def _refresh(self, backend: Backend) -> None:
        backends.refresh(self._cloud, self._clients, backend)
        network_objects.follow_groups(self._cloud, self._clients, backend)

    def _look(self, backend: Backend) -> None:
        looks.look(self._cloud, self._clients, backend)

    def _sweep(self, backend: Backend) -> None:
        patience = timedelta(seconds=self._settings.sweep_patience)
        sweeper.settle_silent_jobs(self._cloud, self._clients, backend, patience=patience)
        sweeper.clean_up_again(self._cloud, backend)
        network_objects.sweep(self._cloud, backend)

    def _reconcile(self, backend: Backend) -> None:
        # a little early, so that the loop's own rhythm never skips a turn
        every = timedelta(seconds=self._settings.reconcile_seconds * 0.9)
        if backend.cluster is None or not backends.take_reconcile_turn(self._cloud, backend, every=every):
            return
        grace = timedelta(seconds=self._settings.reconcile_grace)
        reconciler.reconcile(self._cloud, self._clients, backend, repair=True, grace=grace)
