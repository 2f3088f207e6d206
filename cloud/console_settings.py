"""How the consoles of guests are reached, and by whom; the same for every program that shows them."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass

from common import config


@dataclass(frozen=True)
class ConsoleSettings:
    """The guests' serial consoles, as `seriald` on the nodes keeps them, and what lets viewers to consoles."""

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

    proxies: tuple[str, ...] = config.setting(
        (), "host:port of each vncauthproxy's control channel; none: consoles are not shown"
    )
    proxy_token: str = config.setting("", "what they are shown, their [vncauthproxy] token", secret=True)
    proxy_ca_file: str = config.setting(
        "", "certificates that those of the proxies are checked against, in their hosts' names; empty for the system's"
    )
    plain_proxies: bool = config.setting(False, "ask the proxies without TLS: for test beds")
    proxy_timeout: float = config.setting(
        12.0, "seconds that a proxy may take to answer; more than its [vncauthproxy] console_seconds"
    )
    ganeti_timeout: float = config.setting(4.0, "seconds that Ganeti may take to tell where a console is")
    page_url: str = config.setting(
        "", "URL of the console page, `https://cloud.example/console/`; empty: the one that the API serves itself"
    )
    origins: tuple[str, ...] = config.setting(
        (), "origins of the proxies' public URLs, `wss://console.example:6080`: the page connects nowhere else"
    )
    vnc_password: str = config.setting(
        "", "what screens ask for, as in Ganeti's vnc_password_file; empty if nothing", secret=True
    )
    token_seconds: float = config.setting(600.0, "seconds in which the URL of a console has to be opened")
    ticket_seconds: float = config.setting(60.0, "seconds in which a viewer has to have come to the proxy")
    resume_seconds: float = config.setting(
        28_800.0, "seconds, from its first connection on, in which the page of a console may connect again"
    )
    link_seconds: float = config.setting(86_400.0, "seconds that a view-only link may last")
    links: int = config.setting(20, "view-only links that a server may have at once")

    def __post_init__(self) -> None:
        for key in ("token", "proxy_token", "vnc_password"):
            if not getattr(self, key).isascii():
                raise config.ConfigError(f"[console] {key}: a text in ASCII is expected")
        for each in self.proxies:
            _, colon, port = each.rpartition(":")
            if not colon or not port.isdigit() or not 1 <= int(port) <= 65535:
                raise config.ConfigError(f"[console] proxies: {each!r} is not host:port")
        for each in self.origins:
            url = urllib.parse.urlsplit(each)
            if url.scheme not in ("wss", "ws") or f"{url.scheme}://{url.netloc}" != each:
                raise config.ConfigError(f"[console] origins: {each!r} is not wss://host[:port]")
        if self.page_url and urllib.parse.urlsplit(self.page_url).scheme not in ("https", "http"):
            raise config.ConfigError(f"[console] page_url: {self.page_url!r} is not a URL of http or https")
        for key in _POSITIVE:
            if not getattr(self, key) > 0:
                raise config.ConfigError(f"[console] {key}: more than 0 is needed")


_POSITIVE = (
    "proxy_timeout", "ganeti_timeout", "token_seconds", "ticket_seconds", "resume_seconds", "link_seconds",
)  # fmt: skip
