"""Locks by name, as jobs hold them: all of a job's names at once, oldest waiter first."""

import threading
from collections.abc import Callable

Wanted = tuple[frozenset[str], frozenset[str]]


class LockManager:
    """Named locks, exclusive or shared; a waiter may give up when `stop()` says so."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: list[tuple[object, Wanted]] = []
        self._waiting: list[tuple[object, Wanted]] = []

    def acquire(
        self, owner: object, names: frozenset[str], *, stop: Callable[[], bool], shared: frozenset[str] = frozenset()
    ) -> bool:
        """Hold all names for owner; False if `stop()` became true first."""
        with self._changed:
            entry = (owner, (names, shared))
            self._waiting.append(entry)
            try:
                while not self._free(entry):
                    if stop():
                        return False
                    self._changed.wait(0.5)
                if stop():
                    return False
                self._held.append(entry)
                return True
            finally:
                self._waiting.remove(entry)
                self._changed.notify_all()

    def release(self, owner: object) -> None:
        with self._changed:
            self._held = [entry for entry in self._held if entry[0] is not owner]
            self._changed.notify_all()

    def wake(self) -> None:
        """Let waiters look at their `stop()` again."""
        with self._changed:
            self._changed.notify_all()

    def _free(self, entry: tuple[object, Wanted]) -> bool:
        earlier = self._waiting[: self._waiting.index(entry)]
        return not any(_clash(entry[1], wanted) for _, wanted in (*self._held, *earlier))


def _clash(one: Wanted, other: Wanted) -> bool:
    return bool(one[0] & other[0] or one[0] & other[1] or one[1] & other[0])
