"""What a DHCPv4 server says to one NIC, whose binding is all that it knows (RFC 2131 section 4.3)."""

from __future__ import annotations

from collections.abc import Iterable

from nfdhcpd import dhcp4, frames
from nfdhcpd.dhcp4 import Kind, Message, Option
from nfdhcpd.frames import Malformed
from nfdhcpd.lease import Lease
from nfdhcpd.nics import Nic
from nfdhcpd.outcomes import Answer, Outcome, Silence

_WRONG_ADDRESS = b"the address is another"


def answer(nic: Nic, message: Message) -> Outcome:
    """Answer a message that came from the NIC. Raises Malformed."""
    lease = nic.lease
    if lease is None:
        return Silence("no ipv4")
    if message.hardware != nic.mac:
        return Silence("foreign hardware address")
    if message.relay != frames.UNSPECIFIED_IPV4:
        return Silence("relayed")
    if message.kind is Kind.DISCOVER:
        return _discover(nic, lease, message)
    if message.kind is Kind.REQUEST:
        return _request(nic, lease, message)
    if message.kind is Kind.INFORM:
        return _inform(nic, lease, message)
    # the address stays the NIC's, whatever it does with it
    return Silence(message.kind.name.lower())


def _discover(nic: Nic, lease: Lease, message: Message) -> Outcome:
    if Option.RAPID_COMMIT in message.options:
        # RFC 4039 section 3.1
        return _leased(nic, lease, message, Kind.ACK, ((Option.RAPID_COMMIT, b""),))
    return _leased(nic, lease, message, Kind.OFFER)


def _request(nic: Nic, lease: Lease, message: Message) -> Outcome:
    """Tell the client's state by what its message has (RFC 2131 section 4.3.2)."""
    server = message.address(Option.SERVER_ID)
    requested = message.address(Option.REQUESTED_ADDRESS)
    if server is not None and server != lease.server_id:
        # SELECTING, and another was chosen
        return Silence("other server")
    # SELECTING and INIT-REBOOT name it in the option, RENEWING and REBINDING have it already
    wanted = message.client if requested is None else requested
    if wanted == frames.UNSPECIFIED_IPV4:
        raise Malformed("dhcp4 request")
    if wanted != lease.address:
        return _refused(nic, lease, message)
    return _leased(nic, lease, message, Kind.ACK)


def _leased(nic: Nic, lease: Lease, message: Message, kind: Kind, more: Iterable[tuple[int, bytes]] = ()) -> Answer:
    options = [*_head(lease, message, kind), *lease.times, *more, *lease.told(message.parameters)]
    reply = dhcp4.reply(message, yours=lease.address, client=message.client, options=options)
    if message.client != frames.UNSPECIFIED_IPV4:
        return _sent(nic, lease, kind, reply, mac=nic.mac, address=message.client)
    if message.broadcast:
        return _sent(nic, lease, kind, reply, mac=frames.BROADCAST_MAC, address=frames.BROADCAST_IPV4)
    return _sent(nic, lease, kind, reply, mac=nic.mac, address=lease.address)


def _inform(nic: Nic, lease: Lease, message: Message) -> Outcome:
    """Tell a client that has an address all but that (RFC 2131 section 4.3.5)."""
    if message.client == frames.UNSPECIFIED_IPV4:
        raise Malformed("dhcp4 inform")
    options = [*_head(lease, message, Kind.ACK), *lease.told(message.parameters)]
    reply = dhcp4.reply(message, yours=frames.UNSPECIFIED_IPV4, client=message.client, options=options)
    return _sent(nic, lease, Kind.ACK, reply, mac=nic.mac, address=message.client)


def _refused(nic: Nic, lease: Lease, message: Message) -> Answer:
    options = [*_head(lease, message, Kind.NAK), (Option.MESSAGE, _WRONG_ADDRESS)]
    reply = dhcp4.reply(message, yours=frames.UNSPECIFIED_IPV4, client=frames.UNSPECIFIED_IPV4, options=options)
    return _sent(nic, lease, Kind.NAK, reply, mac=frames.BROADCAST_MAC, address=frames.BROADCAST_IPV4)


def _head(lease: Lease, message: Message, kind: Kind) -> list[tuple[int, bytes]]:
    head: list[tuple[int, bytes]] = [(Option.MESSAGE_TYPE, bytes((kind,))), (Option.SERVER_ID, lease.server_id)]
    client_id = message.options.get(Option.CLIENT_ID)
    if client_id:
        # RFC 6842 section 3
        head.append((Option.CLIENT_ID, client_id))
    return head


def _sent(nic: Nic, lease: Lease, kind: Kind, reply: bytes, *, mac: bytes, address: bytes) -> Answer:
    packet = frames.ipv4_udp(
        lease.server_id, address, reply, source_port=dhcp4.SERVER_PORT, destination_port=dhcp4.CLIENT_PORT
    )
    return Answer(kind.name.lower(), frames.ethernet(mac, nic.surroundings.mac, frames.ETHERTYPE_IPV4, packet))
