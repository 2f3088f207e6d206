"""Routed NICs: the node is the router of each guest, and answers for it on the networks that it is reached by.

Ganeti's network script has it done for NICs of mode routed, whose link names a routing table. Ganeti's own setup_route
knows one address, and IPv4's rules alone; and nothing tells what it left from what the operator made. So for a NIC of
ours this does it instead:

- what comes by the tap is routed by the table, and a route in the table leads to each of the guest's addresses;
- the node answers the guest's ARP for whatever lies elsewhere (neighbour solicitations for the gateway are nfdhcpd's);
- where the table's default routes leave, the node answers ARP and neighbour solicitations for the guest's addresses,
  and says so once, for those who remember another node.

Everything is marked by its protocol number, so that `sweep` finds what is left of guests that have gone: the kernel
drops routes with their device, but neither rules nor proxies. A guest that arrives by live migration has its NIC set up
after it has arrived (Ganeti's KVMHypervisor.FinalizeMigration): while it runs elsewhere this node does not answer for
it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any  # JSON, as ip(8) prints it

from ganeti_hooks import iproute
from ganeti_hooks.nic import Nic
from ganeti_hooks.refused import Refused

#: what ours are marked with, beside those of /etc/iproute2/rt_protos
PROTOCOL = "83"

_TABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SETTINGS = Path("/proc/sys/net")
_VERSIONS = (4, 6)
_ALL = b"\xff" * 6
_ALL_NODES = "ff02::1"


def connect(nic: Nic) -> None:
    """Route a guest's addresses to its tap, and what it sends by its table; again and again. Raises Refused."""
    table = nic.link or "main"
    if not _TABLE.fullmatch(table):
        raise Refused(f"LINK={table!r} names no routing table")
    if not (nic.addresses(4) or nic.addresses(6)):
        raise Refused("a routed NIC has an address, and this has none")
    set_mtu(nic)
    for version in _VERSIONS:
        _take_away(nic.tap, version)
        addresses = nic.addresses(version)
        if addresses:
            _route(nic.tap, version, addresses, table)
    sweep()


def set_mtu(nic: Nic) -> None:
    """Have a tap, which is up then, take packets as long as its network's are; raises Refused."""
    iproute.run("link", "set", "dev", nic.tap, "mtu", nic.first("mtu") or "1500", "up")


def sweep() -> None:
    """Forget rules and proxies of guests that are not here any more."""
    for version in _VERSIONS:
        here = {each["dst"] for each in iproute.shown(version, "route", "show", "table", "all", "proto", PROTOCOL)}
        for proxy in _proxies(version):
            if proxy["dst"] not in here:
                iproute.run(f"-{version}", "neigh", "del", "proxy", proxy["dst"], "dev", proxy["dev"], check=False)
        for rule in _rules(version):
            if not Path("/sys/class/net", rule["iif"]).exists():
                _forget_rule(version, rule)


def forget(tap: str) -> None:
    """Take away what leads to a tap that is another's now."""
    for version in _VERSIONS:
        _take_away(tap, version)
    sweep()


def _route(tap: str, version: int, addresses: Sequence[str], table: str) -> None:
    uplinks = _uplinks(version, table)
    _be_router(tap, version, uplinks)
    iproute.run(f"-{version}", "rule", "add", "iif", tap, "table", table, "protocol", PROTOCOL)
    for address in addresses:
        iproute.run(f"-{version}", "route", "replace", address, "dev", tap, "table", table, "proto", PROTOCOL)
        for uplink in uplinks:
            iproute.run(f"-{version}", "neigh", "replace", "proxy", address, "dev", uplink, "protocol", PROTOCOL)
            announce(uplink, address)


