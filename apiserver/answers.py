"""Answers, made from plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import flask
import orjson

JSON = "application/json"


def json(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> flask.Response:
    """Answer with a JSON document; aware datetimes are written with `Z` and microseconds."""
    body = orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    return flask.Response(body, status=status, headers=headers, mimetype=JSON)


def empty(status: int, headers: Mapping[str, str] | None = None) -> flask.Response:
    """Answer without a body."""
    response = flask.Response(b"", status=status, headers=headers)
    del response.headers["Content-Type"]
    return response


def moment(at: datetime) -> str:
    """Write a time as identity's clients want it: UTC, with microseconds and `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
