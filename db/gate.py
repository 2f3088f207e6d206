"""What keeps a program from working on a schema that is older than itself.

Between the upgrade of packages and that of the schema, statements would fail, and events would be put aside for it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from common.supervisor import Supervisor
from db import schema

log = logging.getLogger(__name__)

#: seconds for which an answer is good enough while the gate is closed
_AGE = 1.0


class Gate:
    """Closed while the schema is behind. It opens once and stays open, for a schema never goes back."""

    def __init__(self, engine: sa.Engine, *, supervisor: Supervisor | None = None) -> None:
        self._engine = engine
        self._supervisor = supervisor or Supervisor()
        self._lock = threading.Lock()
        self._open = False
        self._reason: str | None = None
        self._asked: float | None = None

    def reason(self) -> str | None:
        """Tell why it is closed, with what is to be done; None if it is open, or if the database does not answer."""
        if self._open:
            return None
        with self._lock:
            if not self._open and (self._asked is None or time.monotonic() - self._asked > _AGE):
                self._ask()
                self._asked = time.monotonic()
            return self._reason

    def wait(self, stop: threading.Event) -> bool:
        """Return True as soon as it is open, or False when `stop` is set first."""
        while not stop.is_set():
            self.reason()
            if self._open:
                return True
            stop.wait(_AGE * 1.5)
        return False

    def _ask(self) -> None:
        try:
            found = schema.standing(self._engine)
        except (sa.exc.SQLAlchemyError, OSError):
            self._reason = None
            return
        if found.behind:
            if self._reason is None:
                log.error("schema.behind", extra={"version": found.found, "wanted": found.wanted, "schema": str(found)})
                self._supervisor.tell(f"STATUS=waiting: the schema is {found}")
            self._reason = str(found)
            return
        log.info("schema.found", extra={"version": found.found, "ahead": found.ahead})
        self._supervisor.tell(f"STATUS=running; the schema is {found}")
        self._open, self._reason = True, None


class Gated:
    """What runs behind a gate: started when it opens, stopped if it was started."""

    def __init__(self, gate: Gate, *, start: Callable[[], None], stop: Callable[[], None]) -> None:
        self._gate = gate
        self._start = start
        self._stop = stop
        self._stopping = threading.Event()
        self._started = False
        self._thread = threading.Thread(target=self._run, name="schema-gate", daemon=True)

    def start(self) -> None:
        """Return at once."""
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._started:
            self._stop()

    def _run(self) -> None:
        try:
            if self._gate.wait(self._stopping):
                self._started = True
                self._start()
        except Exception:
            # a program that only seems to run is worse than none: what supervises it starts it again
            log.exception("start.failed")
            os._exit(1)
