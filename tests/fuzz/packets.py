"""Packets that guests could send: what real clients sent, bent, with the checksums made right again or left wrong."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from nfdhcpd import frames
from nfdhcpd.frames import Malformed
from nfdhcpd.nics import Nic
from nfdhcpd.outcomes import Silence
from nfdhcpd.responder import Wanted, respond
from tests.unit.nfdhcpd import guests

_CLIENTS = ("udhcpc", "dhclient", "dhclient6", "dhcpcd", "kernel")
_QUEUES = {"dhcp4": Wanted.DHCP4, "dhcp6": Wanted.DHCP6, "rs": Wanted.RS, "ns": Wanted.NS}
_UDP = 8
#: lengths and counts that parsers trip over
_ODD = (0, 1, 2, 3, 4, 7, 8, 0x0F, 0x10, 0x3F, 0x7F, 0x80, 0xFE, 0xFF)
_MOST_BENDS = 8


@dataclass(frozen=True)
class Sample:
    """A packet that a client sent, and the queue that brings such."""

    wanted: Wanted
    data: bytes


def samples() -> list[Sample]:
    """Give what was recorded of real clients."""
    found = []
    for client in _CLIENTS:
        for name, data in guests.recorded(client).items():
            wanted = _QUEUES.get(name.split()[0])
            if wanted is not None:
                found.append(Sample(wanted, data))
    return found


def bent(dice: random.Random, data: bytes) -> bytes:
    """Change some of the bytes: other values, less, more, or a part twice."""
    made = bytearray(data)
    for _ in range(dice.randint(1, _MOST_BENDS)):
        at = dice.randrange(len(made)) if made else 0
        way = dice.randrange(5)
        if way == 0 and made:
            made[at] = dice.choice(_ODD)
        elif way == 1 and made:
            made[at] ^= 1 << dice.randrange(8)
        elif way == 2:
            del made[at : at + dice.randint(1, 16)]
        elif way == 3:
            made[at:at] = dice.randbytes(dice.randint(1, 16))
        else:
            made += made[at : at + dice.randint(1, 64)]
    return bytes(made[:65_000])


def packets(dice: random.Random, known: list[Sample]) -> Iterator[Sample]:
    """Make packets for ever: half are wrong anywhere, half only in what their checksums are right for."""
    while True:
        sample = dice.choice(known)
        if dice.random() < 0.5:
            yield Sample(sample.wanted, bent(dice, sample.data))
        else:
            yield Sample(sample.wanted, _right(sample, bent(dice, _body(sample))))


def feed(nic: Nic, dice: random.Random, count: int) -> Counter[str]:
    """Have a NIC answer so many packets; count what became of them. Whatever is raised but Malformed is a mistake."""
    seen: Counter[str] = Counter()
    for sample, _ in zip(packets(dice, samples()), range(count), strict=False):
        try:
            outcome = respond(sample.wanted, nic, guests.MAC, sample.data, ra_seconds=guests.RA_SECONDS)
        except Malformed as err:
            seen[f"malformed: {err}"] += 1
        except Exception as err:
            err.add_note(f"{sample.wanted}: {sample.data.hex()}")
            raise
        else:
            seen[f"silence: {outcome.reason}" if isinstance(outcome, Silence) else f"answer: {outcome.kind}"] += 1
    return seen


def _body(sample: Sample) -> bytes:
    packet = frames.parse_ip(sample.data)
    if sample.wanted in (Wanted.DHCP4, Wanted.DHCP6):
        return frames.parse_udp(packet).payload
    return packet.payload


def _right(sample: Sample, body: bytes) -> bytes:
    packet = frames.parse_ip(sample.data)
    if sample.wanted is Wanted.DHCP4:
        return frames.ipv4_udp(packet.source, packet.destination, body, source_port=68, destination_port=67)
    if sample.wanted is Wanted.DHCP6:
        return frames.ipv6_udp(packet.source, packet.destination, body, source_port=546, destination_port=547)
    source, destination = (str(ipaddress.IPv6Address(each)) for each in (packet.source, packet.destination))
    kind, code, rest = (body + bytes(4))[0], (body + bytes(4))[1], body[4:]
    return guests.icmp6(kind, rest, source=source, destination=destination, code=code)
