"""An upgrade keeps what is there: rows that refer to each other, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from common import config
from db import schema
from db.address_history import Holding
from db.sessions import Sessions

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/syros.db"


def test_rows_of_the_first_schema_are_there_after_the_last_migration(url: str) -> None:
    sessions = Sessions(config.Database(url=url))
    schema.upgrade(sessions.engine, revision="0001")
    metadata = sa.MetaData()
    metadata.reflect(sessions.engine)
    tables = metadata.tables
    with sessions.begin() as db:
        db.execute(_row(tables["projects"], id="p", name="p"))
        db.execute(_row(tables["users"], id="u", name="u", default_project_id="p"))
        db.execute(_row(tables["assignments"], user_id="u", project_id="p", role="member"))
        db.execute(_row(tables["backends"], id=1, name="b"))
        db.execute(_row(tables["flavors"], id="f", name="f"))
        db.execute(_row(tables["images"], id="i", name="i", visibility="public", status="active", disk_format="raw"))
        wanted = {"project_id": "p", "backend_id": 1, "flavor_id": "f", "image_id": "i", "state": "active"}
        db.execute(_row(tables["instances"], id="s", vcpus=2, ram=512, **wanted))
        db.execute(_row(tables["jobs"], id=1, instance_id="s", backend_id=1, status="success", project_id="p"))

    schema.upgrade(sessions.engine)

    with sessions.read() as db:
        for table in ("projects", "users", "assignments", "backends", "flavors", "images", "instances", "jobs"):
            assert db.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar() == 1, table
        charged = db.execute(sa.text("SELECT charged_vcpus, charged_ram FROM instances")).one()
    assert tuple(charged) == (2, 512)
    assert schema.differences(sessions.engine) == []
    sessions.close()


def test_ports_from_before_security_groups_stay_open_and_are_counted(url: str) -> None:
    sessions = Sessions(config.Database(url=url))
    schema.upgrade(sessions.engine, revision="0018")
    metadata = sa.MetaData()
    metadata.reflect(sessions.engine)
    tables = metadata.tables
    with sessions.begin() as db:
        db.execute(_row(tables["projects"], id="p", name="p"))
        db.execute(_row(tables["networks"], id="n", mode="bridged"))
        for number in range(3):
            db.execute(_row(tables["ports"], id=f"port{number}", mac=f"m{number}", network_id="n", project_id="p"))

    schema.upgrade(sessions.engine)

    with sessions.read() as db:
        query = "SELECT DISTINCT firewalled, firewall_due_at, firewall_generation FROM ports"
        assert [tuple(row) for row in db.execute(sa.text(query))] == [(False, None, 0)]
        query = "SELECT used FROM quota_usages WHERE resource = 'ports'"
        assert db.execute(sa.text(query)).scalars().all() == [3]
        query = "SELECT name FROM security_groups ORDER BY id"
        ready_made = ["firewall-disabled", "firewall-enabled", "firewall-protected"]
        assert db.execute(sa.text(query)).scalars().all() == ready_made
    sessions.close()


def test_addresses_that_are_held_are_in_the_history_after_the_upgrade(url: str) -> None:
    sessions = Sessions(config.Database(url=url))
    schema.upgrade(sessions.engine, revision="0018")
    metadata = sa.MetaData()
    metadata.reflect(sessions.engine)
    tables = metadata.tables
    later = NOW.replace(day=30)
    with sessions.begin() as db:
        db.execute(_row(tables["projects"], id="p", name="p"))
        network = {"project_id": None, "mode": "bridged"}
        db.execute(_row(tables["networks"], id="n", **network))
        db.execute(_row(tables["subnets"], id="s", network_id="n", version=4))
        for port, owned in (("a", True), ("b", False)):
            wanted = {"network_id": "n", "project_id": "p", "mac": port, "owned": owned, "created_at": later}
            db.execute(_row(tables["ports"], id=port, **wanted))
            db.execute(_row(tables["addresses"], subnet_id="s", number=port, ip=f"ip-{port}", port_id=port))

    schema.upgrade(sessions.engine)

    with sessions.read() as db:
        found = {row.port_id: row for row in db.scalars(sa.select(Holding))}
        carrying = db.execute(sa.text("SELECT count(*) FROM ports WHERE floating")).scalar()
    assert {port: (row.ip, row.network_id, row.project_id, row.until) for port, row in found.items()} == {
        port: (f"ip-{port}", "n", "p", None) for port in ("a", "b")
    }
    assert (found["a"].since, found["b"].since, carrying) == (later, NOW, 0)
    sessions.close()


def test_interfaces_that_were_attached_are_known_to_have_come_later_after_the_upgrade(url: str) -> None:
    sessions = Sessions(config.Database(url=url))
    schema.upgrade(sessions.engine, revision="0021")
    metadata = sa.MetaData()
    metadata.reflect(sessions.engine)
    tables = metadata.tables
    with sessions.begin() as db:
        db.execute(_row(tables["projects"], id="p", name="p"))
        db.execute(_row(tables["backends"], id=1, name="b"))
        db.execute(_row(tables["flavors"], id="f", name="f"))
        wanted = {"project_id": "p", "backend_id": 1, "flavor_id": "f", "image_id": None, "state": "active"}
        db.execute(_row(tables["instances"], id="s", **wanted))
        db.execute(_row(tables["networks"], id="n", project_id=None, kind="flat"))
        for port in ("first", "later"):
            wanted = {"network_id": "n", "project_id": "p", "mac": port, "instance_id": "s"}
            db.execute(_row(tables["ports"], id=port, **wanted))
        for number, (action, spec) in enumerate((("create", {}), ("attach-interface", {"port_id": "later"}))):
            row = {"id": number, "instance_id": "s", "backend_id": 1, "action": action, "spec": spec}
            db.execute(_row(tables["jobs"], status="success", project_id="p", ganeti_id=number, **row))

    schema.upgrade(sessions.engine)

    with sessions.read() as db:
        query = "SELECT id, later, told_due_at, told_generation, told_digest FROM ports ORDER BY id"
        assert [tuple(row) for row in db.execute(sa.text(query))] == [
            ("first", False, None, 0, None),
            ("later", True, None, 0, None),
        ]
    assert schema.differences(sessions.engine) == []
    sessions.close()


# object: a column's value, of whatever type the column has
def _row(table: sa.Table, **values: object) -> sa.Insert:
    """Fill every column that must have a value and was given none."""
    for column in table.columns:
        if column.name not in values and not column.nullable:
            values[column.name] = _something(column)
    return table.insert().values(**values)


def _something(column: sa.Column[object]) -> object:
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.DateTime):
        return NOW
    if isinstance(kind, (sa.Integer, sa.Float)):
        return 1
    if isinstance(kind, sa.JSON):
        return {}
    return "x"


def test_networks_keep_their_kind_up_and_down(url: str) -> None:
    sessions = Sessions(config.Database(url=url))
    schema.upgrade(sessions.engine, revision="0018")
    metadata = sa.MetaData()
    metadata.reflect(sessions.engine)
    tables = metadata.tables
    kinds = {"flat": ("bridged", "br0"), "bridge": ("bridged", "prv1"), "routed": ("routed", "public")}
    with sessions.begin() as db:
        for name, (mode, link) in kinds.items():
            db.execute(_row(tables["networks"], id=name, mode=mode, link=link, project_id=None))
        db.execute(_row(tables["segments"], id=1, link="prv1", network_id="bridge"))
        db.execute(_row(tables["segments"], id=2, link="prv2", network_id=None))
    before = _rows(sessions, "SELECT id, mode, link FROM networks ORDER BY id")
    segments = _rows(sessions, "SELECT id, link, network_id FROM segments ORDER BY id")

    schema.upgrade(sessions.engine, revision="0020")

    assert dict(_rows(sessions, "SELECT id, kind FROM networks")) == {name: name for name in kinds}
    assert _rows(sessions, "SELECT kind, mac_prefix FROM segments") == [("bridge", None)] * 2
    assert _rows(sessions, "SELECT id, link, network_id FROM segments ORDER BY id") == segments
    with sessions.begin() as db:
        db.execute(sa.text("INSERT INTO segments (id, kind, link, mac_prefix) VALUES (3, 'mac-filtered', 'x', 'a')"))
        db.execute(sa.text("INSERT INTO segments (id, kind, link, mac_prefix) VALUES (4, 'mac-filtered', 'x', 'b')"))

    with sessions.engine.connect() as connection:
        alembic = schema._config()
        alembic.attributes["connection"] = connection
        with schema._tables_may_be_replaced(connection):
            command.downgrade(alembic, "0018")
        connection.commit()

    assert _rows(sessions, "SELECT id, mode, link FROM networks ORDER BY id") == before
    assert _rows(sessions, "SELECT id, link, network_id FROM segments ORDER BY id") == segments
    sessions.close()


# Any: rows of whatever columns
def _rows(sessions: Sessions, statement: str) -> list[Any]:
    with sessions.read() as db:
        return [tuple(row) for row in db.execute(sa.text(statement))]
