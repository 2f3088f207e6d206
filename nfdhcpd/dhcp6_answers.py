"""What a DHCPv6 server says to one NIC, whose binding is all that it knows (RFC 8415 section 18.3)."""

from __future__ import annotations

from collections.abc import Iterator

from common.bindings import Ipv6, Ipv6Mode
from nfdhcpd import dhcp6, frames, icmp6
from nfdhcpd.dhcp6 import Association, Kind, Message, Option, Status
from nfdhcpd.frames import Packet
from nfdhcpd.nics import Nic
from nfdhcpd.outcomes import Answer, Outcome, Silence

#: All_DHCP_Relay_Agents_and_Servers
SERVERS = bytes.fromhex("ff020000000000000000000000010002")

_NTP_ADDRESS = 1
_HIGHEST_PREFERENCE = b"\xff"

_TO_ANY_SERVER = frozenset((Kind.SOLICIT, Kind.CONFIRM, Kind.REBIND))
_TO_ONE_SERVER = frozenset((Kind.REQUEST, Kind.RENEW, Kind.RELEASE, Kind.DECLINE))
_LEASING = frozenset((Kind.REQUEST, Kind.RENEW, Kind.REBIND))


def answer(nic: Nic, packet: Packet, message: Message) -> Outcome:
    """Answer a message that came from the NIC in a packet."""
    ipv6 = nic.binding.ipv6
    if ipv6 is None:
        return Silence("no ipv6")
    if reason := _discarded(nic, packet, message):
        return Silence(reason)
    if packet.destination != SERVERS:
        if message.kind not in _TO_ONE_SERVER:
            return Silence("unicast")
        # RFC 8415 section 18.4.1
        return _reply(nic, packet, message, Kind.REPLY, [dhcp6.status(Status.USE_MULTICAST)])
    if message.kind is Kind.INFORMATION_REQUEST:
        return _reply(nic, packet, message, Kind.REPLY, [*_refresh(nic, message), *_information(nic, ipv6, message)])
    if message.kind is Kind.CONFIRM:
        return _confirm(nic, ipv6, packet, message)
    if message.kind in (Kind.RELEASE, Kind.DECLINE):
        return _given_back(nic, ipv6, packet, message)
    return _leased(nic, ipv6, packet, message)


def _discarded(nic: Nic, packet: Packet, message: Message) -> str | None:
    """Tell why there is no answer, by the rules of RFC 8415 section 16; None if there is one."""
    kind = message.kind
    if kind is Kind.INFORMATION_REQUEST:
        if message.associations:
            return "association unasked for"
        return "other server" if message.server_id not in (None, nic.duid) else None
    if kind not in _TO_ANY_SERVER and kind not in _TO_ONE_SERVER:
        return "other message"
    if message.client_id is None:
        return "no client id"
    if kind in _TO_ANY_SERVER and message.server_id is not None:
        return "server id"
    if kind in _TO_ONE_SERVER and message.server_id != nic.duid:
        return "other server"
    if packet.source == frames.UNSPECIFIED_IPV6:
        return "no source"
    return None


def _leased(nic: Nic, ipv6: Ipv6, packet: Packet, message: Message) -> Outcome:
    """Give the one address there is to the first association that asks (RFC 8415 sections 18.3.1 to 18.3.5)."""
    if not message.associations and message.kind is not Kind.SOLICIT:
        return Silence("no association")
    rapid = message.kind is Kind.SOLICIT and message.rapid_commit
    kind = Kind.REPLY if rapid or message.kind in _LEASING else Kind.ADVERTISE
    options = [dhcp6.option(Option.RAPID_COMMIT, b"")] if rapid else []
    if kind is Kind.ADVERTISE:
        # there is no other server to wait for
        options.append(dhcp6.option(Option.PREFERENCE, _HIGHEST_PREFERENCE))
    stateful = ipv6.mode is Ipv6Mode.STATEFUL and ipv6.address is not None
    given = False
    for each in message.associations:
        if each.option == Option.IA_NA and stateful and not given and ipv6.address is not None:
            options.append(_given(nic, ipv6.address.packed, each))
            given = True
        else:
            options.append(_refused(each))
    return _reply(nic, packet, message, kind, [*options, *_information(nic, ipv6, message)])


