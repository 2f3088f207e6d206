"""The request log: what was asked of the API, by whom, and how it was answered."""

from __future__ import annotations

from dataclasses import dataclass

from cloud.context import Cloud
from db.requests import Request


@dataclass(frozen=True)
class Answered:
    """A request that changed something, or tried to, with its answer. Never a body: bodies carry secrets."""

    request_id: str
    method: str
    path: str
    status: int
    milliseconds: int
    user_id: str | None = None
    project_id: str | None = None
    message: str | None = None
    remote: str | None = None


def record(cloud: Cloud, answered: Answered) -> None:
    """Keep one request."""
    with cloud.sessions.begin() as db:
        db.add(
            Request(
                id=answered.request_id,
                method=answered.method,
                path=answered.path,
                user_id=answered.user_id,
                project_id=answered.project_id,
                status=answered.status,
                message=answered.message,
                remote=answered.remote,
                milliseconds=answered.milliseconds,
                at=cloud.clock(),
            )
        )
