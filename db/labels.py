"""Names of things by their ids, for lists that show people what rows refer to."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy import orm

from db.instances import Instance
from db.networks import Network
from db.projects import Project
from db.users import User


def names(
    session: orm.Session, kind: type[Instance | Network | Project | User], ids: Collection[str]
) -> Mapping[str, str]:
    """Map ids to names, in one statement; what is not there any more is left out."""
    query = sa.select(kind.id, kind.name).where(kind.id.in_(ids))
    return {row.id: row.name for row in session.execute(query)}
