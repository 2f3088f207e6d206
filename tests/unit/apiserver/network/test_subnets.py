"""Subnets, as clients of the Network API use them."""

from __future__ import annotations

import pytest

from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.network.neutron import SUBNET, V2, refused


def test_a_subnet_has_a_gateway_and_a_pool_of_all_the_rest(demo: Asking, subnet: str) -> None:
    shown = demo.get(f"{V2}/subnets/{subnet}").json["subnet"]
    assert shown["gateway_ip"] == "192.0.2.1"
    assert shown["allocation_pools"] == [{"start": "192.0.2.2", "end": "192.0.2.254"}]
    assert (shown["ip_version"], shown["enable_dhcp"], shown["dns_nameservers"]) == (4, True, [])


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"cidr": "192.0.2.1/24"}, 400, "cidr"),
        ({"cidr": "nonsense"}, 400, "cidr"),
        ({"ip_version": 6}, 400, "ip_version"),
        ({"network_id": "missing"}, 404, "missing"),
        ({"gateway_ip": "2001:db8::1"}, 400, "gateway_ip"),
        ({"gateway_ip": "fe80::1%eth0"}, 400, "gateway_ip"),
        ({"allocation_pools": [{"start": "192.0.2.9", "end": "192.0.2.2"}]}, 400, "allocation_pools"),
        ({"allocation_pools": [{"start": "192.0.2.0", "end": "192.0.2.9"}]}, 400, "allocation_pools"),
        ({"allocation_pools": [{"start": "192.0.2.1", "end": "192.0.2.9"}]}, 409, "gateway"),
        ({"allocation_pools": [{"start": "192.0.2.5", "end": "192.0.2.9"}] * 2}, 409, "overlap"),
        ({"ipv6_address_mode": "slaac"}, 400, "ipv6_address_mode"),
        ({"dns_nameservers": ["192.0.2.1"] * 6}, 400, "dns_nameservers"),
        ({"dns_nameservers": ["192.0.2.1", "nonsense"]}, 400, "dns_nameservers: 'nonsense'"),
        ({"dns_nameservers": ["fe80::53%eth0"]}, 400, "dns_nameservers: 'fe80::53%eth0'"),
        ({"gateway_ip": "nonsense"}, 400, "gateway_ip: 'nonsense'"),
        ({"cidr": "192.0.2.9/24"}, 400, "'192.0.2.9/24'"),
        ({"host_routes": [{"destination": "nowhere", "nexthop": "192.0.2.1"}]}, 400, "'nowhere'"),
        ({"host_routes": [{"destination": "::/0", "nexthop": "192.0.2.1"}]}, 400, "host_routes"),
        ({"host_routes": [{"destination": "10.0.0.0/8", "nexthop": "192.0.2.255"}]}, 400, "host_routes"),
        ({"gateway_ip": "192.0.2.255"}, 400, "gateway_ip"),
        ({"gateway_ip": "224.0.0.1"}, 400, "gateway_ip"),
        ({"cidr": "2001:db8::/64", "ip_version": 6, "gateway_ip": "2001:db8:1::1"}, 400, "gateway_ip"),
        ({"unheard": 1}, 400, "unheard"),
    ],
)
def test_a_subnet_that_cannot_be_is_refused(
    admin: Asking, public: str, change: dict[str, object], status: int, word: str
) -> None:
    body = {"subnet": {**SUBNET, "network_id": public, **change}}
    refused(admin.post(f"{V2}/subnets", body), status, word)


def test_two_subnets_of_a_network_do_not_overlap(admin: Asking, public: str, subnet: str) -> None:
    body = {"subnet": {**SUBNET, "network_id": public, "cidr": "192.0.2.128/25"}}
    refused(admin.post(f"{V2}/subnets", body), 400, subnet)


def test_pools_that_touch_are_one_stock(admin: Asking, demo: Asking, public: str) -> None:
    pools = [{"start": "192.0.2.10", "end": "192.0.2.10"}, {"start": "192.0.2.11", "end": "192.0.2.11"}]
    body = {"subnet": {**SUBNET, "network_id": public, "allocation_pools": pools}}
    assert admin.post(f"{V2}/subnets", body).json["subnet"]["allocation_pools"] == [
        {"start": "192.0.2.10", "end": "192.0.2.11"}
    ]
    made = [demo.post(f"{V2}/ports", {"port": {"network_id": public}}) for _ in range(3)]
    assert [each.json["port"]["fixed_ips"][0]["ip_address"] for each in made[:2]] == ["192.0.2.10", "192.0.2.11"]
    refused(made[2], 409, "no free address")


