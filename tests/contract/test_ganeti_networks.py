"""What Ganeti does with networks, and what the simulator must do alike."""

import pytest

from rapi import errors, specs
from tests.contract.masters import GROUP, LINK, Handle


def test_a_network_lives_from_creation_to_removal(cluster: Handle) -> None:
    api, name = cluster.api, cluster.name()
    job = api.create_network(
        name, network="10.78.0.0/28", gateway="10.78.0.1", mac_prefix="aa:01:02", tags=["private"], reason="r"
    )
    assert cluster.succeeded(job)["opresult"] == [None]
    shown = api.get_network(name)
    assert shown["network"] == "10.78.0.0/28"
    assert shown["gateway"] == "10.78.0.1"
    assert shown["mac_prefix"] == "aa:01:02"
    assert shown["tags"] == ["private"]
    assert shown["map"] == "XX.............X"
    assert shown["free_count"] == 13
    assert shown["group_list"] == []
    cluster.succeeded(api.connect_network(name, GROUP, mode="bridged", link=LINK, reason="r"))
    assert api.get_network(name)["group_list"] == [[GROUP, "bridged", LINK, ""]]
    assert name in [network["name"] for network in api.get_networks()]
    cluster.succeeded(api.disconnect_network(name, GROUP, reason="r"))
    cluster.succeeded(api.delete_network(name, reason="r"))
    with pytest.raises(errors.RapiRefused) as refusal:
        api.get_network(name)
    assert refusal.value.status == 404


def test_connecting_and_disconnecting_twice_changes_nothing_more(cluster: Handle) -> None:
    with cluster.network("10.78.1.0/28", connected=False) as name:
        for _ in range(2):
            cluster.succeeded(cluster.api.connect_network(name, GROUP, mode="bridged", link=LINK, reason="r"))
        for _ in range(2):
            cluster.succeeded(cluster.api.disconnect_network(name, GROUP, reason="r"))


def test_a_connected_network_is_not_removed(cluster: Handle) -> None:
    with cluster.network("10.78.2.0/28") as name:
        error_class, (_, code) = cluster.failed(cluster.api.delete_network(name, reason="r"))
        assert (error_class, code) == ("OpPrereqError", "wrong_state")


def test_a_network_whose_addresses_are_used_is_not_disconnected(cluster: Handle) -> None:
    with cluster.network("10.78.3.0/28") as name:
        with cluster.instance(start=False, nics=(specs.NicSpec(network=name, ip="pool"),)) as instance:
            assert cluster.api.get_network(name)["inst_list"] == [instance]
            error_class, (_, code) = cluster.failed(cluster.api.disconnect_network(name, GROUP, reason="r"))
            assert (error_class, code) == ("OpPrereqError", "wrong_state")


def test_a_second_network_of_a_name_is_a_job_that_fails(cluster: Handle) -> None:
    with cluster.network("10.78.4.0/28", connected=False) as name:
        error_class, (_, code) = cluster.failed(cluster.api.create_network(name, network="10.78.5.0/28", reason="r"))
        assert (error_class, code) == ("OpPrereqError", "already_exists")


def test_changes_to_an_unknown_network_fail(cluster: Handle) -> None:
    name = cluster.name()
    error_class, (_, code) = cluster.failed(cluster.api.delete_network(name, reason="r"))
    assert (error_class, code) == ("OpPrereqError", "unknown_entity")


def test_addresses_are_reserved_and_released(cluster: Handle) -> None:
    api = cluster.api
    with cluster.network("10.78.6.0/28", connected=False) as name:
        cluster.succeeded(api.modify_network(name, reason="r", add_reserved_ips=["10.78.6.9"]))
        assert api.get_network(name)["map"] == "XX.......X.....X"
        cluster.succeeded(api.modify_network(name, reason="r", remove_reserved_ips=["10.78.6.9"]))
        assert api.get_network(name)["map"] == "XX.............X"


def test_tags_of_a_network_come_and_go(cluster: Handle) -> None:
    api = cluster.api
    with cluster.network("10.78.7.0/28", connected=False) as name:
        cluster.succeeded(api.add_network_tags(name, ["nfdhcpd", "private"], reason="r"))
        assert sorted(api.get_network_tags(name)) == ["nfdhcpd", "private"]
        cluster.succeeded(api.delete_network_tags(name, ["private"], reason="r"))
        assert api.get_network_tags(name) == ["nfdhcpd"]
