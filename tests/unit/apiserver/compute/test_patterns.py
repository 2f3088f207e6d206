import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.compute import patterns
from common.errors import Invalid


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "web",
        "^web-[0-9]+$",
        "a|b",
        "(web|db)-1",
        "we?b",
        r"a\.b",
        r"\d\d",
        "[^a-z]",
        "a{2,3}",
        "naïve",
        "x.*y.*z",
        "[a-c0-9_-]",
        "[-a]",
        "web.*|db.*",
    ],
)
def test_a_plain_pattern_is_taken(pattern: str) -> None:
    assert patterns.check(pattern, "name") == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "[",
        "a**",
        "*a",
        "\\",
        "(a+)+$",
        "(a|a)*",
        "(a|aa){5,}",
        ".*.*.*=",
        "(a|a)" * 18,
        "a?" * 18,
        "[a-c-e]",
        "a++",
        "(?i)x",
        "(?=x)",
        r"(a)\1",
        r"\bx",
        "[[:alpha:]]",
        "[]a]",
        "[a--b]",
        r"[\D]",
        "a{",
        "a{,3}",
        "a{1,999}",
        "x" * 256,
    ],
)
def test_what_could_hang_a_database_or_means_something_else_to_each_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match=r"^name: "):
        patterns.check(pattern, "name")


@given(st.text("ab()[]{}*+?|\\^$.-,09dW", max_size=30))
def test_whatever_is_taken_compiles_and_ends(pattern: str) -> None:
    try:
        patterns.check(pattern, "name")
    except Invalid:
        return
    re.search(pattern, "a" * 12 + "!")