def test_guests_of_a_subnet_are_told_other_nameservers_and_routes(admin: Asking, subnet: str) -> None:
    change = {
        "dns_nameservers": ["192.0.2.53"],
        "host_routes": [{"destination": "198.51.100.0/24", "nexthop": "192.0.2.9"}],
    }
    changed = admin.put(f"{V2}/subnets/{subnet}", {"subnet": change}).json["subnet"]
    assert {key: changed[key] for key in change} == change


def test_a_router_may_be_outside_of_the_prefix_where_guests_can_be_told_so(admin: Asking, public: str) -> None:
    def made(cidr: str, gateway: str) -> str:
        body = {"cidr": cidr, "ip_version": 6 if ":" in cidr else 4, "gateway_ip": gateway, "network_id": public}
        answer = admin.post(f"{V2}/subnets", {"subnet": body})
        assert (answer.status_code, answer.json["subnet"]["gateway_ip"]) == (201, gateway), answer.text
        return str(answer.json["subnet"]["id"])

    made("203.0.113.7/32", "198.51.100.1")
    six = made("2001:db8::/64", "fe80::1")
    routes = [{"destination": "2001:db8:9::/48", "nexthop": "fe80::2"}]
    assert admin.put(f"{V2}/subnets/{six}", {"subnet": {"host_routes": routes}}).status_code == 200
    refused(admin.put(f"{V2}/subnets/{six}", {"subnet": {"gateway_ip": "2001:db8:1::1"}}), 400, "gateway_ip")
    away = [{"destination": "2001:db8:9::/48", "nexthop": "2001:db8:1::2"}]
    refused(admin.put(f"{V2}/subnets/{six}", {"subnet": {"host_routes": away}}), 400, "host_routes")


def test_a_subnet_gets_another_gateway_and_a_network_another_mtu(admin: Asking, public: str, subnet: str) -> None:
    for gateway in (None, "192.0.2.1"):
        changed = admin.put(f"{V2}/subnets/{subnet}", {"subnet": {"gateway_ip": gateway}})
        assert (changed.status_code, changed.json["subnet"]["gateway_ip"]) == (200, gateway)
    assert admin.put(f"{V2}/networks/{public}", {"network": {"mtu": 1400}}).json["network"]["mtu"] == 1400
    refused(admin.put(f"{V2}/subnets/{subnet}", {"subnet": {"gateway_ip": "192.0.2.9"}}), 409, "gateway_ip")
    refused(admin.put(f"{V2}/subnets/{subnet}", {"subnet": {"gateway_ip": "2001:db8::1"}}), 400, "gateway_ip")
    refused(admin.put(f"{V2}/networks/{public}", {"network": {"mtu": 100}}), 400, "mtu")


def test_a_subnets_pools_change_and_who_has_an_address_keeps_it(admin: Asking, public: str, subnet: str) -> None:
    def taken(*ips: str) -> list[str]:
        fixed = {"fixed_ips": [{"ip_address": ip} for ip in ips]} if ips else {}
        made = admin.post(f"{V2}/ports", {"port": {"network_id": public, **fixed}})
        assert made.status_code == 201, made.text
        return [each["ip_address"] for each in made.json["port"]["fixed_ips"]]

    taken("192.0.2.9")
    taken("192.0.2.11")
    pools = [{"start": "192.0.2.8", "end": "192.0.2.12"}, {"start": "192.0.2.20", "end": "192.0.2.20"}]
    changed = admin.put(f"{V2}/subnets/{subnet}", {"subnet": {"allocation_pools": pools}}).json["subnet"]
    assert changed["allocation_pools"] == pools
    found = sorted(taken()[0] for _ in range(4))
    assert found == ["192.0.2.10", "192.0.2.12", "192.0.2.20", "192.0.2.8"]
    refused(admin.post(f"{V2}/ports", {"port": {"network_id": public}}), 409, "no free address")
    for bad, status in (
        ([{"start": "192.0.2.1", "end": "192.0.2.3"}], 409),
        ([{"start": "10.0.0.1", "end": "x"}], 400),
    ):
        refused(admin.put(f"{V2}/subnets/{subnet}", {"subnet": {"allocation_pools": bad}}), status, "")
    wider = [{"start": "192.0.2.2", "end": "192.0.2.20"}]
    assert admin.put(f"{V2}/subnets/{subnet}", {"subnet": {"allocation_pools": wider}}).status_code == 200
    assert len({taken()[0] for _ in range(13)} | {*found, "192.0.2.9", "192.0.2.11"}) == 19
    assert (
        admin.put(f"{V2}/subnets/{subnet}", {"subnet": {"allocation_pools": []}}).json["subnet"]["allocation_pools"]
        == []
    )
    refused(admin.post(f"{V2}/ports", {"port": {"network_id": public}}), 409, "no free address")
