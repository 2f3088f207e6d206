"""Networks and their subnets."""

import pytest
import sqlalchemy as sa

from cloud import accounts
from db.networks import Network
from gntsim.server import Simulator
from tests.support import networks
from tests.unit.manage.conftest import Operator, add_arguments, statements


@pytest.mark.parametrize(
    ("link", "why"),
    [("a" * 16, "16 characters"), ("a bridge", "letters"), ("-br0", "letters"), ("br/0", "letters")],
)
@pytest.mark.parametrize("kind", ["flat", "routed"])
def test_what_no_link_can_be_named_is_a_usage_error(operator: Operator, link: str, why: str, kind: str) -> None:
    said = operator.run("network", "add", "public", f"--link={link}", "--kind", kind, code=2).err
    assert "--link" in said
    assert why in said
    assert operator.json("network", "list") == []


def test_a_link_may_have_fifteen_characters(operator: Operator) -> None:
    assert operator.json("network", "add", "public", "--link", "a" * 15)["link"] == "a" * 15


@pytest.fixture
def network(operator: Operator) -> str:
    made = operator.json("network", "add", "public", "--link", "br0", "--shared", "--external", "--default")
    assert (made["name"], made["link"], made["kind"], made["default"]) == ("public", "br0", "flat", True)
    return str(made["id"])


def test_a_network_is_given_subnets_shown_and_removed(operator: Operator, network: str) -> None:
    subnet = operator.json(
        "network", "add-subnet", "public", "192.0.2.0/24", "--pool", "192.0.2.10-192.0.2.20", "--nameserver",
        "192.0.2.53",
    )  # fmt: skip
    assert (subnet["gateway"], subnet["pools"]) == ("192.0.2.1", ["192.0.2.10-192.0.2.20"])
    slaac = operator.json("network", "add-subnet", network, "2001:db8::/64", "--slaac")

    shown = operator.json("network", "show", "public")

    assert shown["subnets"] == [subnet, slaac]
    assert operator.json("network", "list")[0]["subnets"] == ["192.0.2.0/24", "2001:db8::/64"]
    assert operator.json("network", "remove", "public", "--yes") == {"removed": network}
    assert operator.json("network", "list") == []
    operator.run("network", "show", "public", code=1)


def test_what_ganeti_has_of_a_network_is_shown_where_it_is_to_have_any(
    operator: Operator, simulator: Simulator, network: str
) -> None:
    operator.json(*add_arguments(operator, simulator))
    assert operator.json("network", "show", network)["objects"] == []
    operator.json("backend", "set", "lab", "--network-objects")
    (shown,) = operator.json("network", "show", network)["objects"]
    assert (shown["backend"], shown["state"]) == ("lab", "none")
    assert shown["why"] == "it has 0 IPv4 subnets, and Ganeti's networks have one"
    operator.json("network", "add-subnet", network, "192.0.2.0/24")
    (shown,) = operator.json("network", "show", network)["objects"]
    assert shown["why"] == "no port has come there yet"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["192.0.2.1/24"], "192.0.2.1/24"),
        (["192.0.2.0/24", "--pool", "192.0.2.9"], "--pool: 192.0.2.9"),
        (["192.0.2.0/24", "--pool", "192.0.2.9-x"], "--pool: 'x'"),
        (["192.0.2.0/24", "--gateway", "nonsense"], "--gateway: 'nonsense'"),
        (["192.0.2.0/24", "--nameserver", "ns.example"], "--nameserver: 'ns.example'"),
        (["192.0.2.0/24", "--gateway", "192.0.2.255"], "gateway_ip: 192.0.2.255"),
        (["2001:db8::/64", "--slaac", "--gateway", "2001:db8:1::1"], "link-local"),
        (["2001:db8::/64", "--slaac", "--gateway", "fe80::1%br0"], "zone"),
    ],
)
def test_a_subnet_that_cannot_be_meant_is_a_usage_error(
    operator: Operator, network: str, arguments: list[str], word: str
) -> None:
    assert word in operator.run("network", "add-subnet", network, *arguments, code=2).err


def test_a_subnet_without_a_gateway(operator: Operator, network: str) -> None:
    assert operator.json("network", "add-subnet", network, "192.0.2.0/24", "--gateway", "none")["gateway"] is None


def test_a_name_is_had_twice_on_request_alone_and_then_has_to_be_an_id(operator: Operator, network: str) -> None:
    refused = operator.run("network", "add", "public", "--link", "br1", code=1).err
    assert "there is a network public already; --duplicate" in refused
    assert len(operator.json("network", "list")) == 1
    operator.run("network", "add", "public", "--link", "br1", "--duplicate")

    assert "give the id" in operator.run("network", "show", "public", code=1).err
    assert operator.json("network", "show", network)["link"] == "br0"


def test_a_network_has_its_projects_name(operator: Operator, network: str) -> None:
    few = statements(lambda: operator.json("network", "list"))
    project = accounts.add_project(operator.cloud, "acme")
    made = [networks.add(operator.cloud, "192.0.2.0/24", name=name) for name in ("one", "two")]
    with operator.sessions.begin() as db:
        db.execute(sa.update(Network).where(Network.id.in_(made)).values(project_id=project.id))
    listed = {row["name"]: (row["project"], row["project_id"]) for row in operator.json("network", "list")}
    assert listed == {"public": (None, None), "one": ("acme", project.id), "two": ("acme", project.id)}
    assert operator.json("network", "show", "one")["project"] == "acme"
    assert statements(lambda: operator.json("network", "list")) == few
