"""What the request handlers work with: built once by the program, given to each handler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apiserver.metrics import Metrics
from apiserver.settings import ApiSettings
from apiserver.urls import Urls
from cloud.context import Cloud
from db.tokens import Bearer


@dataclass(frozen=True)
class ForeignIdentity:
    """An identity service that is used instead of our own."""

    #: tells what a token stands for; raises Unauthorized, Forbidden or Unavailable
    validate: Callable[[str], Bearer]
    #: where clients log in
    url: str


@dataclass(frozen=True)
class Front:
    """The collaborators of every handler."""

    cloud: Cloud
    settings: ApiSettings
    urls: Urls
    metrics: Metrics
    #: tells whether the message broker answers
    bus_ready: Callable[[], bool]
    #: tells why the schema is too old to serve on; None if it is not
    schema_behind: Callable[[], str | None] = lambda: None
    #: None: identity is served here
    foreign_identity: ForeignIdentity | None = None
    #: the origins of the console proxies' WebSockets (wss://host:port), which the console page may connect to
    console_origins: Callable[[], Sequence[str]] = tuple
