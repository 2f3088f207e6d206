"""Ganeti's RAPI: from a method, a path and a body to a status and a body, in Ganeti's order of checks."""

import logging
import re
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

import orjson

from gntsim import http, knobs, settings, users
from gntsim.resources import base, control, general, instances, jobs, networks, nodes

log = logging.getLogger(__name__)

ROUTES = (
    *general.ROUTES,
    *instances.ROUTES,
    *jobs.ROUTES,
    *networks.ROUTES,
    *nodes.ROUTES,
    *control.ROUTES,
)
LAG = 0.05


class ConnectionCut(Exception):
    """The client must see its connection end without an answer."""


class Rapi:
    """All resources of one simulated master."""

    def __init__(
        self,
        config: settings.Settings,
        world: base.World,
        faults: knobs.Knobs,
        *,
        stopping: threading.Event,
    ) -> None:
        self._settings = config
        self._world = world
        self._knobs = faults
        self._stopping = stopping
        self._slots = threading.BoundedSemaphore(config.max_clients)
        self._routes: list[tuple[re.Pattern[str], base.Route]] = [
            (re.compile("^" + re.escape(route.pattern).replace(r"\{\}", "([^/]+)") + "$"), route) for route in ROUTES
        ]

    def answer(self, method: str, target: str, headers: Callable[[str], str | None], raw: bytes) -> tuple[int, bytes]:
        """The status and body for a request; raises ConnectionCut when there must be none."""
        path = urllib.parse.urlsplit(target).path
        if path.startswith("/sim/"):
            return self._carefully(method, target, headers, raw)
        while not self._slots.acquire(timeout=LAG):
            if self._stopping.is_set():
                raise ConnectionCut
        try:
            return self._suffer(method, target, headers, raw)
        finally:
            self._slots.release()

    def _suffer(self, method: str, target: str, headers: Callable[[str], str | None], raw: bytes) -> tuple[int, bytes]:
        fault = self._knobs.rapi_fault(writing=method in ("POST", "PUT", "DELETE") and "/query/" not in target)
        match fault.kind if fault else None:
            case knobs.Rapi.REFUSE:
                raise ConnectionCut
            case knobs.Rapi.HANG:
                self._stopping.wait(self._knobs.dials.hang_seconds)
                return 504, http.HttpError(504).body()
            case knobs.Rapi.DOWN:
                return 504, http.HttpError(504).body()
            case knobs.Rapi.LOST:
                self._carefully(method, target, headers, raw)
                raise ConnectionCut
            case _:
                return self._carefully(method, target, headers, raw)

    def _carefully(
        self, method: str, target: str, headers: Callable[[str], str | None], raw: bytes
    ) -> tuple[int, bytes]:
        try:
            return 200, orjson.dumps(self._dispatch(method, target, headers, raw)) + b"\n"
        except http.HttpError as err:
            return err.code, err.body()
        except Exception as err:
            log.exception("request failed", extra={"method": method, "path": target})
            return 500, http.HttpError(500, str(err)).body()

    def _dispatch(self, method: str, target: str, headers: Callable[[str], str | None], raw: bytes) -> Any:
        parts = urllib.parse.urlsplit(target)
        route, items = self._route(parts.path)
        handler = route.methods.get(method)
        if handler is None:
            raise http.HttpError(501, f"Method {method} is unsupported for path {parts.path}")
        body = self._body(headers, raw)
        user = users.authenticate(self._settings.users_file, headers("Authorization"))
        if user is None:
            raise http.HttpError(401)
        if method in route.writing and not user.write:
            raise http.HttpError(403)
        query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        return handler(self._world, http.Request(method, parts.path, items, query, body))

    def _route(self, path: str) -> tuple[base.Route, tuple[str, ...]]:
        for pattern, route in self._routes:
            match = pattern.match(path)
            if match:
                return route, tuple(urllib.parse.unquote(item) for item in match.groups())
        raise http.HttpError(404)

    @staticmethod
    def _body(headers: Callable[[str], str | None], raw: bytes) -> Any:
        if not raw:
            return None
        kind = (headers("Content-Type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise http.HttpError(415)
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as err:
            raise http.HttpError(400, "Unable to parse JSON data") from err
