"""Records what real DHCP clients and the kernel send: `python -m tests.support.record_clients`, as root.

Writes tests/data/nfdhcpd/<client>.hex: a line for each kind of packet, the first of it, from the IP header on.
"""

from __future__ import annotations

import ipaddress
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from common.bindings import Binding, Ipv4, Ipv6, Ipv6Mode
from lab import process
from nfdhcpd import dhcp4, dhcp6, frames
from tests.support import taps

FOLDER = Path(__file__).parents[1] / "data" / "nfdhcpd"


def main() -> None:
    if reason := taps.unavailable():
        sys.exit(reason)
    for name, act in _CLIENTS.items():
        with tempfile.TemporaryDirectory() as folder:
            bed = taps.Bed(Path(folder))
            try:
                bed.start()
                lines = _recorded(bed, act)
            finally:
                bed.stop()
        (FOLDER / f"{name}.hex").write_text("".join(lines))
        sys.stdout.write(f"{name}: {len(lines)}\n")


def _recorded(bed: taps.Bed, act: Callable[[taps.Guest], None]) -> list[str]:
    guest = bed.guest(1)
    bed.bind(
        Binding(
            interface=guest.tap,
            instance="recorded",
            mac=guest.mac,
            link="br0",
            hostname="web1",
            domain="example.org",
            lease=120,
            ipv4=Ipv4(
                address=ipaddress.IPv4Address("192.0.2.10"),
                subnet=ipaddress.IPv4Network("192.0.2.0/24"),
                gateway=ipaddress.IPv4Address("192.0.2.1"),
            ),
            ipv6=Ipv6(
                subnet=ipaddress.IPv6Network("2001:db8::/64"),
                mode=Ipv6Mode.STATEFUL,
                address=ipaddress.IPv6Address("2001:db8::10"),
                gateway=ipaddress.IPv6Address("fe80::1"),
            ),
        )
    )
    path = guest.folder / "pcap"
    recorder = guest.popen(
        "tcpdump", "-i", "eth0", "-Q", "out", "--immediate-mode", "-U", "-Z", "root", "-w", str(path), "ip or ip6"
    )
    process.wait_until(path.exists, what=f"no recording: {guest.log}", timeout=taps.PATIENCE)
    guest.wait_for_log("listening on")
    act(guest)
    recorder.terminate()
    recorder.wait(taps.PATIENCE)
    kinds: dict[str, str] = {}
    for packet in _packets(path.read_bytes()):
        kind = _kind(packet)
        if kind is not None:
            kinds.setdefault(kind, f"{kind} {_finished_by_nic(packet).hex()}\n")
    return list(kinds.values())


def _packets(pcap: bytes) -> Iterator[bytes]:
    at = 24
    while at + 16 <= len(pcap):
        _seconds, _micros, length, _whole = struct.unpack_from("=IIII", pcap, at)
        yield pcap[at + 16 + 14 : at + 16 + length]
        at += 16 + length


def _kind(data: bytes) -> str | None:
    """Name a packet: its queue, and what it says."""
    packet = frames.parse_ip(data)
    if packet.protocol == frames.ICMPV6:
        unspecified = packet.source == frames.UNSPECIFIED_IPV6
        names = {133: "rs solicitation", 135: "ns probe" if unspecified else "ns solicitation"}
        return names.get(packet.payload[0])
    if packet.protocol != frames.UDP:
        return None
    port, payload = int.from_bytes(packet.payload[2:4], "big"), packet.payload[8:]
    if port == dhcp4.SERVER_PORT:
        message = dhcp4.parse(payload)
        state = "".join(
            f"-{word}"
            for word, there in (
                ("named", dhcp4.Option.REQUESTED_ADDRESS in message.options),
                ("chosen", dhcp4.Option.SERVER_ID in message.options),
                ("bound", any(message.client)),
            )
            if there
        )
        return f"dhcp4 {message.kind.name.lower()}{state}"
    if port == dhcp6.SERVER_PORT:
        return f"dhcp6 {dhcp6.parse(payload).kind.name.lower()}"
    return None


