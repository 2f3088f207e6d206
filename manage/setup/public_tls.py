"""Certificates of the programs that clients and browsers meet, where the configuration names some that are missing."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from common import config, hosts
from manage import finding
from manage.authority import Authority
from manage.context import Context
from manage.finding import Finding
from manage.setup.step import Step, Undone

#: section, key of the certificate's file, key of its private key's, group that may read it
_NAMED = (
    ("api", "cert", "key", "syros-apiserver"),
    ("vncauthproxy", "web_cert", "web_key", "syros-vncauthproxy"),
    ("vncauthproxy", "control_cert", "control_key", "syros-vncauthproxy"),
)
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class _Pair:
    where: str
    cert: Path
    key: Path
    group: str


def step(context: Context, authority: Authority, name: str) -> Step:
    """Make what is named and missing, in the host's name; what is there is never overwritten."""

    def look() -> Finding:
        try:
            context.config.registered("api")
        except config.ConfigError as err:
            return finding.wrong("tls", str(err), "mend [api]: it says whether there is to be TLS")
        named = _named(context.config)
        missing = [pair for pair in named if not (pair.cert.exists() and pair.key.exists())]
        if missing:
            text = ", ".join(f"{pair.where} {pair.cert}" for pair in missing)
            return finding.wrong("tls", f"not there: {text}", "`syros-manage setup` makes them, or put yours there")
        loose = [str(pair.key) for pair in named if pair.key.stat().st_mode & 0o007]
        if loose:
            text = f"everybody can read {finding.some(loose)}"
            return finding.wrong("tls", text, "`syros-manage setup` closes them; make others if somebody has")
        if not named:
            return finding.well("tls", "no certificate is named: [api] listens without TLS")
        return finding.well("tls", ", ".join(str(pair.cert) for pair in named))

    def make() -> str:
        made = []
        for pair in _named(context.config):
            there = [each for each in (pair.cert, pair.key) if each.exists()]
            if len(there) == 1:
                other = pair.key if there[0] == pair.cert else pair.cert
                raise Undone(f"{there[0]} is there without {other}", "put the other there, or remove this one")
            if there:
                pair.key.chmod(pair.key.stat().st_mode & 0o770)
                continue
            try:
                names = tuple(dict.fromkeys((name, *_LOCAL)))
                authority.issue(pair.cert, pair.key, names=names, group=pair.group, now=context.now())
            except (OSError, ValueError) as err:
                raise Undone(f"{pair.cert}: {err}", "mend that, or put a certificate of yours there") from err
            made.append(str(pair.cert))
        if not made:
            return "closed the keys"
        return f"made {', '.join(made)} for {name}, signed by {authority.certificate}"

    return Step("tls", look, make)


def auth_url(conf: config.Config, name: str, *, told: bool) -> str:
    """Give the URL that clients log in at; `told`: the name is one that the operator has said."""
    section = conf.registered("api")
    if section.public_url:
        return f"{section.public_url}/identity/v3"
    host = name if told or not _is_loopback(section.host) else section.host
    scheme = "https" if section.cert else "http"
    return f"{scheme}://{hosts.bracketed(host)}:{section.port}/identity/v3"


def cacert(conf: config.Config, authority: Authority) -> Path | None:
    """Give what clients have to trust beside what they trust already: our own authority, if it signed the API's."""
    section = conf.registered("api")
    if section.cert and authority.has_signed(Path(section.cert)):
        return authority.certificate
    return None


def _named(conf: config.Config) -> list[_Pair]:
    found = []
    for name, cert, key, group in _NAMED:
        try:
            section = conf.registered(name)
        except config.ConfigError:
            # its program, which is not set up yet, will say so
            continue
        if getattr(section, cert) and getattr(section, key):
            pair = _Pair(f"[{name}] {cert}", Path(getattr(section, cert)), Path(getattr(section, key)), group)
            found.append(pair)
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
