"""What an HTTP answer of Ganeti's remote API means: a value, a refusal, or an unknown outcome."""

import html
from http import HTTPStatus
from typing import Any  # Ganeti's JSON has no types that we could name here

import orjson

from rapi import errors, wire

# By the text that the daemon sends, where the status alone would mislead.
_REFUSALS_BY_TEXT = {
    "Queue drained": ("JobQueueDrainError", True),
    "Job queue is drained": ("JobQueueDrainError", True),
    "Job queue is full": ("JobQueueFull", True),
    "Failed to parse request": ("HttpBadGateway", False),
}
_NEVER_SENT = "Can't connect to master daemon"
_UNKNOWN_OUTCOME = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})


def value(status: int, content: bytes, *, secrets: frozenset[str] = frozenset()) -> Any:
    """The JSON value of a good answer; raises RapiRefused or RapiUnreachable for the others.

    Ganeti's messages may quote what was sent: none of the `secrets` stays in them.
    """
    if status != HTTPStatus.OK:
        message = _message(content)
        raise _failure(status, message if message is None else wire.redact(message, secrets))
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as err:
        raise errors.RapiUnreachable(f"the answer is not JSON: {err}", sent=True) from err


def _failure(status: int, message: str | None) -> errors.RapiError:
    if message is None:
        return _failure_of_a_gateway(status)
    for text, (error_class, retryable) in _REFUSALS_BY_TEXT.items():
        if message.startswith(text):
            return errors.RapiRefused(status=status, error_class=error_class, reason=message, retryable=retryable)
    if message.startswith(_NEVER_SENT):
        return errors.RapiUnreachable(message, sent=False)
    if status in _UNKNOWN_OUTCOME:
        return errors.RapiUnreachable(f"{status}: {message}", sent=True)
    retryable = status == HTTPStatus.SERVICE_UNAVAILABLE
    return errors.RapiRefused(status=status, error_class=_name(status), reason=message, retryable=retryable)


def _failure_of_a_gateway(status: int) -> errors.RapiError:
    """The answer lacks Ganeti's form, so something before Ganeti sent it."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.RapiUnreachable(f"a gateway answered {status}", sent=True)
    return errors.RapiRefused(status=status, error_class=_name(status), reason=f"HTTP status {status}")


def _message(content: bytes) -> str | None:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return None
    return html.unescape(body["message"])


def _name(status: int) -> str:
    try:
        words = HTTPStatus(status).phrase.replace("-", " ").split()
    except ValueError:
        return f"Http{status}"
    return "Http" + "".join(word.capitalize() for word in words)
