"""The migrations and the tables in the code agree, on both databases, upwards and downwards."""

from __future__ import annotations

import threading

import sqlalchemy as sa
from alembic import command

from common import config
from db import schema
from db.sessions import Sessions


def downgrade(sessions: Sessions, revision: str) -> None:
    alembic = schema._config()
    with sessions.engine.connect() as connection:
        alembic.attributes["connection"] = connection
        command.downgrade(alembic, revision)
        connection.commit()


def test_the_migrations_make_the_tables_of_the_code(empty: Sessions) -> None:
    assert schema.current(empty.engine) is None
    schema.upgrade(empty.engine)
    assert schema.current(empty.engine) == schema.head()
    assert schema.differences(empty.engine) == []


def test_down_leaves_nothing_and_up_again_makes_it_all(empty: Sessions) -> None:
    schema.upgrade(empty.engine)
    downgrade(empty, "base")
    assert sa.inspect(empty.engine).get_table_names() == ["alembic_version"]
    schema.upgrade(empty.engine)
    assert schema.differences(empty.engine) == []


def test_upgrading_what_is_up_to_date_changes_nothing(empty: Sessions) -> None:
    for _ in range(2):
        schema.upgrade(empty.engine)
    assert schema.current(empty.engine) == schema.head()


def test_several_programs_may_upgrade_at_once(postgres_url: str) -> None:
    failures: list[Exception] = []

    def upgrade() -> None:
        sessions = Sessions(config.Database(url=postgres_url))
        try:
            schema.upgrade(sessions.engine)
        except Exception as err:
            failures.append(err)
        finally:
            sessions.close()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_that_is_away_is_not_ready() -> None:
    sessions = Sessions(config.Database(url="postgresql+psycopg2://nobody@127.0.0.1:1/nothing"))
    assert not sessions.ready()
    sessions.close()