def _finished_by_nic(data: bytes) -> bytes:
    """Put in the UDP checksum that the kernel leaves to the NIC."""
    packet = frames.parse_ip(data)
    if packet.protocol != frames.UDP:
        return data
    at = len(data) - len(packet.payload)
    blank = packet.payload[:6] + b"\0\0" + packet.payload[8:]
    checksum = frames.transport_checksum(packet, blank)
    return data[: at + 6] + checksum.to_bytes(2, "big") + data[at + 8 :]


def _finished(guest: taps.Guest, *command: str) -> None:
    started = guest.popen(*command)
    try:
        started.wait(taps.PATIENCE)
    except subprocess.TimeoutExpired:
        sys.exit(f"{' '.join(command)}: {guest.log}")


def _script(guest: taps.Guest) -> str:
    script = guest.folder / "script"
    script.write_text(
        "#!/bin/sh\n"
        '[ -z "$new_ip_address" ] || ip -4 address replace "$new_ip_address/24" dev eth0\n'
        '[ -z "$new_ip6_address" ] || ip -6 address replace "$new_ip6_address/128" dev eth0\n'
    )
    script.chmod(0o755)
    return str(script)


def _udhcpc(guest: taps.Guest) -> None:
    client = guest.popen("busybox", "udhcpc", "-f", "-i", "eth0", "-s", _script(guest))
    guest.wait_for_log("obtained")
    client.send_signal(10)
    guest.wait_for_log("obtained", 2)
    client.send_signal(12)
    guest.wait_for_log("entering released state")
    client.terminate()


def _dhclient(guest: taps.Guest) -> None:
    files = ["-lf", str(guest.folder / "leases"), "-pf", str(guest.folder / "pid"), "-sf", _script(guest)]
    _finished(guest, "dhclient", "-4", "-1", "-v", *files, "eth0")
    guest.run("pkill", "--pidfile", str(guest.folder / "pid"))
    _finished(guest, "dhclient", "-4", "-1", "-v", *files, "eth0")
    guest.run("ip", "route", "add", "default", "via", "192.0.2.1")
    guest.run("ip", "neighbour", "replace", "192.0.2.1", "lladdr", "02:00:00:00:00:01", "dev", "eth0")
    _finished(guest, "dhclient", "-4", "-r", "-v", *files, "eth0")


def _dhclient6(guest: taps.Guest) -> None:
    _settled(guest)
    files = ["-lf", str(guest.folder / "leases"), "-pf", str(guest.folder / "pid"), "-sf", _script(guest)]
    _finished(guest, "dhclient", "-6", "-1", "-v", *files, "eth0")
    guest.run("pkill", "--pidfile", str(guest.folder / "pid"))
    _finished(guest, "dhclient", "-6", "-1", "-v", *files, "eth0")
    _finished(guest, "dhclient", "-6", "-r", "-v", *files, "eth0")
    _finished(guest, "dhclient", "-6", "-S", "-1", "-v", *files, "eth0")


def _dhcpcd(guest: taps.Guest) -> None:
    # its leases of other runs are out of sight
    client = guest.popen(
        "sh", "-c", "mount -t tmpfs none /var/lib/dhcpcd && exec dhcpcd -B -d -f /dev/null -c /bin/true eth0"
    )
    guest.wait_for_log("leased 192.0.2.10")
    guest.wait_for_log("REPLY6 received")
    client.terminate()
    client.wait(taps.PATIENCE)


def _kernel(guest: taps.Guest) -> None:
    guest.run("ip", "link", "set", "eth0", "down")
    guest.run("ip", "link", "set", "eth0", "up")
    _settled(guest)


def _settled(guest: taps.Guest) -> None:
    """Wait until the link-local address may be used."""
    process.wait_until(
        lambda: (
            "scope link" in (shown := guest.run("ip", "-6", "address", "show", "eth0")) and "tentative" not in shown
        ),
        what="no link-local address",
        timeout=taps.PATIENCE,
    )


_CLIENTS: dict[str, Callable[[taps.Guest], None]] = {
    "udhcpc": _udhcpc,
    "dhclient": _dhclient,
    "dhclient6": _dhclient6,
    "dhcpcd": _dhcpcd,
    "kernel": _kernel,
}

if __name__ == "__main__":
    main()
