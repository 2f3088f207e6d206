"""Where a server's console is: Ganeti is asked each time, so that a server that has moved is found where it is."""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass
from typing import Any, Protocol

from cloud.clients import Clients
from common.errors import Conflict, Unavailable
from db import backends, nodes
from db.sessions import Sessions
from rapi.errors import RapiError, RapiRefused

log = logging.getLogger(__name__)

_NOT_FOUND = 404


@dataclass(frozen=True)
class Guest:
    """A server, as its row names it."""

    instance_id: str
    name: str
    ganeti_name: str
    backend_id: int


@dataclass(frozen=True)
class Screen:
    """Where a screen is, and how it is reached."""

    host: str
    port: int
    #: nothing but TLS will do, with a certificate of this name
    tls: bool = False
    node: str = ""


@dataclass(frozen=True)
class Node:
    """The node that a server runs on: its name, and its address."""

    name: str
    host: str


class Places(Protocol):
    """Whoever knows where consoles are. Never to be asked within a transaction."""

    def screen(self, guest: Guest) -> Screen:
        """Tell where a server's screen is; raises Conflict if it has none, or none in reach, or Unavailable."""

    def node(self, guest: Guest) -> Node:
        """Tell where a server runs; raises Conflict, or Unavailable."""


class GanetiPlaces:
    """Asks Ganeti's RAPI, for the instance, by `GET /2/instances/NAME`: its own `/console` fails for VNC."""

    def __init__(self, sessions: Sessions, clients: Clients) -> None:
        self._sessions = sessions
        self._clients = clients

    def screen(self, guest: Guest) -> Screen:
        told = self._ask(guest)
        node = self._node(guest, told)
        hvparams, port = told.get("hvparams"), told.get("network_port")
        bind = hvparams.get("vnc_bind_address") if isinstance(hvparams, dict) else None
        if not isinstance(port, int) or not isinstance(bind, str) or not bind:
            raise Conflict(f"server {guest.name} has no screen: its hypervisor shows none by VNC")
        return Screen(
            host=_reached(bind, node, guest),
            port=port,
            tls=isinstance(hvparams, dict) and bool(hvparams.get("vnc_tls")),
            node=node.name,
        )

    def node(self, guest: Guest) -> Node:
        return self._node(guest, self._ask(guest))

    def _ask(self, guest: Guest) -> dict[str, Any]:  # Any: JSON
        with self._sessions.read() as db:
            backend = backends.get(db, guest.backend_id)
        if backend is None or backend.offline:
            raise Unavailable("the cluster of this server is not in service now")
        try:
            told = self._clients.of(backend).get_instance(guest.ganeti_name)
        except RapiRefused as err:
            if err.status == _NOT_FOUND:
                raise Conflict(f"server {guest.name} is not in its cluster now: it has no console") from err
            log.warning("console.place_refused", extra={"backend": backend.name, "reason": str(err)})
            raise Unavailable("the cluster of this server does not tell where its console is") from err
        except RapiError as err:
            log.warning("console.place_unknown", extra={"backend": backend.name, "reason": str(err)})
            raise Unavailable("the cluster of this server does not answer now; try again soon") from err
        if not isinstance(told, dict) or not told.get("oper_state"):
            raise Conflict(f"server {guest.name} does not run now: it has no console")
        return told

    def _node(self, guest: Guest, told: dict[str, Any]) -> Node:
        name = told.get("pnode")
        if not isinstance(name, str) or not name:
            raise Unavailable("the cluster of this server does not tell where it runs")
        with self._sessions.read() as db:
            return Node(name, nodes.address(db, guest.backend_id, name) or name)


def _reached(bind: str, node: Node, guest: Guest) -> str:
    """Give the host to connect to for what is bound to an address, or an interface's name, of a node."""
    if bind in ("lo", "localhost"):
        raise Conflict(_no_way(guest, bind))
    if bind.startswith("/"):
        raise Conflict(f"server {guest.name}: its screen is at a socket on its node, and can't be reached from outside")
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return node.host
    if address.is_loopback:
        raise Conflict(_no_way(guest, bind))
    return node.host if address.is_unspecified else bind


def _no_way(guest: Guest, bind: str) -> str:
    return (
        f"server {guest.name}: its screen can't be reached from outside its node; Ganeti's vnc_bind_address is {bind}"
    )
