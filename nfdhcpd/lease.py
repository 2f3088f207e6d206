"""What DHCPv4 tells one NIC: every option's bytes, made once from the binding."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.bindings import Binding, Ipv4, Mode
from nfdhcpd.dhcp4 import Option

_ANYWHERE = ipaddress.IPv4Network("0.0.0.0/0")
#: RFC 3442: the router of a destination that needs none
_ON_LINK = ipaddress.IPv4Address(0)
#: where metadatad answers
_METADATA = ipaddress.IPv4Network("169.254.169.254/32")
_HOST_MASK = b"\xff" * 4
_HOST_PREFIX = 32
_ROUTES = frozenset((Option.CLASSLESS_ROUTES, Option.MICROSOFT_ROUTES))
#: what a client gets that does not say what it wants
_USUAL = bytes(
    (
        Option.ROUTER, Option.NAMESERVERS, Option.DOMAIN, Option.HOSTNAME, Option.MTU, Option.BROADCAST, Option.NTP,
        Option.CLASSLESS_ROUTES,
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lease:
    """One NIC's address and options; all packed."""

    address: bytes
    server_id: bytes
    #: lease time, T1 and T2
    times: tuple[tuple[int, bytes], ...]
    mask: bytes
    options: dict[int, bytes]
    #: for clients that know classless routes, where the guest is alone on its link; None elsewhere
    alone: dict[int, bytes] | None

    @classmethod
    def of(cls, binding: Binding, server_id: bytes, *, metadata: bool = False) -> Lease | None:
        """Make what a binding says ready; None if it says nothing of IPv4.

        With `metadata`, a guest at a bridge is told that the metadata service is on its link.
        """
        ipv4 = binding.ipv4
        if ipv4 is None:
            return None
        alone = binding.mode is Mode.ROUTED and ipv4.gateway is not None
        metadata = metadata and binding.mode is Mode.BRIDGED
        return cls(
            address=ipv4.address.packed,
            server_id=ipv4.gateway.packed if ipv4.gateway else server_id,
            times=(
                (Option.LEASE_TIME, _seconds(binding.lease)),
                # RFC 2131 section 4.4.5
                (Option.RENEWAL_TIME, _seconds(binding.lease // 2)),
                (Option.REBINDING_TIME, _seconds(binding.lease * 7 // 8)),
            ),
            mask=ipv4.subnet.netmask.packed,
            options=_options(binding, ipv4, alone=False, metadata=metadata),
            alone=_options(binding, ipv4, alone=True, metadata=False) if alone else None,
        )

    def told(self, parameters: bytes | None) -> Iterator[tuple[int, bytes]]:
        """Give the options for a client that asks for these: the mask first (RFC 2132 section 3.3), then in its order.

        A guest that is alone on its link gets a mask of 32 bits and its routes, if it knows those (RFC 3442);
        otherwise its subnet's mask, and neighbours are the node's to answer for.
        """
        wanted = _USUAL if parameters is None else parameters
        options, mask = self.options, self.mask
        if self.alone is not None and parameters is not None and not _ROUTES.isdisjoint(parameters):
            options, mask = self.alone, _HOST_MASK
        yield Option.SUBNET_MASK, mask
        for code in dict.fromkeys(wanted):
            value = options.get(code)
            if value is not None:
                yield code, value


def _options(binding: Binding, ipv4: Ipv4, *, alone: bool, metadata: bool) -> dict[int, bytes]:
    routes = b"".join(_encode(destination, via) for destination, via in _routes(ipv4, alone=alone, metadata=metadata))
    options = {
        Option.ROUTER: ipv4.gateway.packed if ipv4.gateway else b"",
        Option.NAMESERVERS: _packed(ipv4.nameservers),
        Option.HOSTNAME: binding.hostname.encode(),
        Option.DOMAIN: binding.domain.encode(),
        Option.MTU: binding.mtu.to_bytes(2, "big"),
        Option.BROADCAST: b"" if alone else ipv4.subnet.broadcast_address.packed,
        Option.NTP: _packed(ipv4.ntp_servers),
        Option.CLASSLESS_ROUTES: routes,
        Option.MICROSOFT_ROUTES: routes,
    }
    return {int(code): value for code, value in options.items() if value}


def _routes(
    ipv4: Ipv4, *, alone: bool, metadata: bool
) -> Iterator[tuple[ipaddress.IPv4Network, ipaddress.IPv4Address]]:
    """Give the routes of RFC 3442, if there are any to tell: a client that reads them ignores the router option."""
    gateway = ipv4.gateway
    subnet = ipaddress.IPv4Network((ipv4.address, _HOST_PREFIX)) if alone else ipv4.subnet
    off_link = gateway is not None and gateway not in subnet
    if not ipv4.routes and not off_link and not metadata:
        return
    if metadata:
        yield _METADATA, _ON_LINK
    routers = [route.via for route in ipv4.routes] + ([gateway] if gateway else [])
    for router in dict.fromkeys(routers):
        if router not in subnet and router != _ON_LINK:
            yield ipaddress.IPv4Network((router, _HOST_PREFIX)), _ON_LINK
    for route in ipv4.routes:
        yield route.destination, route.via
    if gateway is not None and all(route.destination != _ANYWHERE for route in ipv4.routes):
        yield _ANYWHERE, gateway


def _encode(destination: ipaddress.IPv4Network, via: ipaddress.IPv4Address) -> bytes:
    """Encode a route with the significant octets of its destination (RFC 3442)."""
    length = destination.prefixlen
    return bytes((length,)) + destination.network_address.packed[: (length + 7) // 8] + via.packed


def _packed(addresses: Iterable[ipaddress.IPv4Address]) -> bytes:
    return b"".join(address.packed for address in addresses)


def _seconds(number: int) -> bytes:
    return number.to_bytes(4, "big")
