"""Stand-ins for those who show consoles: Ganeti, as far as it tells where they are, and the console proxies."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from cloud.console_desk import Desk
from cloud.console_places import Guest, Node, Screen
from cloud.console_proxies import Proxies
from cloud.console_settings import ConsoleSettings
from common import consoles
from common.console_proxy import ConsoleProxy, ConsoleProxyRefused, ConsoleProxyUnreachable
from common.consoles import EndedSession, Forward, Granted, History, Kind, Session

NODE = "node1.example.org"
ADDRESS = "192.0.2.7"
AT = "2026-01-31T12:00:00+00:00"


@dataclass
class Places:
    """Ganeti: tells of one place, or raises what it is told to."""

    error: Exception | None = None
    place: Screen = field(default_factory=lambda: Screen(ADDRESS, 11004, node=NODE))
    asked: list[Guest] = field(default_factory=list)
    #: called while Ganeti is asked
    meanwhile: Callable[[], object] = lambda: None

    def screen(self, guest: Guest) -> Screen:
        self.asked.append(guest)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return self.place

    def node(self, guest: Guest) -> Node:
        self.screen(guest)
        return Node(NODE, ADDRESS)


class FakeProxy(ConsoleProxy):
    """A console proxy that remembers what it was asked, with the sessions that it has."""

    def __init__(self, name: str = "one") -> None:
        super().__init__(name, 1, tls=None)
        self.name = name
        self.boot = f"boot-{name}"
        self.asked: list[Forward] = []
        self.killed: list[str] = []
        self.open: dict[str, Session] = {}
        self.ended: list[EndedSession] = []
        self.refusal: ConsoleProxyRefused | None = None
        self.silent = False
        self._numbers = itertools.count(1)

    def forward(self, request: Forward) -> Granted:
        self._answer()
        consoles.forward(consoles.document(request))  # a real one would read it so
        self.asked.append(request)
        number = next(self._numbers)
        session = f"{self.name}-{number}"
        self.open[session] = Session(
            session=session,
            kind=request.kind,
            protocol=request.protocol,
            view_only=request.view_only,
            server=request.server,
            user=request.user,
            project=request.project,
            request_id=request.request_id,
            host=request.host,
            port=request.port,
            viewer=None,
            granted_at=AT,
            opened_at=None,
            shown=0,
            typed=0,
        )
        if request.kind is Kind.VNC:
            return Granted(session, "Vx81kQ0z", host=f"{self.name}.example", port=25_000 + number, url="")
        return Granted(session, f"ticket-{session}", host="", port=0, url=f"wss://{self.name}.example:6080/")

    def enter(self, session: str) -> None:
        """Have a session's viewer come."""
        self.open[session] = Session(**{**vars(self.open[session]), "viewer": "198.51.100.9:4000", "opened_at": AT})

    def end(self, session: str, reason: str) -> None:
        """End a session."""
        self.ended.append(EndedSession(**vars(self.open.pop(session)), ended_at=AT, reason=reason))

    def restart(self) -> None:
        """Forget everything, as a new process does."""
        self.boot += "'"
        self.open.clear()
        self.ended.clear()

    def sessions(self) -> list[Session]:
        self._answer()
        return list(self.open.values())

    def history(self, after: int = 0, *, boot: str = "") -> History:
        self._answer()
        after = after if boot in ("", self.boot) else 0
        some = self.ended[after : after + 2]
        return History(boot=self.boot, next=after + len(some), lost=0, sessions=some)

    def kill(self, *, session: str = "", server: str = "", user: str = "", project: str = "") -> int:
        self._answer()
        if session not in self.open:
            raise ConsoleProxyRefused("not_found", f"there is no session {session}", "session")
        self.killed.append(session)
        self.end(session, "killed")
        return 1

    def _answer(self) -> None:
        if self.silent:
            raise ConsoleProxyUnreachable("it has not answered in time")
        if self.refusal is not None:
            raise self.refusal


def desk(places: Places, *proxies: FakeProxy, **settings: object) -> Desk:
    """Give what consoles are shown with."""
    names = {f"{each.name}:1": each for each in proxies}
    rules = ConsoleSettings(proxies=tuple(names), **{"token": "serial-token", **settings})  # type: ignore[arg-type]
    return Desk(rules, places, Proxies(names))
