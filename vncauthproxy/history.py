"""The sessions that have ended, as many as are remembered: for whoever keeps account of them, and asks now and then."""

from __future__ import annotations

import secrets
from collections import deque

from common.consoles import EndedSession, History

#: sessions in one answer
_PAGE = 1000


class Past:
    """Numbers the ends as they come, from 1; the oldest are forgotten when there are more than `most`."""

    def __init__(self, most: int) -> None:
        self.boot = secrets.token_hex(8)
        self._ended: deque[EndedSession] = deque(maxlen=most)
        #: of the latest end
        self._number = 0

    def add(self, ended: EndedSession) -> None:
        self._ended.append(ended)
        self._number += 1

    def after(self, number: int, boot: str) -> History:
        """Tell what ended after the end of that number; all, for a number that is another process's."""
        if number > self._number or boot not in ("", self.boot):
            number = 0
        forgotten = self._number - len(self._ended)
        first = max(number - forgotten, 0)
        told = [self._ended[at] for at in range(first, min(first + _PAGE, len(self._ended)))]
        return History(
            boot=self.boot,
            next=forgotten + first + len(told),
            lost=max(forgotten - number, 0),
            sessions=told,
        )
