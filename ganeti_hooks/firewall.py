"""The firewall of a guest's NIC: what its security groups let in and out, as nftables' rules.

They come as values of the NIC's tag `fw`, `<generation>:<rule>` each, and the highest generation counts. A rule is `on`
(what no other rule names is dropped), `off`, or `<i|e><4|6>:<protocol>:<ports>:<remotes>`: in or out; IPv4 or IPv6; a
name or number, or `*`; `first-last`, for ICMP `type-code`, `*` for any; addresses joined by `+`, or `*`.

Answers are let through by their connection's state. The bridge family of nftables knows none on many kernels, so that
br_netfilter has the IPv4 and IPv6 hooks look at bridged frames, and these leave one bit in the packet's mark. On a
bridge on which the node is no router, connections are tracked apart from all others: two projects' addresses may be the
same.
"""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganeti_hooks import iproute, nft
from ganeti_hooks.nic import Nic
from ganeti_hooks.refused import Refused

#: of a MAC, what a mac-filtered network's begin with
_PREFIX = "ff:ff:ff:00:00:00"
#: set in the mark of a packet that belongs to a connection which is there already
MARK = 0x20000000

_TIMEOUT = 20.0
_HOOKS = Path("/proc/sys/net/bridge")
_RULE = re.compile(
    r"(?P<way>[ie])(?P<version>[46]):(?P<protocol>[a-z0-9-]+|\*):(?P<ports>[0-9*]+-[0-9*]+|\*):(?P<far>.+)"
)
#: what IPv6 does not work without: RFC 4861, RFC 2710, RFC 3810
_NEIGHBOURS = "{ 130, 131, 132, 133, 134, 135, 136, 137, 143 }"
_WITH_PORTS = ("tcp", "udp", "udplite", "sctp", "dccp")
_ICMP = {"icmp": "icmp", "ipv6-icmp": "icmpv6"}

_STATE = f"""
add table inet {nft.TABLE}
add map inet {nft.TABLE} zones {{ type ifname : verdict; }}
add map inet {nft.TABLE} filtered_zones {{ type ether_addr : verdict; }}
add chain inet {nft.TABLE} zone {{ type filter hook prerouting priority -300; policy accept; }}
add chain inet {nft.TABLE} known {{ type filter hook prerouting priority -150; policy accept; }}
add chain inet {nft.TABLE} known_here {{ type filter hook output priority -150; policy accept; }}
flush chain inet {nft.TABLE} zone
flush chain inet {nft.TABLE} known
flush chain inet {nft.TABLE} known_here
add rule inet {nft.TABLE} zone ether saddr & {_PREFIX} vmap @filtered_zones
add rule inet {nft.TABLE} zone iifname vmap @zones
add rule inet {nft.TABLE} known ct state established,related meta mark set meta mark or {MARK}
add rule inet {nft.TABLE} known_here ct state established,related meta mark set meta mark or {MARK}
"""

_TABLE = f"""
add table {{family}} {nft.TABLE}
add map {{family}} {nft.TABLE} firewall_in {{{{ type ifname : verdict; }}}}
add map {{family}} {nft.TABLE} firewall_out {{{{ type ifname : verdict; }}}}
add chain {{family}} {nft.TABLE} to_guests {{{{ type filter hook postrouting priority 0; policy accept; }}}}
add chain {{family}} {nft.TABLE} of_guests {{{{ type filter hook prerouting priority 10; policy accept; }}}}
flush chain {{family}} {nft.TABLE} to_guests
flush chain {{family}} {nft.TABLE} of_guests
add rule {{family}} {nft.TABLE} to_guests oifname vmap @firewall_in
add rule {{family}} {nft.TABLE} of_guests iifname vmap @firewall_out
"""


@dataclass(frozen=True)
class Rule:
    """What is let through."""

    ingress: bool
    version: int
    #: a name that nft knows, or a number; None: any
    protocol: str | None
    #: ports, or ICMP's type and code; None: any
    first: int | None
    last: int | None
    #: prefixes of the other end; None: any
    far: tuple[str, ...] | None


def current(values: Iterable[str]) -> list[str] | None:
    """Give the rules of the highest generation; None where the NIC has no firewall. Raises Refused."""
    generations: dict[int, list[str]] = {}
    for value in values:
        number, _, rule = value.partition(":")
        if not number.isdecimal():
            raise Refused(f"fw:{value} is no rule of a firewall")
        generations.setdefault(int(number), []).append(rule)
    if not generations:
        return None
    newest = generations[max(generations)]
    return None if "off" in newest else sorted(rule for rule in newest if rule != "on")


def of(nic: Nic) -> list[str] | None:
    """Give the rules that a NIC's tags tell of, as `current` does."""
    return current(nic.facts.get("fw", ()))


def load(nic: Nic) -> None:
    """Give a NIC's tap the rules that its tags tell of and no others, at once; without a firewall all is let through.

    Raises Refused.
    """
    family, rules = nft.family(routed=nic.routed), of(nic)
    if rules is None:
        nft.load(_cleared(nic.tap, family))
        return
    found = [parsed(rule) for rule in rules]
    zone = ""
    if not nic.routed:
        _watch(nic.link)
        macs = nic.first("macs")
        zone = _zone(nic.link) + (_filtered_zone(macs) if macs is not None else "")
    nft.load(_STATE + zone + text(nic.tap, family, found))


def clear(tap: str) -> None:
    """Let everything through a tap, whatever it was."""
    nft.load("".join(_cleared(tap, family) for family in nft.FAMILIES))


