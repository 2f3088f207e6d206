"""Regular expressions from outside: only those that PostgreSQL and SQLite both know, and that neither can be hung with.

SQLite's `REGEXP` is Python's `re`, which backtracks: what repeats or branches too much could take for ever.
"""

from __future__ import annotations

import re

from common.errors import Invalid

_LONGEST = 255
#: what a pattern may cost: a repeat multiplies the ways to match a name by about 2^8, an alternative by 2
_BUDGET = 17
_COSTS = {"*": 8, "+": 8, "{": 8, "?": 1, "|": 1}
_ESCAPES_IN_SETS = "dws"
_ESCAPES = "dwsDWS"
_BOUNDS = re.compile(r"\{(\d{1,3})(,\d{0,3})?\}")


def check(pattern: str, name: str) -> str:
    """Give the pattern back if it may be used; raises Invalid with the reason."""
    if len(pattern) > _LONGEST:
        raise Invalid(f"{name}: a pattern has {_LONGEST} characters at most")
    _Reader(pattern, name).read()
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as err:
        raise Invalid(f"{name}: this is no regular expression: {err}") from err
    return pattern


class _Reader:
    """Walks over a pattern once and refuses what is not common ground."""

    def __init__(self, pattern: str, name: str) -> None:
        self._pattern = pattern
        self._name = name
        self._at = 0
        self._cost = 0

    def read(self) -> None:
        before = ""
        while self._at < len(self._pattern):
            char = self._pattern[self._at]
            self._cost += _COSTS.get(char, 0)
            if self._cost > _BUDGET:
                raise self._refusal("too many repeats and alternatives")
            if char == "\\":
                self._escape(_ESCAPES)
            elif char == "[":
                self._set()
            elif char in "*+?{":
                self._repeat(before)
            elif self._pattern.startswith("(?", self._at):
                raise self._refusal("groups that begin with (? are not taken")
            else:
                self._at += 1
            before = char

    def _escape(self, letters: str) -> None:
        char = self._pattern[self._at + 1 : self._at + 2]
        if char.isalnum() and char not in letters:
            raise self._refusal(f"\\{char} is not taken")
        if not char.isascii():
            raise self._refusal("only ASCII is escaped")
        self._at += 2

    def _set(self) -> None:
        rest = self._pattern
        self._at += 1
        if rest.startswith("^", self._at):
            self._at += 1
        opening = self._at - 1  # a hyphen right behind it is a member, not a range
        if rest.startswith("]", self._at):
            raise self._refusal("a set begins with ]; write it as \\]")
        ended = -1
        while self._at < len(rest) and rest[self._at] != "]":
            if rest[self._at] == "[" or rest[self._at : self._at + 2] in ("--", "&&", "||", "~~"):
                raise self._refusal("sets within sets are not taken")
            if self._at == ended and rest[self._at] == "-" and not rest.startswith("]", self._at + 1):
                raise self._refusal("a range can't begin where another ends")
            if rest[self._at] == "\\":
                self._escape(_ESCAPES_IN_SETS)
                continue
            self._at += 1
            if rest[self._at - 1] == "-" and self._at - 2 != opening:
                ended = self._at + (2 if rest.startswith("\\", self._at) else 1)
        self._at += 1

    def _repeat(self, before: str) -> None:
        char = self._pattern[self._at]
        if before == ")" and char != "?":
            raise self._refusal("a group must not repeat")
        if before in ("*", "+", "?", "{"):
            raise self._refusal("a repeat of a repeat is not taken")
        if char != "{":
            self._at += 1
            return
        bounds = _BOUNDS.match(self._pattern, self._at)
        if bounds is None or any(int(part) > _LONGEST for part in re.findall(r"\d+", bounds[0])):
            raise self._refusal(f"{{ is followed by one or two numbers up to {_LONGEST}; write the brace as \\{{")
        self._at = bounds.end()

    def _refusal(self, reason: str) -> Invalid:
        return Invalid(f"{self._name}: {reason}, at position {self._at + 1} of the pattern")
