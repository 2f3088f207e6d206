"""The names behind the ids that rows carry: one statement for each kind of thing, however many rows there are."""

from __future__ import annotations

from collections.abc import Iterable

from db import labels
from db.instances import Instance
from db.networks import Network
from db.projects import Project
from db.users import User
from manage.context import Context


class Labels:
    """Names of one kind of thing; what has no name, or is gone, goes by its id."""

    def __init__(self, context: Context, kind: type[Instance | Network | Project | User], ids: Iterable[str | None]):
        with context.cloud.sessions.read() as db:
            self._names = labels.names(db, kind, {each for each in ids if each is not None})

    def __call__(self, which: str | None) -> str | None:
        return None if which is None else self._names.get(which) or which
