"""RAPI clients: one per backend and process, so that the limit on connections holds.

A backend whose row has changed gets a new one.
"""

from __future__ import annotations

import threading

from cloud.settings import CloudSettings
from cloud.vault import Vault
from db.backends import Backend
from rapi.client import Client
from rapi.endpoint import Endpoint


class Clients:
    """Gives the client of a backend; safe to use by several threads."""

    def __init__(self, settings: CloudSettings, vault: Vault) -> None:
        self._settings = settings
        self._vault = vault
        self._lock = threading.Lock()
        self._clients: dict[int, tuple[Endpoint, Client]] = {}

    def endpoint(self, backend: Backend) -> Endpoint:
        """Give where a backend is, and how to know it; raises ConfigError where our key does not open its password."""
        return Endpoint(
            urls=tuple(backend.rapi_urls),
            user=backend.rapi_user,
            password=self._vault.open(backend.rapi_password),
            ca_pem=backend.rapi_ca,
            fingerprint=backend.rapi_fingerprint,
            timeout=self._settings.rapi_timeout,
            max_connections=self._settings.rapi_connections,
        )

    def of(self, backend: Backend) -> Client:
        endpoint = self.endpoint(backend)
        with self._lock:
            known = self._clients.get(backend.id)
            if known is not None and known[0] == endpoint:
                return known[1]
            client = Client(endpoint)
            self._clients[backend.id] = (endpoint, client)
        if known is not None:
            known[1].close()
        return client

    def close(self) -> None:
        with self._lock:
            clients = [client for _, client in self._clients.values()]
            self._clients.clear()
        for client in clients:
            client.close()
