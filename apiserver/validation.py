"""Typed readers over a JSON object; each raises Invalid with the field and the reason.

Texts that a database can't hold (NUL, lone surrogates) or that nobody means (control characters) never get past here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from common.errors import Invalid

_BIGGEST = 2**31 - 1

_TRUE = ("true", "1", "yes", "on", "t", "y")
_FALSE = ("false", "0", "no", "off", "f", "n")


def parse(raw: bytes) -> Body:
    """Read a request's body, which has to be a JSON object."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as err:
        raise Invalid(f"the body is not JSON: {err}") from err
    if not isinstance(document, dict):
        raise Invalid("the body has to be a JSON object")
    return Body(document)


class Body:
    """A JSON object, and where in the request it stands."""

    def __init__(self, document: Mapping[str, object], where: str = "") -> None:
        self._document = document
        self._where = where

    def keys(self) -> list[str]:
        """List the members."""
        return list(self._document)

    def has(self, key: str) -> bool:
        """Tell whether a member is there and not null."""
        return self._document.get(key) is not None

    def raw(self, key: str) -> object:
        """Give a member as it came, or None."""
        return self._document.get(key)

    def only(self, *known: str) -> None:
        """Refuse members other than these."""
        for key in self._document:
            if key not in known:
                raise Invalid(f"{self._name(printable(key))}: unknown; known are {', '.join(sorted(known))}")

    def text(self, key: str, *, longest: int = 255, shortest: int = 0, lines: bool = False) -> str:
        """Read a text; `lines` allows line breaks and tabs."""
        return check_text(self._required(key), self._name(key), longest=longest, shortest=shortest, lines=lines)

    def maybe_text(self, key: str, *, longest: int = 255, shortest: int = 0, lines: bool = False) -> str | None:
        """Read a text that may be missing or null."""
        return self.text(key, longest=longest, shortest=shortest, lines=lines) if self.has(key) else None

    def integer(self, key: str, *, least: int = 0, most: int = _BIGGEST) -> int:
        """Read a whole number, also when it is written as a text of digits."""
        return check_integer(self._required(key), self._name(key), least=least, most=most)

    def maybe_integer(self, key: str, *, least: int = 0, most: int = _BIGGEST) -> int | None:
        """Read a whole number that may be missing or null."""
        return self.integer(key, least=least, most=most) if self.has(key) else None

    def boolean(self, key: str, *, default: bool | None = None) -> bool:
        """Read true or false, also when written as a text."""
        if default is not None and not self.has(key):
            return default
        return check_boolean(self._required(key), self._name(key))

    def moment(self, key: str) -> datetime:
        """Read an ISO 8601 time; without a zone it is UTC."""
        return check_moment(self.text(key, longest=64), self._name(key))

    def maybe_moment(self, key: str) -> datetime | None:
        """Read an ISO 8601 time that may be missing or null."""
        return self.moment(key) if self.has(key) else None

    def mapping(self, key: str, *, longest_key: int = 255, longest: int = 255) -> dict[str, str]:
        """Read an object whose members are all texts."""
        found = self._required(key)
        name = self._name(key)
        if not isinstance(found, dict):
            raise Invalid(f"{name}: an object of texts is expected")
        result: dict[str, str] = {}
        for item, value in found.items():
            checked = check_text(item, f"{name}: the key", longest=longest_key, shortest=1)
            result[checked] = check_text(value, f"{name}.{checked}", longest=longest)
        return result

    def nested(self, key: str) -> Body:
        """Read an object."""
        found = self._required(key)
        if not isinstance(found, dict):
            raise Invalid(f"{self._name(key)}: an object is expected")
        return Body(found, self._name(key))

    def maybe_nested(self, key: str) -> Body | None:
        """Read an object that may be missing or null."""
        return self.nested(key) if self.has(key) else None

    def nested_list(self, key: str, *, most: int = 1000) -> list[Body]:
        """Read a list of objects."""
        name = self._name(key)
        found = self._list(key, most)
        if not all(isinstance(item, dict) for item in found):
            raise Invalid(f"{name}: a list of objects is expected")
        return [Body(item, f"{name}[{i}]") for i, item in enumerate(found) if isinstance(item, dict)]

    def texts(self, key: str, *, most: int = 1000, longest: int = 255) -> list[str]:
        """Read a list of texts."""
        name = self._name(key)
        return [check_text(item, f"{name}[{i}]", longest=longest) for i, item in enumerate(self._list(key, most))]

    def _list(self, key: str, most: int) -> list[object]:
        found = self._required(key)
        if not isinstance(found, list):
            raise Invalid(f"{self._name(key)}: a list is expected")
        if len(found) > most:
            raise Invalid(f"{self._name(key)}: {most} items at most")
        return found

    def _required(self, key: str) -> object:
        found = self._document.get(key)
        if found is None:
            raise Invalid(f"{self._name(key)}: missing")
        return found

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key


def check_text(value: object, name: str, *, longest: int = 255, shortest: int = 0, lines: bool = False) -> str:
    """Give the value back if it is a text of that length without control characters."""
    if not isinstance(value, str):
        raise Invalid(f"{name}: a text is expected")
    if not shortest <= len(value) <= longest:
        raise Invalid(f"{name}: {shortest} to {longest} characters are expected, there are {len(value)}")
    allowed = "\n\r\t" if lines else ""
    if not value.isprintable() and any(_unwanted(char) and char not in allowed for char in value):
        raise Invalid(f"{name}: control characters are not allowed")
    return value


def check_integer(value: object, name: str, *, least: int = 0, most: int = _BIGGEST) -> int:
    """Read a whole number within bounds."""
    if isinstance(value, str) and value.removeprefix("-").isascii() and value.removeprefix("-").isdigit():
        value = int(value) if len(value) < 20 else most + 1
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"{name}: a whole number is expected")
    if not least <= value <= most:
        raise Invalid(f"{name}: {least} to {most} is expected")
    return value


def check_boolean(value: object, name: str) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    word = str(value).lower() if isinstance(value, str | int) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Invalid(f"{name}: true or false is expected")


def check_moment(text: str, name: str) -> datetime:
    """Read an ISO 8601 time; a `+` that a URL turned into a space is accepted."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as err:
        raise Invalid(f"{name}: an ISO 8601 time is expected, such as 2026-01-31T12:00:00Z") from err


def printable(text: str, longest: int = 80) -> str:
    """Make a text from outside fit for a message."""
    return "".join(char if char.isprintable() else "?" for char in text[:longest])


def _unwanted(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs")
