from db import schema
from tests.unit.manage.conftest import Operator


def test_upgrading_makes_the_schema_and_a_second_time_changes_nothing(bare: Operator) -> None:
    assert bare.json("db", "upgrade") == {"before": None, "version": schema.head()}
    assert bare.json("db", "upgrade") == {"before": schema.head(), "version": schema.head()}
    assert bare.json("db", "version") == {"version": schema.head(), "wanted": schema.head(), "current": True}


def test_an_empty_database_is_not_at_this_programs_version(bare: Operator) -> None:
    assert bare.json("db", "version", code=1) == {"version": None, "wanted": schema.head(), "current": False}


def test_the_check_finds_nothing_after_an_upgrade(operator: Operator) -> None:
    assert operator.json("db", "check")["differences"] == []


def test_the_check_names_what_differs(operator: Operator) -> None:
    with operator.sessions.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE strangers")

    found = operator.json("db", "check", code=1)

    assert not found["agrees"]
    assert "strangers" in found["differences"][0]["difference"]


def test_a_schema_of_a_later_version_is_told_of_and_left_alone(operator: Operator) -> None:
    with operator.sessions.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'")

    refused = operator.run("db", "upgrade", code=1)

    assert "a later version" in refused.err
    assert operator.json("db", "version", code=1)["version"] == "later"
