"""What becomes of a guest's packet: an answer, or none for a reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """A frame for the guest; `kind` names it in the counters."""

    kind: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer: the packet goes on as if nobody had looked; `reason` names why in the counters."""

    reason: str


Outcome = Answer | Silence
