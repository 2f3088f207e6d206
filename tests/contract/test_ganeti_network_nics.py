"""What Ganeti makes of NICs in networks, as a backend with network objects has them, and the simulator alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rapi import errors, specs
from tests.contract.masters import GROUP, LINK, Handle

PORT = "port-0a0a0a0a-0000-4000-8000-000000000001"
MAC = "02:53:79:c0:01:01"


def shown(cluster: Handle, name: str) -> dict[str, list[Any]]:
    row = cluster.api.get_instance(name)
    return {key: row[f"nic.{key}"] for key in ("networks.names", "macs", "ips", "modes", "links")}


def change(cluster: Handle, name: str, *changes: list[Any]) -> int:
    return cluster.api.modify_instance(name, reason="r", hotplug=False, nics=list(changes))


def nic(network: str, **more: str) -> specs.NicSpec:
    return specs.NicSpec(network=network, mac=MAC, name=PORT, **more)


@contextmanager
def prefixed(cluster: Handle, subnet: str, mac_prefix: str) -> Iterator[str]:
    api, name = cluster.api, cluster.name()
    cluster.succeeded(api.create_network(name, network=subnet, mac_prefix=mac_prefix, reason="r"))
    cluster.succeeded(api.connect_network(name, GROUP, mode="bridged", link=LINK, reason="r"))
    yield name
    cluster.succeeded(api.disconnect_network(name, GROUP, reason="r"))
    cluster.succeeded(api.delete_network(name, reason="r"))


def test_a_nic_of_a_network_takes_its_mode_and_link_and_keeps_a_mac_outside_its_prefix(cluster: Handle) -> None:
    with prefixed(cluster, "10.79.0.0/28", "aa:01:03") as name:
        with cluster.instance(start=False, nics=(nic(name, ip="10.79.0.5"),)) as instance:
            assert shown(cluster, instance) == {
                "networks.names": [name],
                "macs": [MAC],
                "ips": ["10.79.0.5"],
                "modes": ["bridged"],
                "links": [LINK],
            }


def test_an_address_is_taken_once(cluster: Handle) -> None:
    with cluster.network("10.79.1.0/28") as name, cluster.instance(start=False, nics=(nic(name, ip="10.79.1.5"),)):
        other = specs.NicSpec(network=name, ip="10.79.1.5", mac="02:53:79:c0:01:02")
        made = cluster.api.create_instance(cluster.spec(cluster.name(), start=False, nics=(other,)), reason="r")
        error_class, (_, code) = cluster.failed(made)
        assert (error_class, code) == ("OpPrereqError", "resource_not_unique")


def test_an_address_outside_of_the_network_is_refused(cluster: Handle) -> None:
    with cluster.network("10.79.2.0/28") as name:
        spec = cluster.spec(cluster.name(), start=False, nics=(nic(name, ip="10.79.3.5"),))
        error_class, (_, code) = cluster.failed(cluster.api.create_instance(spec, reason="r"))
        assert (error_class, code) == ("OpPrereqError", "resource_not_unique")


def test_an_ipv6_address_cannot_be_said(cluster: Handle) -> None:
    with cluster.network("10.79.3.0/28") as name:
        spec = cluster.spec(cluster.name(), start=False, nics=(nic(name, ip="2001:db8::7"),))
        error_class, (text,) = cluster.failed(cluster.api.create_instance(spec, reason="r"))
        assert error_class == "GenericError"
        assert "Can't parse IPv4 address from string 2001:db8::7" in text


def test_a_nic_without_an_address_keeps_its_network_connected(cluster: Handle) -> None:
    with cluster.network("10.79.4.0/28") as name, cluster.instance(start=False, nics=(nic(name),)) as instance:
        assert cluster.api.get_network(name)["inst_list"] == [instance]
        assert shown(cluster, instance)["ips"] == [None]
        error_class, (_, code) = cluster.failed(cluster.api.disconnect_network(name, GROUP, reason="r"))
        assert (error_class, code) == ("OpPrereqError", "wrong_state")


def test_a_nic_moves_into_a_network_of_no_prefix_with_its_mac_and_out_again(cluster: Handle) -> None:
    bare = specs.NicSpec(ip="10.79.5.5", mac=MAC, name=PORT, mode="bridged", link=LINK)
    with cluster.network("10.79.5.0/28") as name, cluster.instance(start=False, nics=(bare,)) as instance:
        cluster.succeeded(change(cluster, instance, ["modify", PORT, {"network": name, "ip": "10.79.5.5"}]))
        assert shown(cluster, instance)["networks.names"] == [name]
        assert shown(cluster, instance)["macs"] == [MAC]
        out = {"network": "none", "mode": "bridged", "link": LINK, "ip": "10.79.5.5"}
        cluster.succeeded(change(cluster, instance, ["modify", PORT, out]))
        assert shown(cluster, instance)["networks.names"] == [None]
        assert shown(cluster, instance)["macs"] == [MAC]


def test_a_nic_that_comes_into_a_network_with_a_prefix_gets_another_mac_and_cannot_name_its_own(
    cluster: Handle,
) -> None:
    bare = specs.NicSpec(ip="10.79.6.5", mac=MAC, name=PORT, mode="bridged", link=LINK)
    with prefixed(cluster, "10.79.6.0/28", "aa:01:04") as name, cluster.instance(start=False, nics=(bare,)) as instance:
        into = {"network": name, "ip": "10.79.6.5"}
        error_class, (_, code) = cluster.failed(change(cluster, instance, ["modify", PORT, {**into, "mac": MAC}]))
        assert (error_class, code) == ("OpPrereqError", "resource_not_unique")
        cluster.succeeded(change(cluster, instance, ["modify", PORT, into]))
        (mac,) = shown(cluster, instance)["macs"]
        assert mac.startswith("aa:01:04:")


def test_a_nic_of_a_network_is_renamed_and_loses_its_address_but_has_no_link_of_its_own(cluster: Handle) -> None:
    with cluster.network("10.79.7.0/28") as name:
        with cluster.instance(start=False, nics=(nic(name, ip="10.79.7.5"),)) as instance:
            cluster.succeeded(change(cluster, instance, ["modify", PORT, {"name": PORT}]))
            error_class, (_, code) = cluster.failed(change(cluster, instance, ["modify", PORT, {"link": LINK}]))
            assert (error_class, code) == ("OpPrereqError", "wrong_input")
            cluster.succeeded(change(cluster, instance, ["modify", PORT, {"ip": "none"}]))
            assert shown(cluster, instance)["ips"] == [None]
            assert cluster.api.get_network(name)["free_count"] == 13


def test_a_network_is_connected_after_the_job_that_adds_it(cluster: Handle) -> None:
    api, name = cluster.api, cluster.name()
    added = api.create_network(name, network="10.79.8.0/28", reason="r")
    after = [(added, ["success"])]
    cluster.succeeded(api.connect_network(name, GROUP, mode="bridged", link=LINK, reason="r", depends=after))
    again = api.create_network(name, network="10.79.8.0/28", reason="r")
    after = [(again, ["success"])]
    cluster.failed(api.connect_network(name, GROUP, mode="bridged", link=LINK, reason="r", depends=after))
    cluster.succeeded(api.connect_network(name, GROUP, mode="bridged", link="other", reason="r"))
    # whoever is connected already keeps what they have
    assert api.get_network(name)["group_list"] == [[GROUP, "bridged", LINK, ""]]
    cluster.succeeded(api.disconnect_network(name, GROUP, reason="r"))
    cluster.succeeded(api.delete_network(name, reason="r"))


def test_a_gateway_and_ipv6_come_later_and_are_not_taken_away(cluster: Handle) -> None:
    with cluster.network("10.79.9.0/28", connected=False) as name:
        later = {"gateway": "10.79.9.2", "network6": "2001:db8::/64", "gateway6": "2001:db8::1"}
        cluster.succeeded(cluster.api.modify_network(name, reason="r", **later))
        found = cluster.api.get_network(name)
        assert {key: found[key] for key in later} == later
        with pytest.raises(errors.RapiRefused) as refusal:
            cluster.api.modify_network(name, reason="r", gateway="none")
        assert refusal.value.status == 400


def test_a_network_that_is_too_big_or_has_its_gateway_elsewhere_is_a_job_that_fails(cluster: Handle) -> None:
    for subnet, gateway in (("10.0.0.0/15", None), ("10.79.10.0/28", "10.99.0.1")):
        job = cluster.api.create_network(cluster.name(), network=subnet, gateway=gateway, reason="r")
        assert cluster.failed(job)[0] == "OpExecError"


def test_networks_of_one_subnet_and_bare_nics_do_not_mind_each_others_addresses(cluster: Handle) -> None:
    with cluster.network("10.79.11.0/28") as one, cluster.network("10.79.11.0/28") as other:
        spec = specs.NicSpec(ip="10.79.11.5", mac="02:53:79:c0:01:03", mode="bridged", link=LINK)
        also = specs.NicSpec(network=other, ip="10.79.11.5", mac="02:53:79:c0:01:04")
        with cluster.instance(start=False, nics=(nic(one, ip="10.79.11.5"), also, spec)) as instance:
            assert shown(cluster, instance)["ips"] == ["10.79.11.5"] * 3
            assert shown(cluster, instance)["networks.names"] == [one, other, None]


def test_a_nic_of_a_routed_network_needs_no_address(cluster: Handle) -> None:
    api, name = cluster.api, cluster.name()
    cluster.succeeded(api.create_network(name, network="10.79.12.0/28", reason="r"))
    cluster.succeeded(api.connect_network(name, GROUP, mode="routed", link="100", reason="r"))
    with cluster.instance(start=False, nics=(nic(name),)) as instance:
        assert (shown(cluster, instance)["ips"], shown(cluster, instance)["modes"]) == ([None], ["routed"])
    cluster.succeeded(api.disconnect_network(name, GROUP, reason="r"))
    cluster.succeeded(api.delete_network(name, reason="r"))


def test_an_interface_comes_into_a_network_and_goes_with_its_address(cluster: Handle) -> None:
    with cluster.network("10.79.13.0/28") as name, cluster.instance(start=False) as instance:
        cluster.succeeded(change(cluster, instance, ["add", -1, nic(name, ip="10.79.13.5").body()]))
        assert shown(cluster, instance)["networks.names"] == [name]
        assert cluster.api.get_network(name)["map"][5] == "X"
        cluster.succeeded(change(cluster, instance, ["remove", PORT, {}]))
        assert cluster.api.get_network(name)["map"][5] == "."
        assert cluster.api.get_network(name)["inst_list"] == []
