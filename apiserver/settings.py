"""What an operator may decide about the API server."""

from __future__ import annotations

from dataclasses import dataclass

from common import config


@dataclass(frozen=True)
class ApiSettings:
    """Where the API listens, how it names itself and how much it takes at once."""

    host: str = config.setting("127.0.0.1", "address to listen on")
    port: int = config.setting(8774, "port to listen on")
    cert: str = config.setting(
        "", "file of the certificate that clients are shown, with its chain; empty: TLS is a proxy's in front of it"
    )
    key: str = config.setting("", "file of the certificate's private key, which the API server's user can read")
    public_url: str = config.setting(
        "", "URL that clients reach the API by, without a slash at its end; empty: the host that each request names"
    )
    region: str = config.setting("RegionOne", "region that the catalog names")
    identity: str = config.setting(
        "local", "who gives tokens: `local` for the identity service of our own, `keystone` for that of [keystone]"
    )
    workers: int = config.setting(2, "processes that answer requests")
    threads: int = config.setting(8, "requests that each process answers at once")
    submitter: bool = config.setting(True, "whether these processes also send jobs to Ganeti")
    docs: bool = config.setting(True, "whether /docs and /swagger.json are served")
    max_limit: int = config.setting(1000, "items that a page of a list may have")
    max_body: int = config.setting(1_048_576, "bytes that the body of a request may have")
    metadata_secret: str = config.setting(
        "",
        "secret that the nodes' metadatad signs with whose guest asks; empty: no guest is told anything",
        secret=True,
    )
    request_timeout: int = config.setting(60, "seconds after which a process that no longer answers is replaced")
    stop_patience: int = config.setting(20, "seconds that requests under way get to end when the server stops")

    def __post_init__(self) -> None:
        if bool(self.cert) != bool(self.key):
            raise config.ConfigError("[api] cert and key: both are needed, or neither")
