"""Giving out a subnet's addresses: chosen from its pools, named by the caller, or made of a MAC.

Whoever takes or gives back holds the subnet's row, and changes the free ranges and the address's row in one
transaction: no address is ever given twice, and none is lost.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from common.errors import Conflict, Invalid
from db import free_ranges
from db.free_ranges import key
from db.networks import Ipv6Mode, Subnet
from db.ports import Address, Port

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Cidr = ipaddress.IPv4Network | ipaddress.IPv6Network

#: addresses of a routed IPv4 network that are nobody's: its own, and the broadcast's
_ENDS = 2


class Exhausted(Conflict):
    """Every address of a subnet's pools is taken."""


def cidr(subnet: Subnet) -> Cidr:
    """Give a subnet's prefix."""
    return ipaddress.ip_network(subnet.cidr)


def read_cidr(text: str, key: str) -> Cidr:
    """Read a prefix, of which bits beyond it are forgotten; a plain address stands for itself. Raises Invalid."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError as err:
        raise Invalid(f"{key}: a prefix such as 192.0.2.0/24 is expected") from err
    if "%" in text:
        raise Invalid(f"{key}: an address with a zone means nothing here")
    return found


def choose(db: Session, subnet: Subnet, port: Port) -> Address:
    """Give a port the next address of a held subnet, or the one that its MAC makes; raises Exhausted."""
    if subnet.ipv6_mode is Ipv6Mode.SLAAC:
        return _keep(db, subnet, port, int(from_mac(cidr(subnet), port.mac)))
    number = free_ranges.take(db, subnet.id, since=subnet.cursor)
    if number is None:
        raise Exhausted(f"subnet {subnet.id} has no free address left in its allocation pools")
    subnet.cursor = key(number + 1) if number + 1 < 1 << 128 else ""
    return _keep(db, subnet, port, number)


def claim(db: Session, subnet: Subnet, port: Port, ip: Ip) -> Address:
    """Give a port the address that was asked for, of a held subnet; raises Invalid or Conflict."""
    check_usable(subnet, ip)
    number = int(ip)
    if db.get(Address, (subnet.id, key(number))) is not None:
        raise Conflict(f"address {ip} is in use in subnet {subnet.id}")
    free_ranges.take_exactly(db, subnet.id, number)
    return _keep(db, subnet, port, number)


def free(db: Session, subnets: Mapping[str, Subnet], addresses: Sequence[Address]) -> None:
    """Have the addresses of a port that is gone given out again; their subnets are held. Those of no pool just go."""
    for address in addresses:
        subnet = subnets[address.subnet_id]
        number = int(address.number, 16)
        if in_pools(subnet, number):
            free_ranges.give_back(db, subnet.id, number)


def check_usable(subnet: Subnet, ip: Ip) -> None:
    """Raise Invalid for an address that no guest can have in this subnet."""
    prefix = cidr(subnet)
    if ip not in prefix:
        raise Invalid(f"ip_address: {ip} is not in {subnet.cidr}")
    if str(ip) == subnet.gateway:
        raise Invalid(f"ip_address: {ip} is the gateway of subnet {subnet.id}")
    if _is_end(prefix, int(ip)):
        raise Invalid(f"ip_address: {ip} is no host's in {subnet.cidr}")


def from_mac(prefix: Cidr, mac: str) -> ipaddress.IPv6Address:
    """Make an address of a /64 and a MAC (RFC 4291, appendix A: modified EUI-64)."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 0x02
    interface = bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:])
    return ipaddress.IPv6Address(int(prefix.network_address) | int.from_bytes(interface, "big"))


def in_pools(subnet: Subnet, number: int) -> bool:
    """Tell whether an address is one that is chosen when none is named."""
    return any(
        int(ipaddress.ip_address(pool["start"])) <= number <= int(ipaddress.ip_address(pool["end"]))
        for pool in subnet.pools
    )


def whole_pool(prefix: Cidr, gateway: Ip | None) -> list[tuple[int, int]]:
    """Give the ranges of all the addresses that guests may have, as Neutron's default pools are: but the gateway."""
    first, last = int(prefix.network_address), int(prefix.broadcast_address)
    while _is_end(prefix, first) and first < last:
        first += 1
    while _is_end(prefix, last) and last > first:
        last -= 1
    if gateway is None or not first <= int(gateway) <= last:
        return [(first, last)]
    parts = [(first, int(gateway) - 1), (int(gateway) + 1, last)]
    return [(low, high) for low, high in parts if low <= high]


def _is_end(prefix: Cidr, number: int) -> bool:
    """Tell whether an address stands for the network or for all in it; point-to-point prefixes have none (RFC 3021)."""
    if prefix.num_addresses <= _ENDS:
        return False
    # of IPv6 the first address is the routers' (RFC 4291, 2.6.1)
    ends = {int(prefix.network_address)}
    if prefix.version == 4:
        ends.add(int(prefix.broadcast_address))
    return number in ends


def _keep(db: Session, subnet: Subnet, port: Port, number: int) -> Address:
    kind = ipaddress.IPv4Address if subnet.version == 4 else ipaddress.IPv6Address
    row = Address(subnet_id=subnet.id, number=key(number), ip=str(kind(number)), port_id=port.id)
    db.add(row)
    db.flush()
    return row
