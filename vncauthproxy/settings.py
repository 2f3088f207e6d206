"""What vncauthproxy can be told; section [vncauthproxy] of the configuration."""

from __future__ import annotations

import ipaddress
import urllib.parse
from dataclasses import dataclass

from common import config, metrics
from common.metrics import Address

_POSITIVE = (
    "console_seconds", "viewer_seconds", "ticket_seconds", "idle_seconds", "session_seconds",
)  # fmt: skip
_COUNTS = ("sessions", "sessions_per_user", "history", "control_connections", "connections")

_METRICS = "[vncauthproxy] metrics_address"


@dataclass(frozen=True)
class VncauthproxySettings:
    """vncauthproxy, on every console host."""

    control_host: str = config.setting("127.0.0.1", "address to listen on for the API; empty for all of this host's")
    control_port: int = config.setting(24999, "port to listen on for the API")
    control_cert: str = config.setting("", "file of the certificate that the API is shown, with its chain")
    control_key: str = config.setting("", "file of that certificate's private key")
    control_ca: str = config.setting(
        "", "CA certificates for clients of the control channel: only who shows one of theirs is served; empty for none"
    )
    token: str = config.setting(
        "", "what clients of the control channel show in each request; empty for none, if there is a control_ca",
        secret=True,
    )  # fmt: skip
    plain_control: bool = config.setting(False, "serve the control channel without TLS: for test beds")
    control_connections: int = config.setting(64, "connections to the control channel at once")
    destinations: tuple[str, ...] = config.setting(
        (), "networks of the nodes' addresses, `192.0.2.0/24`: consoles are reached nowhere else"
    )
    destination_ports: str = config.setting("11000-14999", "ports that consoles are reached at: those Ganeti gives")
    serial_ports: str = config.setting("8780", "ports that the nodes' seriald is reached at, for serial consoles")
    plain_serial: bool = config.setting(False, "reach seriald without TLS: for test beds")
    console_ca: str = config.setting(
        "", "CA certificates that those of seriald and of screens (VeNCrypt's X509) are checked against; empty for none"
    )
    console_cert: str = config.setting("", "file of a certificate to show consoles (Ganeti's vnc_x509_verify)")
    console_key: str = config.setting("", "file of that certificate's private key")
    anonymous_tls: bool = config.setting(
        False, "whether TLS without certificates will do for consoles: it hides, and proves nothing"
    )
    console_seconds: float = config.setting(10.0, "seconds for the connection and handshake with a console")
    host: str = config.setting("", "address to listen on for native viewers; empty for all of this host's")
    ports: str = config.setting("25000-29999", "ports for native viewers: one for each that is awaited")
    public_host: str = config.setting("", "name or address by which native viewers reach this host; empty: none do")
    web_host: str = config.setting("", "address to listen on for browsers; empty for all of this host's")
    web_port: int = config.setting(6080, "port to listen on for browsers: one for all consoles")
    web_cert: str = config.setting("", "file of the certificate that browsers are shown, with its chain")
    web_key: str = config.setting("", "file of that certificate's private key")
    plain_web: bool = config.setting(False, "serve browsers without TLS: behind a proxy that has it, and in test beds")
    public_url: str = config.setting(
        "", "URL by which browsers reach this host, `wss://console.example:6080/`; empty: none do"
    )
    origins: tuple[str, ...] = config.setting(
        (), "origins of the pages that may show consoles, `https://console.example`; other pages are refused"
    )
    viewer_seconds: float = config.setting(60.0, "seconds for a viewer's handshake, in which people type a password")
    ticket_seconds: float = config.setting(600.0, "most seconds that a viewer may be awaited")
    idle_seconds: float = config.setting(3600.0, "seconds of silence from both sides after which a session is ended")
    session_seconds: float = config.setting(43_200.0, "seconds after which a session is ended in any case")
    sessions: int = config.setting(4096, "sessions at once, with those whose viewer is awaited")
    sessions_per_user: int = config.setting(32, "sessions at once of one user, with those whose viewer is awaited")
    history: int = config.setting(10_000, "ended sessions that are remembered for the API, at some 1 KiB each")
    connections: int = config.setting(1024, "viewers at once that have not shown yet who they are")
    connections_per_address: int = config.setting(
        64, "of those, browsers from one address (of IPv6, one /64); 0 for as many, behind a proxy that all come from"
    )
    metrics_address: str = config.setting("127.0.0.1:9467", "address:port for Prometheus; empty for none")

    def __post_init__(self) -> None:
        self._check_control()
        self._check_web()
        if not self.destinations:
            raise config.ConfigError("[vncauthproxy] destinations: missing; 0.0.0.0/0 and ::/0 are anywhere")
        try:
            self.networks  # noqa: B018  # it is what raises
        except ValueError as err:
            raise config.ConfigError(f"[vncauthproxy] destinations: {err}") from err
        for key in ("destination_ports", "serial_ports", "ports"):
            _ports(key, getattr(self, key))
        if bool(self.console_cert) != bool(self.console_key):
            raise config.ConfigError("[vncauthproxy] console_cert and console_key: both are needed, or neither")
        for key in _POSITIVE:
            if not getattr(self, key) > 0:
                raise config.ConfigError(f"[vncauthproxy] {key}: more than 0 is needed")
        for key in _COUNTS:
            if getattr(self, key) < 1:
                raise config.ConfigError(f"[vncauthproxy] {key}: at least 1 is needed")
        if self.connections_per_address < 0:
            raise config.ConfigError("[vncauthproxy] connections_per_address: at least 0 is needed")
        metrics.address(self.metrics_address, _METRICS)

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Where consoles may be."""
        return tuple(ipaddress.ip_network(each) for each in self.destinations)

    @property
    def console_ports(self) -> range:
        """At which ports consoles may be."""
        return _ports("destination_ports", self.destination_ports)

    @property
    def seriald_ports(self) -> range:
        """At which ports serial consoles may be."""
        return _ports("serial_ports", self.serial_ports)

    @property
    def viewer_ports(self) -> range:
        """At which ports native viewers are awaited."""
        return _ports("ports", self.ports)

    @property
    def metrics(self) -> Address | None:
        """Where Prometheus is answered."""
        return metrics.address(self.metrics_address, _METRICS)

    def _check_control(self) -> None:
        if not self.token and not self.control_ca:
            raise config.ConfigError("[vncauthproxy] token: a token or a control_ca is needed, or both")
        if not self.token.isascii():
            raise config.ConfigError("[vncauthproxy] token: a text in ASCII is expected")
        if self.plain_control:
            if self.control_ca:
                raise config.ConfigError("[vncauthproxy] control_ca: there are no certificates with plain_control")
        elif not (self.control_cert and self.control_key):
            raise config.ConfigError(
                "[vncauthproxy] control_cert and control_key: both are needed, or plain_control in a test bed"
            )

    def _check_web(self) -> None:
        if not self.public_url:
            return
        url = urllib.parse.urlsplit(self.public_url)
        if url.scheme not in ("wss", *(("ws",) if self.plain_web else ())) or not url.hostname:
            raise config.ConfigError(f"[vncauthproxy] public_url: {self.public_url!r} is not wss://host[:port]/")
        if url.query or url.fragment or url.username is not None:
            raise config.ConfigError(
                f"[vncauthproxy] public_url: {self.public_url!r} has more than host, port and path"
            )
        if not self.plain_web and not (self.web_cert and self.web_key):
            raise config.ConfigError(
                "[vncauthproxy] web_cert and web_key: both are needed, or plain_web behind a proxy"
            )
        if not self.origins:
            raise config.ConfigError("[vncauthproxy] origins: those of the pages that show consoles are needed")
        for each in self.origins:
            origin = urllib.parse.urlsplit(each)
            if origin.scheme not in ("https", "http") or f"{origin.scheme}://{origin.netloc}" != each:
                raise config.ConfigError(f"[vncauthproxy] origins: {each!r} is not scheme://host[:port]")


def _ports(key: str, text: str) -> range:
    first, dash, last = text.partition("-")
    last = last if dash else first
    if first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) <= 65535:
        return range(int(first), int(last) + 1)
    raise config.ConfigError(f"[vncauthproxy] {key}: {text!r} is not a port or first-last, of 1 to 65535")
