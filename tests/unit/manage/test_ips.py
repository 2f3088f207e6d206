"""Who had an address, as an operator asks."""

from dataclasses import replace

import pytest

from cloud import accounts, interfaces, ports
from cloud.ports import PortSpec
from db.users import Role
from tests.support import networks
from tests.unit.manage.conftest import Operator


@pytest.fixture
def made(operator: Operator) -> list[str]:
    """The ids of two ports that had one address, one after the other."""
    operator.run("project", "add", "acme")
    network = networks.add(operator.cloud, "192.0.2.0/30")
    project = accounts.project(operator.cloud, "acme")
    caller = replace(networks.operator(), project_id=project.id, project_name="acme", roles=(Role.MEMBER,))
    (first,) = ports.create(operator.cloud, caller, [PortSpec(network_id=network)])
    interfaces.delete_port(operator.cloud, caller, first.port.id)
    (second,) = ports.create(operator.cloud, caller, [PortSpec(network_id=network)])
    return [first.port.id, second.port.id]


def test_those_who_had_an_address_are_listed_the_latest_first(operator: Operator, made: list[str]) -> None:
    later, earlier = operator.json("ip", "show", "192.0.2.2")
    assert [earlier["port"], later["port"]] == made
    assert (later["project"], later["instance_id"], later["until"]) == ("acme", None, None)
    assert earlier["since"] < earlier["until"] <= later["since"]
    assert operator.json("ip", "show", "192.0.2.2", "--at", later["since"]) == [later]
    assert operator.json("ip", "show", "192.0.2.2", "--at", earlier["since"].rstrip("Z")) == [earlier]
    assert "until" in operator.run("ip", "show", "192.0.2.2", "--format", "table").out
    assert later["mac"] in operator.run("ip", "show", "192.0.2.2", "--format", "plain").out


def test_the_list_has_pages(operator: Operator, made: list[str]) -> None:
    answer = operator.run("ip", "show", "192.0.2.2", "--limit", "1", "--format", "json")
    assert [row["port"] for row in answer.json] == made[1:]
    marker = answer.err.split()[-1]
    assert [row["port"] for row in operator.json("ip", "show", "192.0.2.2", "--marker", marker)] == made[:1]


def test_an_address_that_nobody_had_is_said_to_be_nobodys(operator: Operator, made: list[str]) -> None:
    assert "nobody had 192.0.2.3, as far as" in operator.run("ip", "show", "192.0.2.3", code=1).err
    early = operator.run("ip", "show", "192.0.2.2", "--at", "2000-01-01", code=1)
    assert "nobody had 192.0.2.2 at 2000-01-01 00:00:00Z" in early.err
    assert early.out == ""


def test_behind_the_last_page_is_an_empty_one(operator: Operator, made: list[str]) -> None:
    oldest = operator.json("ip", "show", "192.0.2.2")[-1]["id"]
    assert operator.json("ip", "show", "192.0.2.2", "--marker", str(oldest)) == []


@pytest.mark.parametrize("words", [["nonsense"], ["192.0.2.2", "--at", "noon"], ["192.0.2.3", "--marker", "1"]])
def test_what_cannot_be_meant_is_a_usage_error(operator: Operator, made: list[str], words: list[str]) -> None:
    operator.run("ip", "show", *words, code=2)
