"""What may leave for Ganeti: printable ASCII only, and what of it must not come back in a message.

Other characters poison a cluster: jobs that carry them cannot be read any more, and in the configuration they stop
every later job. So they are refused here, whoever let them through.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from rapi import errors

Query = Sequence[tuple[str, str | int]]

_SECRET_FIELDS = frozenset({"osparams_private", "osparams_secret"})
_REDACTED = "<redacted>"


def resource(*segments: str | int) -> str:
    """The path of a resource of RAPI version 2, each segment quoted."""
    for segment in segments:
        if str(segment) in ("", ".", ".."):
            raise errors.RapiRefused(status=0, error_class="BadName", reason=f"{segment!r} names nothing")
        _check(str(segment), "path")
    return "/2/" + "/".join(quote(str(segment), safe="") for segment in segments)


def check(query: Query, body: object) -> None:
    """Refuse whatever Ganeti's queue could not carry; the message names the place and not the value."""
    for name, value in query:
        _check(str(value), f"query.{name}")
    for place, text in _texts(body, "body"):
        _check(text, place)


def secrets_in(body: object) -> frozenset[str]:
    """The texts of a body that must never show in an error or a log."""
    if not isinstance(body, dict):
        return frozenset()
    return frozenset(text for name in _SECRET_FIELDS & body.keys() for text in _leaves(body[name]))


def redact(text: str, secrets: frozenset[str]) -> str:
    """The text without any of the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, _REDACTED)
    return text


def _check(text: str, place: str) -> None:
    if text.isascii() and (text.isprintable() or not text):
        return
    raise errors.RapiRefused(
        status=0, error_class="NotAscii", reason=f"{place} holds a character other than printable ASCII"
    )


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every string of a JSON value with its place: keys too, since Ganeti stores those as well."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"a key of {place}", str(key)
            yield from _texts(item, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
