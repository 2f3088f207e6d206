"""Ports, as an operator looks them up."""

from dataclasses import replace

import pytest

from cloud import accounts, ports
from cloud.ports import PortSpec
from db.users import Role
from tests.support import networks
from tests.unit.manage.conftest import Operator, Tenancy, statements


@pytest.fixture
def made(operator: Operator) -> dict[str, object]:
    operator.run("project", "add", "acme")
    network = networks.add(operator.cloud, "192.0.2.0/29")
    project = accounts.project(operator.cloud, "acme")
    caller = replace(networks.operator(), project_id=project.id, project_name="acme", roles=(Role.MEMBER,))
    first, second = (
        ports.create(operator.cloud, caller, [PortSpec(network_id=network, name=name)])[0] for name in ("one", "two")
    )
    return {"network": network, "first": first, "second": second}


def test_a_port_is_found_by_what_is_known_of_it(operator: Operator, made: dict[str, object]) -> None:
    first = made["first"]
    assert isinstance(first, ports.PortView)
    shown = operator.json("port", "show", first.port.id)
    assert (shown["name"], shown["addresses"], shown["instance"]) == ("one", ["192.0.2.2"], None)
    assert (shown["network"], shown["network_id"]) == ("public", made["network"])
    assert (shown["project"], shown["project_id"]) == ("acme", first.port.project_id)
    for arguments in (["--ip", "192.0.2.2"], ["--mac", first.port.mac.upper()]):
        assert operator.json("port", "list", *arguments) == [shown]
    assert [row["name"] for row in operator.json("port", "list", "--network", "public")] == ["one", "two"]
    assert operator.json("port", "list", "--instance", "none") == []


def test_what_is_no_address_is_a_usage_error(operator: Operator) -> None:
    operator.run("port", "list", "--ip", "nonsense", code=2)
    operator.run("port", "list", "--network", "none", code=1)
    operator.run("port", "show", "none", code=1)


def test_a_port_has_its_servers_name(operator: Operator, tenancy: Tenancy) -> None:
    networks.add(operator.cloud, "192.0.2.0/29", shared=True)
    server = tenancy.create("web")
    (shown,) = operator.json("port", "list", "--instance", server.id)
    assert (shown["instance"], shown["instance_id"], shown["project"]) == ("web", server.id, "acme")
    assert "web" in operator.run("port", "list").out


def test_a_list_of_many_is_as_many_statements_as_one_of_one(operator: Operator, made: dict[str, object]) -> None:
    few = statements(lambda: operator.json("port", "list", "--ip", "192.0.2.2"))
    assert statements(lambda: operator.json("port", "list")) == few