def _be_router(tap: str, version: int, uplinks: Sequence[str]) -> None:
    """Have the node forward what comes by the tap; raises Refused if it would not bring the answers."""
    if version == 4:
        conf = _SETTINGS / "ipv4" / "conf"
        for uplink in uplinks:
            if (conf / uplink / "forwarding").read_text().strip() != "1":
                raise Refused(f"IPv4 that comes by {uplink} is not forwarded: sysctl net.ipv4.ip_forward=1")
        (conf / tap / "forwarding").write_text("1")
        (conf / tap / "proxy_arp").write_text("1")
        # it answers at once: no other node could
        (_SETTINGS / "ipv4" / "neigh" / tap / "proxy_delay").write_text("0")
        return
    conf = _SETTINGS / "ipv6" / "conf"
    if (conf / "all" / "forwarding").read_text().strip() != "1":
        raise Refused("IPv6 is not forwarded: sysctl net.ipv6.conf.all.forwarding=1")
    (conf / tap / "forwarding").write_text("1")
    for uplink in uplinks:
        (conf / uplink / "proxy_ndp").write_text("1")


def _uplinks(version: int, table: str) -> list[str]:
    """Give the interfaces by which a table's default routes leave."""
    found: dict[str, None] = {}
    for route in iproute.shown(version, "route", "show", "table", table, "default"):
        for hop in route.get("nexthops", [route]):
            if "dev" in hop:
                found[hop["dev"]] = None
    return list(found)


def _take_away(tap: str, version: int) -> None:
    # with nothing to flush it may fail, as it does without any table
    iproute.run(f"-{version}", "route", "flush", "table", "all", "dev", tap, "proto", PROTOCOL, check=False)
    for rule in _rules(version):
        if rule["iif"] == tap:
            _forget_rule(version, rule)


def _rules(version: int) -> list[dict[str, Any]]:
    found = iproute.shown(version, "rule", "show")
    return [rule for rule in found if rule.get("protocol") == PROTOCOL and "iif" in rule]


def _forget_rule(version: int, rule: dict[str, Any]) -> None:
    which = ["pref", str(rule["priority"]), "iif", rule["iif"], "table", str(rule["table"])]
    iproute.run(f"-{version}", "rule", "del", *which, check=False)


def _proxies(version: int) -> list[dict[str, Any]]:
    return [each for each in iproute.shown(version, "neigh", "show", "proxy") if each.get("protocol") == PROTOCOL]


def announce(uplink: str, address: str) -> None:
    """Tell those who share a link that an address is reached by this node from now on."""
    device = Path("/sys/class/net", uplink)
    if (device / "type").read_text().strip() != "1":
        # no Ethernet: there are no MACs to remember
        return
    mac = bytes.fromhex((device / "address").read_text().strip().replace(":", ""))
    ip = ipaddress.ip_address(address)
    frame = _arp(mac, ip.packed) if ip.version == 4 else _advertisement(uplink, mac, ip.packed)
    if frame is None:
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((uplink, 0))
        sender.send(frame)


def _arp(mac: bytes, ip: bytes) -> bytes:
    """Give an announcement (RFC 5227, 2.3)."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + ip + bytes(6) + ip
    return _ALL + mac + struct.pack("!H", 0x0806) + body


def _advertisement(uplink: str, mac: bytes, ip: bytes) -> bytes | None:
    """Give an unsolicited neighbour advertisement (RFC 4861, 7.2.6); None where no address is there to send from."""
    own = iproute.shown(6, "address", "show", "dev", uplink, "scope", "link")
    local = [info["local"] for each in own for info in each.get("addr_info", ())]
    if not local:
        return None
    source, group = (ipaddress.IPv6Address(each).packed for each in (local[0], _ALL_NODES))
    router, override = 1 << 31, 1 << 29
    message = struct.pack("!I", router | override) + ip + struct.pack("!BB", 2, 1) + mac
    length = 4 + len(message)
    pseudo = source + group + struct.pack("!II", length, 58)
    checksum = _checksum(pseudo + struct.pack("!BBH", 136, 0, 0) + message)
    packet = struct.pack("!IHBB", 6 << 28, length, 58, 255) + source + group
    packet += struct.pack("!BBH", 136, 0, checksum) + message
    return b"\x33\x33" + group[-4:] + mac + struct.pack("!H", 0x86DD) + packet


def _checksum(data: bytes) -> int:
    """RFC 1071, of an even number of octets."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
