"""Certificates that the configuration names: they have to be there, and to last for a while."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from common import config
from manage import finding
from manage.finding import Finding

#: what is left of a certificate's time when it is to be renewed
NOTICE = timedelta(days=30)
_TRUSTED = re.compile(r"(?:_| )ca(?:_file)?$")
_KEYS = re.compile(r"(?:^|_)(?:cert|ca|ca_file)$")


def check(conf: config.Config, *, now: datetime) -> list[Finding]:
    """Look at each file once."""
    files: dict[Path, str] = {}
    for where, path in named(conf):
        files.setdefault(path, where)
    found = [_of_file(path, where, now) for path, where in files.items()]
    return found or [finding.well("certificates", "the configuration names none")]


def named(conf: config.Config) -> Iterator[tuple[str, Path]]:
    """Give the keys that name certificates, with the files; what can't be meant, its program tells."""
    for name in config.SECTIONS:
        try:
            section = conf.registered(name)
        except config.ConfigError:
            continue
        for each in dataclasses.fields(section):
            value = getattr(section, each.name)
            if _KEYS.search(each.name) and isinstance(value, str | Path) and str(value):
                yield f"[{name}] {each.name}", Path(value)


def judged(check: str, where: str, expires: datetime, now: datetime) -> Finding:
    """Judge when a certificate ends."""
    left = expires - now
    day = f"{expires:%Y-%m-%d}"
    if left < timedelta():
        return finding.wrong(check, f"{where}: expired on {day}", "renew it")
    if left < NOTICE:
        text = f"{where}: expires on {day}, in {left.days} days (less than {NOTICE.days})"
        return finding.wrong(check, text, "renew it; one of `setup`'s is made anew when it and its key are removed")
    return finding.well(check, f"{where}: until {day}")


def _of_file(path: Path, where: str, now: datetime) -> Finding:
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as err:
        return finding.wrong("certificates", f"{where} {path}: {err.strerror}", "put it there, or `syros-manage setup`")
    except ValueError:
        return finding.wrong("certificates", f"{where} {path} has no certificate in PEM form", "put one there")
    ends = [each.not_valid_after_utc for each in certificates]
    # of many that are trusted, such as the system's, old ones may have ended
    return judged("certificates", str(path), max(ends) if _TRUSTED.search(where) else min(ends), now)
