"""The message bus, seen by its users: confirmed publishing, acknowledged consuming, dead letters.

Two implementations behave alike: `memory` (one process) and `rabbit` (RabbitMQ).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class BusUnreachable(Exception):
    """The broker did not take or give anything; what was not confirmed may or may not have arrived."""


class Fault(StrEnum):
    """What is wrong with a broker, the first thing in the way."""

    UNREACHABLE = "it does not answer"
    UNTRUSTED = "its certificate is not trusted"
    LOGIN = "the user or the password is wrong"
    VHOST = "the virtual host is not there, or not the user's"
    PERMISSION = "the user lacks permissions in the virtual host"


@dataclass(frozen=True)
class Trouble:
    """A fault, with the broker's or the system's own words."""

    fault: Fault
    words: str


class Verdict(StrEnum):
    """What a handler says of a message."""

    #: it is dealt with: forget it
    DONE = "done"
    #: it can never be dealt with: keep it for an operator
    DEAD = "dead"
    #: not now: keep it, and deliver it again after a pause
    LATER = "later"


@dataclass(frozen=True)
class Judgement:
    """A verdict, with its reason for the operator who reads dead letters."""

    verdict: Verdict
    reason: str = ""


Handler = Callable[[bytes], Judgement]


@dataclass(frozen=True)
class DeadLetter:
    """A message that nobody could deal with."""

    id: str
    body: bytes
    reason: str
    died_at: datetime | None


class Publisher(Protocol):
    """Sends events; one thread at a time."""

    def publish(self, bodies: Sequence[bytes]) -> None:
        """Return when the broker has confirmed every body; raise BusUnreachable otherwise."""

    def close(self) -> None: ...


class Bus(Protocol):
    """A broker."""

    def publisher(self) -> Publisher:
        """Give a publisher; it connects when it first publishes, and again after a failure."""

    def consume(self, handle: Handler, *, stop: threading.Event) -> None:
        """Hand each message to the handler until `stop` is set; reconnect for as long as that takes.

        A message is forgotten only after its handler's verdict; what a handler raises ends this call, and its message
        comes again. May run in several threads and processes at once.
        """

    def ready(self) -> bool:
        """Tell whether the broker answers now, within two seconds."""

    def trouble(self) -> Trouble | None:
        """Say what keeps us from working with it, within half a minute; None if nothing does."""

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """List the oldest dead letters, leaving them where they are."""

    def replay(self, letter_id: str) -> bool:
        """Publish a dead letter again and remove it; False if there is none by that id."""

    def drop(self, letter_id: str) -> bool:
        """Remove a dead letter for good; False if there is none by that id."""
