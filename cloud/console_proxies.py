"""The console proxies that are configured: one is asked for each console, another if it does not answer at all."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cloud.console_settings import ConsoleSettings
from common import console_proxy
from common.config import ConfigError
from common.console_proxy import ConsoleProxy, ConsoleProxyRefused, ConsoleProxyUnreachable
from common.consoles import Forward, Granted
from common.errors import QuotaExceeded, Unavailable, Unsupported

log = logging.getLogger(__name__)

#: seconds in which a proxy that has not answered is asked after all others
_DOUBT = 30.0


@dataclass(frozen=True)
class Let:
    """A viewer may come, to this proxy."""

    proxy: str
    granted: Granted


class Proxies:
    """Safe for threads."""

    def __init__(self, proxies: Mapping[str, ConsoleProxy]) -> None:
        #: by host:port of their control channels
        self.by_name = proxies
        self._lock = threading.Lock()
        self._silent: dict[str, float] = {}

    def forward(self, request: Forward) -> Let:
        """Let a viewer to a console. Raises Unsupported, QuotaExceeded, or Unavailable."""
        for name in self._order():
            try:
                return Let(name, self.by_name[name].forward(request))
            except ConsoleProxyUnreachable as err:
                log.warning("console_proxy.silent", extra={"proxy": name, "reason": str(err)})
                self._doubt(name)
            except ConsoleProxyRefused as err:
                log.warning(
                    "console_proxy.refused",
                    extra={"proxy": name, "code": err.code, "field": err.field, "reason": str(err)},
                )
                if err.code == "unavailable":
                    self._doubt(name)
                    continue
                raise _refusal(err) from err
        raise Unavailable("no console proxy answers now; try again soon")

    def _order(self) -> list[str]:
        """Give all names, in any order, but those last that have not answered lately."""
        names = list(self.by_name)
        random.shuffle(names)
        since = time.monotonic() - _DOUBT
        with self._lock:
            return sorted(names, key=lambda name: self._silent.get(name, since) > since)

    def _doubt(self, name: str) -> None:
        with self._lock:
            self._silent[name] = time.monotonic()


def of(settings: ConsoleSettings) -> Proxies | None:
    """Give the proxies that the settings name, None where there are none; raises ConfigError."""
    if not settings.proxies:
        return None
    try:
        tls = None if settings.plain_proxies else console_proxy.trust(settings.proxy_ca_file)
    except OSError as err:
        raise ConfigError(f"[console] proxy_ca_file {settings.proxy_ca_file!r}: {err}") from err
    made = {}
    for name in settings.proxies:
        host, _, port = name.rpartition(":")
        made[name] = ConsoleProxy(
            host.strip("[]"), int(port), tls=tls, token=settings.proxy_token, timeout=settings.proxy_timeout
        )
    return Proxies(made)


def _refusal(err: ConsoleProxyRefused) -> Exception:
    """Say it to a tenant, who is not to hear of addresses."""
    if err.code == "busy" and err.field == "user":
        return QuotaExceeded("there are as many consoles open as one user may have; close one first")
    if err.code == "invalid" and err.field == "kind":
        return Unsupported("the console proxy serves no viewers of this kind")
    if err.code == "unreachable":
        return Unavailable("the console of this server can't be reached now; try again soon")
    if err.code == "busy":
        return Unavailable("the console proxy has as many sessions as it may have; try again soon")
    return Unavailable("the console proxy has refused; the operator finds the reason by the request id")