def parsed(rule: str) -> Rule:
    """Read a rule; raises Refused for one that can't be meant."""
    found = _RULE.fullmatch(rule)
    if found is None:
        raise Refused(f"{rule!r} is no rule of a firewall")
    version = int(found["version"])
    far = None
    try:
        if found["far"] != "*":
            far = tuple(str(ipaddress.ip_network(each)) for each in found["far"].split("+"))
    except ValueError as err:
        raise Refused(f"{rule!r} is no rule of a firewall: {err}") from None
    if far and any(ipaddress.ip_network(each).version != version for each in far):
        raise Refused(f"{rule!r} is no rule of a firewall: an address of the other IP version")
    first, last = (_number(each) for each in found["ports"].split("-")) if found["ports"] != "*" else (None, None)
    protocol = None if found["protocol"] == "*" else found["protocol"]
    return Rule(found["way"] == "i", version, protocol, first, last, far)


def text(tap: str, family: str, rules: Sequence[Rule]) -> str:
    """Give a tap's two chains, made anew, and what leads to them, as nft reads it."""
    into, out = ([rule for rule in rules if rule.ingress is way] for way in (True, False))
    # the rest of a datagram has no ports: reassembled where the node routes, and known by its state where it bridges
    always = [f"meta mark and {MARK} == {MARK} accept", f"icmpv6 type {_NEIGHBOURS} accept"]
    if family == "bridge":
        always.insert(0, "ether type arp accept")
    answers = ["udp sport 67 udp dport 68 accept", "udp sport 547 udp dport 546 accept"]
    asks = ["udp sport 68 udp dport 67 accept", "udp sport 546 udp dport 547 accept"]
    lines = _TABLE.format(family=family)
    for kind, own, dhcp in (("in", into, answers), ("out", out, asks)):
        body = [*always, *dhcp, *map(_line, own), "counter drop"]
        lines += nft.led(family, f"firewall_{kind}", kind, tap, body)
    return lines


def forget_connections(nic: Nic) -> None:
    """Have a guest's connections judged anew by its rules: those that these do not allow any more end."""
    macs = nic.first("macs")
    numbers = [_filtered_number(macs)] if macs is not None else [] if nic.routed else _zones(nic.link)
    zone = [each for number in numbers for each in ("--zone", str(number))]
    for version in (4, 6):
        for address in nic.addresses(version):
            for end in ("--orig-src", "--orig-dst"):
                # it exits with 1 where there is none
                subprocess.run(
                    ["conntrack", "-D", "-f", f"ipv{version}", end, address, *zone],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_TIMEOUT,
                    check=False,
                )


def _line(rule: Rule) -> str:
    line = "meta protocol ip" if rule.version == 4 else "meta protocol ip6"
    if rule.far is not None:
        side = "saddr" if rule.ingress else "daddr"
        line += f" {'ip' if rule.version == 4 else 'ip6'} {side} {{ {', '.join(rule.far)} }}"
    if rule.protocol is not None:
        line += f" meta l4proto {rule.protocol}"
    if rule.first is not None and rule.protocol in _WITH_PORTS:
        line += f" {rule.protocol} dport {rule.first}-{rule.last if rule.last is not None else rule.first}"
    elif rule.first is not None and rule.protocol in _ICMP:
        family = _ICMP[rule.protocol]
        line += f" {family} type {rule.first}"
        if rule.last is not None:
            line += f" {family} code {rule.last}"
    elif rule.first is not None:
        raise Refused(f"{rule.protocol} has no ports")
    return f"{line} accept"


def _cleared(tap: str, family: str) -> str:
    gone = (nft.unled(family, f"firewall_{kind}", kind, tap) for kind in ("in", "out"))
    return _TABLE.format(family=family) + "".join(gone)


def _watch(link: str) -> None:
    """Have the kernel track the connections that cross a bridge, and leave the other bridges of the node alone."""
    if not _HOOKS.exists():
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, timeout=_TIMEOUT, check=False)
        if not _HOOKS.exists():
            raise Refused("this kernel has no br_netfilter, without which answers can't be told from questions")
        for name in ("arptables", "iptables", "ip6tables"):
            (_HOOKS / f"bridge-nf-call-{name}").write_text("0")
    own = ("nf_call_iptables", "1", "nf_call_ip6tables", "1")
    iproute.run("link", "set", "dev", link, "type", "bridge", *own)


def _zone(link: str) -> str:
    """Give what has a bridge's connections tracked apart, where nothing of them goes through the node's own routes."""
    return nft.led("inet", "zones", "zone", link, [f"ct zone set {number}" for number in _zones(link)])


def _filtered_zone(macs: str) -> str:
    """Give what has the connections of a mac-filtered network tracked apart from those of the others on its bridge."""
    name = nft.chain("filtered_zone", macs)
    where = f"inet {nft.TABLE} {name}"
    lines = f"add chain {where}\nflush chain {where}\nadd rule {where} ct zone set {_filtered_number(macs)}\n"
    return lines + f"add element inet {nft.TABLE} filtered_zones {{ {macs}:00:00:00 : jump {name} }}\n"


def _filtered_number(macs: str) -> int:
    # prefixes of one pool differ in the last fifteen bits
    return 0x8000 | int(macs.replace(":", ""), 16) & 0x7FFF


def _zones(link: str) -> list[int]:
    """Give the number under which a bridge's connections are tracked; none if the node may be a router on it."""
    shown = iproute.run("-json", "address", "show", "dev", link, "scope", "global").stdout
    if any(each.get("addr_info") for each in json.loads(shown or "[]")):
        return []
    index = int(Path(f"/sys/class/net/{link}/ifindex").read_text(encoding="ascii"))
    return [1 + (index - 1) % 0x7FFE]


def _number(word: str) -> int | None:
    return None if word == "*" else int(word)
