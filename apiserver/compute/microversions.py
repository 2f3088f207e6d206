"""Microversions: the one that /compute/v2.1 speaks, and what becomes of requests for another.

Clients ask by `OpenStack-API-Version: compute X.Y`, older ones by `X-OpenStack-Nova-API-Version: X.Y`.
"""

from __future__ import annotations

import re

import flask
from werkzeug import exceptions
from werkzeug.datastructures import Headers

from common.errors import Invalid

#: the version in the path that has microversions
PATH = "v2.1"
ONLY = "2.1"

_HEADER = "OpenStack-API-Version"
_OLD_HEADER = "X-OpenStack-Nova-API-Version"
_FORM = re.compile(r"([1-9]\d{0,2})\.(0|[1-9]\d{0,3})")


def check(headers: Headers) -> None:
    """Refuse a request for a microversion that isn't spoken; raises Invalid, or NotAcceptable."""
    wanted = _wanted(headers)
    if wanted is None or wanted == "latest":
        return
    if not _FORM.fullmatch(wanted):
        raise Invalid(f"{_HEADER}: a version such as {ONLY} is expected")
    if wanted != ONLY:
        raise exceptions.NotAcceptable(f"version {wanted} is not spoken here; from {ONLY} to {ONLY} are")


def mark(response: flask.Response) -> flask.Response:
    """Tell in an answer's headers which microversion it has."""
    response.headers[_HEADER] = f"compute {ONLY}"
    response.headers[_OLD_HEADER] = ONLY
    response.vary.update((_HEADER, _OLD_HEADER))
    return response


def _wanted(headers: Headers) -> str | None:
    for part in headers.get(_HEADER, "").split(","):
        service, _, version = part.strip().partition(" ")
        if service.lower() == "compute":
            return version.strip().lower()
    return headers.get(_OLD_HEADER, "").strip().lower() or None
