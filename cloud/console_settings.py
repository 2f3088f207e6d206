"""How the consoles of guests are reached; the same for every program that shows them."""

from __future__ import annotations

from dataclasses import dataclass

from common import config


@dataclass(frozen=True)
class ConsoleSettings:
    """The guests' serial consoles, as `seriald` on the nodes keeps them."""

    token: str = config.setting(
        "", "what the nodes' seriald is shown, its [seriald] token; empty: console output is not served", secret=True
    )
    port: int = config.setting(8780, "port of seriald on every node")
    ca_file: str = config.setting(
        "", "certificates that those of the nodes are checked against, in the nodes' names; empty for the system's"
    )
    plain_http: bool = config.setting(False, "ask without TLS: for test beds, and for loopback")
    timeout: float = config.setting(3.0, "seconds that a node may take to answer")
    connections: int = config.setting(8, "nodes that a process asks at once")

    def __post_init__(self) -> None:
        if not self.token.isascii():
            raise config.ConfigError("[console] token: a text in ASCII is expected")