def _given(nic: Nic, address: bytes, asked: Association) -> bytes:
    """Give the address, and take back every other that the client names."""
    lease = nic.binding.lease
    content = dhcp6.address(address, preferred=lease, valid=lease)
    for other in dict.fromkeys(asked.addresses):
        if other != address:
            content += dhcp6.address(other, preferred=0, valid=0)
    # RFC 8415 section 21.4: half, and four fifths, of what is preferred
    return dhcp6.association(asked, content, renew=lease // 2, rebind=lease * 4 // 5)


def _refused(asked: Association) -> bytes:
    if asked.option == Option.IA_PD:
        return dhcp6.association(asked, dhcp6.status(Status.NO_PREFIX))
    content = b"".join(dhcp6.address(each, preferred=0, valid=0) for each in dict.fromkeys(asked.addresses))
    return dhcp6.association(asked, content + dhcp6.status(Status.NO_ADDRESSES))


def _confirm(nic: Nic, ipv6: Ipv6, packet: Packet, message: Message) -> Outcome:
    """Tell a client that has moved whether its addresses belong here (RFC 8415 section 18.3.3)."""
    named = {address for each in message.associations for address in each.addresses}
    if not named:
        return Silence("no address")
    here = ipv6.address is not None and named == {ipv6.address.packed}
    return _reply(nic, packet, message, Kind.REPLY, [dhcp6.status(Status.SUCCESS if here else Status.NOT_ON_LINK)])


def _given_back(nic: Nic, ipv6: Ipv6, packet: Packet, message: Message) -> Outcome:
    """Take note of what is released or declined (RFC 8415 sections 18.3.7 and 18.3.8): it stays the NIC's."""
    options = [dhcp6.status(Status.SUCCESS)]
    ours = ipv6.address.packed if ipv6.address else b""
    options += [
        dhcp6.association(each, dhcp6.status(Status.NO_BINDING))
        for each in message.associations
        if each.option != Option.IA_NA or ours not in each.addresses
    ]
    return _reply(nic, packet, message, Kind.REPLY, options)


def _information(nic: Nic, ipv6: Ipv6, message: Message) -> Iterator[bytes]:
    """Give what the client asks for, or everything if it does not say."""
    for code, value in _told(nic, ipv6):
        if value and (message.requested is None or code in message.requested):
            yield dhcp6.option(code, value)


def _told(nic: Nic, ipv6: Ipv6) -> Iterator[tuple[int, bytes]]:
    yield Option.NAMESERVERS, b"".join(address.packed for address in ipv6.nameservers)
    yield Option.DOMAINS, icmp6.dns_names((nic.binding.domain,)) if nic.binding.domain else b""
    yield Option.SNTP_SERVERS, b"".join(address.packed for address in ipv6.ntp_servers)
    yield Option.NTP_SERVERS, b"".join(dhcp6.option(_NTP_ADDRESS, address.packed) for address in ipv6.ntp_servers)


def _refresh(nic: Nic, message: Message) -> Iterator[bytes]:
    """Tell when to ask again (RFC 8415 section 21.23)."""
    if message.requested is None or Option.INFORMATION_REFRESH in message.requested:
        yield dhcp6.option(Option.INFORMATION_REFRESH, max(nic.binding.lease, 600).to_bytes(4, "big"))


def _reply(nic: Nic, packet: Packet, message: Message, kind: Kind, options: list[bytes]) -> Answer:
    head = [dhcp6.option(Option.SERVER_ID, nic.duid)]
    if message.client_id is not None:
        head.append(dhcp6.option(Option.CLIENT_ID, message.client_id))
    body = dhcp6.reply(kind, message.transaction, [*head, *options])
    answered = frames.ipv6_udp(
        nic.server_link_local, packet.source, body, source_port=dhcp6.SERVER_PORT, destination_port=dhcp6.CLIENT_PORT
    )
    return Answer(kind.name.lower(), frames.ethernet(nic.mac, nic.surroundings.mac, frames.ETHERTYPE_IPV6, answered))
