"""Requests done once: whatever carries the same key gets the answer of the first that did.

The key, what the request does and its answer are one transaction: after a crash there are all of them or none. Who
sends the same key meanwhile waits in the database for that transaction's end. So what runs here must not call out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from cloud.context import Caller, Cloud
from common.errors import Invalid, Unavailable
from db import idempotency
from db.idempotency import IdempotencyKey

#: how long an answer is kept
LIFE = timedelta(days=1)

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, as it is kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def final(self) -> bool:
        """Whether the request is done with; after an answer that is not, it may be tried again with the same key."""
        return self.status < 500


class _NotKept(Exception):
    """Rolls back what led to an answer that is not final."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def once(
    cloud: Cloud, caller: Caller, key: str, *, request: bytes, do: Callable[[Cloud], Answer]
) -> tuple[Answer, bool]:
    """Do a request unless its key has an answer; give the answer, and whether it was there already.

    `do` gets a cloud whose transactions are part of this one's. Raises Invalid for a key that can't be one or that
    belongs to another request, Unavailable where the key to seal answers with is not at hand.
    """
    if not _KEY.fullmatch(key):
        raise Invalid("Idempotency-Key: 1 to 255 printable ASCII characters are expected")
    fingerprint = hashlib.sha256(request).hexdigest()
    wakes: list[Callable[[], None]] = []
    try:
        with cloud.sessions.begin() as db:
            now = cloud.clock()
            row = IdempotencyKey(
                project_id=caller.project_id,
                user_id=caller.user_id,
                digest=hashlib.sha256(key.encode()).hexdigest(),
                fingerprint=fingerprint,
                status=0,
                headers={},
                created_at=now,
                expires_at=now + LIFE,
            )
            kept = idempotency.claim(db, row)
            if kept is not None:
                return _replay(cloud, kept, fingerprint), True
            inside = dataclasses.replace(
                cloud,
                sessions=cloud.sessions.joining(db),
                wake=lambda: wakes.append(cloud.wake),
                wake_importer=lambda: wakes.append(cloud.wake_importer),
            )
            answer = do(inside)
            if not answer.final:
                raise _NotKept(answer)
            row.status, row.headers = answer.status, dict(answer.headers)
            row.sealed = _seal(cloud, answer.body)
    except _NotKept as err:
        return err.answer, False
    for wake in wakes:
        wake()
    return answer, False


def _replay(cloud: Cloud, kept: IdempotencyKey, fingerprint: str) -> Answer:
    if kept.fingerprint != fingerprint:
        raise Invalid("Idempotency-Key: it came with another request before; a new request needs a new key")
    body = b"" if kept.sealed is None else _open(cloud, kept.sealed)
    return Answer(kept.status, kept.headers, body)


def _seal(cloud: Cloud, body: bytes) -> str | None:
    if not body:
        return None
    if cloud.vault is None:
        raise Unavailable("this process does not have the key that answers are sealed with")
    return cloud.vault.seal(body.decode())


def _open(cloud: Cloud, sealed: str) -> bytes:
    if cloud.vault is None:
        raise Unavailable("this process does not have the key that answers are sealed with")
    return cloud.vault.open(sealed).encode()
