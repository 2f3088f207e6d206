"""A NIC as answers need it: its binding, made ready once, so that the hot path packs no addresses."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from common.bindings import Binding, Ipv6, Mode
from nfdhcpd.lease import Lease

#: of the UUIDs below; it only has to stay what it is
_NAMESPACE = uuid.UUID("6a0d52c0-5d0c-4f0e-9f0b-0f6f6d9b6a3e")
_DUID_UUID = 4


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the kernel says: the tap's index, and of the interface that faces the guest its MAC and IPv6 addresses."""

    index: int
    mac: bytes
    addresses: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Router:
    """What a router advertisement is sent as."""

    address: bytes
    #: what the guest is told to send to; None where the router is another machine, which tells it itself
    mac: bytes | None
    #: whether it forwards: a guest makes it its default router
    forwards: bool


@dataclass(frozen=True, slots=True)
class Nic:
    """One NIC, ready to be answered."""

    binding: Binding
    surroundings: Surroundings
    mac: bytes
    server_link_local: bytes
    #: DHCPv6's name of this server: the same on every node, so that it survives a migration (RFC 6355)
    duid: bytes
    lease: Lease | None
    router: Router | None
    #: addresses that are this node's to answer for, in a neighbour solicitation
    neighbours: frozenset[bytes]


def ready(binding: Binding, surroundings: Surroundings, *, server_id: bytes, metadata: bool = False) -> Nic:
    """Make a binding ready; `server_id` is the packed IPv4 address that DHCP goes by where there is no gateway.

    `metadata`: whether the metadata service is on this node's links.
    """
    routed = binding.mode is Mode.ROUTED
    link_local = next(filter(_is_link_local, surroundings.addresses), None) or _eui64_link_local(surroundings.mac)
    router = _router(binding.ipv6, surroundings, link_local, routed=routed) if binding.ipv6 else None
    gateway = binding.ipv6.gateway if binding.ipv6 else None
    return Nic(
        binding=binding,
        surroundings=surroundings,
        mac=bytes.fromhex(binding.mac.replace(":", "")),
        server_link_local=link_local,
        duid=_DUID_UUID.to_bytes(2, "big") + uuid.uuid5(_NAMESPACE, binding.mac).bytes,
        lease=Lease.of(binding, server_id, metadata=metadata) if binding.ipv4 else None,
        router=router,
        neighbours=frozenset({gateway.packed, router.address}) if routed and gateway and router else frozenset(),
    )


def _router(ipv6: Ipv6, surroundings: Surroundings, link_local: bytes, *, routed: bool) -> Router:
    """Decide what to advertise: a gateway of this node as such, another machine's by its address on the link.

    A gateway elsewhere that is known by a global address alone can't be advertised (RFC 4861 section 4.2 has a router
    named by its own link-local address): then the prefix is, and the router itself says where it is.
    """
    gateway = ipv6.gateway
    if gateway is None:
        return Router(link_local, None, forwards=False)
    ours = routed or gateway.packed in surroundings.addresses
    mac = surroundings.mac if ours else None
    return Router(gateway.packed if gateway.is_link_local else link_local, mac, forwards=ours or gateway.is_link_local)


def _is_link_local(address: bytes) -> bool:
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80


def _eui64_link_local(mac: bytes) -> bytes:
    """Make the address of RFC 4862 section 5.3 and RFC 4291 appendix A."""
    return b"\xfe\x80" + bytes(6) + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]
