"""What Ganeti makes of NICs that carry their mode and link themselves, as ours do, and the simulator alike."""

from __future__ import annotations

from typing import Any

from rapi import specs
from tests.contract.masters import LINK, Handle

PORT = "port-0a0a0a0a-0000-4000-8000-000000000001"
MAC = "02:53:79:c0:00:01"


def shown(cluster: Handle, name: str) -> dict[str, list[Any]]:
    row = cluster.api.get_instance(name)
    return {key: row[f"nic.{key}"] for key in ("names", "macs", "ips", "modes", "links")}


def change(cluster: Handle, name: str, *changes: list[Any]) -> int:
    return cluster.api.modify_instance(name, reason="r", hotplug=False, nics=list(changes))


def uuids(cluster: Handle, name: str) -> list[str]:
    return list(cluster.api.get_instance(name)["nic.uuids"])


def test_a_nic_is_put_right_and_another_removed_in_one_change_by_their_uuids(cluster: Handle) -> None:
    wrong = specs.NicSpec(ip="192.0.2.9", mac="02:53:79:c0:00:02", mode="bridged", link=LINK)
    left = specs.NicSpec(mac="02:53:79:c0:00:03", name="port-left", mode="bridged", link=LINK)
    with cluster.instance(start=False, nics=(wrong, left)) as name:
        first, second = uuids(cluster, name)
        right = {"name": PORT, "mac": MAC, "ip": "none", "mode": "routed", "link": "100"}
        # a routed NIC has an address
        error_class, (_, code) = cluster.failed(change(cluster, name, ["modify", first, right]))
        assert (error_class, code) == ("OpPrereqError", "wrong_input")
        right["ip"] = "192.0.2.7"
        cluster.succeeded(change(cluster, name, ["modify", first, right], ["remove", second, {}]))
        assert shown(cluster, name) == {
            "names": [PORT],
            "macs": [MAC],
            "ips": ["192.0.2.7"],
            "modes": ["routed"],
            "links": ["100"],
        }
        cluster.succeeded(change(cluster, name, ["modify", first, {"ip": "none", "mode": "bridged", "link": LINK}]))
        assert (shown(cluster, name)["ips"], shown(cluster, name)["modes"]) == ([None], ["bridged"])


def test_a_routed_nic_is_made_with_an_address_alone(cluster: Handle) -> None:
    spec = specs.NicSpec(mac=MAC, name=PORT, mode="routed", link="100")
    made = cluster.api.create_instance(cluster.spec(cluster.name(), start=False, nics=(spec,)), reason="r")
    error_class, (_, code) = cluster.failed(made)
    assert (error_class, code) == ("OpPrereqError", "wrong_input")
    for ip in ("192.0.2.7", "2001:db8::7"):
        nic = specs.NicSpec(ip=ip, mac=MAC, name=PORT, mode="routed", link="100")
        with cluster.instance(start=False, nics=(nic,)) as name:
            assert (shown(cluster, name)["ips"], shown(cluster, name)["links"]) == ([ip], ["100"])
