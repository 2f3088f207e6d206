"""What the scripts expect of a cloud: that things come true in time, and that refusals are the client's own errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

#: seconds for whatever the cloud does with a server, simulated or real
PATIENCE = 300.0
_PAUSE = 0.2

_Refusal = TypeVar("_Refusal", bound=Exception)


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return when the condition holds; AssertionError when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(_PAUSE)


def refused(error: type[_Refusal], call: Callable[[], object]) -> _Refusal:
    """Give the error that the call ends with; AssertionError when it ends without one."""
    try:
        answer = call()
    except error as err:
        return err
    raise AssertionError(f"{error.__name__} was expected, not {answer!r}")
