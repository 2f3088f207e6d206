"""The node's networks: bridges that guests are connected to, and the kernel's settings of networks."""

from __future__ import annotations

import json
from collections.abc import Collection

from manage import finding
from manage.finding import Finding
from manage.node.host import Host
from manage.node.settings import NodeSettings

_SYSCTL = "/proc/sys/net"
_KEEP = "and in a file of /etc/sysctl.d, for the next boot"
_IFF_UP = 0x1
#: /proc/net/ipv6_route: as many zeroes as the destination of a default route has
_ANY6 = "0" * 32


def check(host: Host, settings: NodeSettings, *, bridges: Collection[str], routed: bool) -> list[Finding]:
    """Look at the bridges that are named, those that guests of this node have, and the settings that go with them.

    `routed`: whether networks of this kind are used here, as far as is known; guests of this node tell, too.
    """
    links, taps_routed = _in_use(host, settings)
    routed = routed or taps_routed
    return [
        *_bridges(host, sorted({*bridges, *links})),
        *_forwarding(host, routed=routed),
        *_reverse_path(host, routed=routed),
        *_proxies(host),
        *_advertisements(host),
        *_bridge_calls(host),
    ]


def _in_use(host: Host, settings: NodeSettings) -> tuple[set[str], bool]:
    """Give the bridges that nfdhcpd's bindings name, and whether a guest here is routed."""
    links: set[str] = set()
    routed = False
    folder = host.path(settings.bindings_dir)
    for file in folder.glob("[!.]*") if folder.is_dir() else ():
        try:
            binding = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(binding, dict):
            continue
        routed = routed or binding.get("mode") == "routed"
        if binding.get("mode") == "bridged" and binding.get("link"):
            links.add(str(binding["link"]))
    return links, routed


def _bridges(host: Host, names: list[str]) -> list[Finding]:
    if not names:
        remedy = "name those of the cloud's networks (`syros-manage network list`), as in --bridge br0"
        return [finding.doubtful("bridges", "nothing on this node names any", remedy)]
    found = [_bridge(host, name) for name in names]
    return [each for each in found if each is not None] or [finding.well("bridges", f"{finding.some(names)}: up")]


def _bridge(host: Host, name: str) -> Finding | None:
    device = host.path(f"/sys/class/net/{name}") if "/" not in name else None
    if device is None or not device.exists():
        remedy = (
            f"make it in /etc/network/interfaces: `iface {name} inet manual`, `bridge_ports eth1`; then `ifup {name}`"
        )
        return finding.wrong("bridges", f"{name} is not there: guests of its network do not start here", remedy)
    if not (device / "bridge").exists():
        text = f"{name} is no bridge of the kernel's"
        return finding.doubtful("bridges", text, "networks of mode bridged want one")
    flags = (host.read(f"/sys/class/net/{name}/flags") or "0").strip()
    if not int(flags, 16) & _IFF_UP:
        return finding.wrong("bridges", f"{name} is down", f"`ip link set {name} up`, and `auto {name}` in interfaces")
    return None


def _forwarding(host: Host, *, routed: bool) -> list[Finding]:
    keys = {"net.ipv4.ip_forward": "ipv4/ip_forward", "net.ipv6.conf.all.forwarding": "ipv6/conf/all/forwarding"}
    off = [key for key, path in keys.items() if host.number(f"{_SYSCTL}/{path}") != 1]
    if not off:
        return [finding.well("forwarding", "IPv4 and IPv6")]
    if not routed:
        return [finding.well("forwarding", f"{', '.join(off)} off; only routed networks need it")]
    remedy = "; ".join(f"`sysctl -w {key}=1`" for key in off) + f", {_KEEP}"
    return [finding.wrong("forwarding", f"{', '.join(off)} off: guests of routed networks do not start", remedy)]


def _reverse_path(host: Host, *, routed: bool) -> list[Finding]:
    """Tell of strict filters: they look the way back up in the table `main`, where routed guests need not be."""
    folder = host.path(f"{_SYSCTL}/ipv4/conf")
    common = host.number(f"{_SYSCTL}/ipv4/conf/all/rp_filter") or 0
    names = ["all", "default", *_uplinks(host), *(each.name for each in folder.glob("tap*"))]
    # the higher of the two counts (ip-sysctl, rp_filter)
    strict = [name for name in names if max(common, host.number(f"{_SYSCTL}/ipv4/conf/{name}/rp_filter") or 0) == 1]
    if strict and routed:
        text = f"strict for {finding.some(strict)}: drops what routed guests send, unless their table is `main`"
        remedy = f"`sysctl -w net.ipv4.conf.all.rp_filter=2`, {_KEEP}: loose does"
        return [finding.doubtful("rp_filter", text, remedy)]
    return [finding.well("rp_filter", "strict; only routed networks mind it" if strict else "not strict")]


def _proxies(host: Host) -> list[Finding]:
    """Tell of interfaces that answer ARP for everybody: guests would take the node for each other."""
    folder = host.path(f"{_SYSCTL}/ipv4/conf")
    names = sorted(each.name for each in folder.glob("*")) if folder.is_dir() else []
    loud = [
        name
        for name in names
        if not name.startswith("tap") and host.number(f"{_SYSCTL}/ipv4/conf/{name}/proxy_arp") == 1
    ]
    if not loud:
        return [finding.well("proxy_arp", "off, but for routed guests' taps, which the network script sees to")]
    text = f"on for {finding.some(loud)}: the node answers for addresses that are others'"
    remedy = "; ".join(f"`sysctl -w net.ipv4.conf.{name}.proxy_arp=0`" for name in loud[:3]) + f", {_KEEP}"
    return [finding.doubtful("proxy_arp", text, remedy)]


def _advertisements(host: Host) -> list[Finding]:
    """Tell of uplinks that no longer hear their router, since the node is one itself (ip-sysctl, accept_ra)."""
    if host.number(f"{_SYSCTL}/ipv6/conf/all/forwarding") != 1:
        return []
    deaf = [name for name in _uplinks(host) if host.number(f"{_SYSCTL}/ipv6/conf/{name}/accept_ra") == 1]
    if not deaf:
        return []
    text = f"{', '.join(deaf)} with accept_ra=1: a node that forwards IPv6 passes over router advertisements there"
    remedy = f"`sysctl -w net.ipv6.conf.{deaf[0]}.accept_ra=2` if its default route comes by them, {_KEEP}"
    return [finding.doubtful("accept_ra", text, remedy)]


def _bridge_calls(host: Host) -> list[Finding]:
    """Tell of bridges whose guests' packets all go by the node's own iptables."""
    keys = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables")
    on = [key for key in keys if host.number(f"{_SYSCTL}/bridge/{key}") == 1]
    if not on:
        return [finding.well("bridge-nf-call", "off; the network script sets it for the bridges that need it")]
    text = f"{', '.join(on)} on: what crosses any bridge is judged by the node's own iptables, too"
    remedy = "; ".join(f"`sysctl -w net.bridge.{key}=0`" for key in on) + f", {_KEEP}"
    return [finding.doubtful("bridge-nf-call", text, remedy)]


def _uplinks(host: Host) -> list[str]:
    """Give the interfaces that default routes of the table `main` leave by."""
    found: dict[str, None] = {}
    for line in (host.read("/proc/net/route") or "").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == "00000000" and fields[7] == "00000000":
            found[fields[0]] = None
    for line in (host.read("/proc/net/ipv6_route") or "").splitlines():
        fields = line.split()
        if len(fields) == 10 and fields[0] == _ANY6 and fields[1] == "00" and fields[9] != "lo":
            found[fields[9]] = None
    return list(found)
