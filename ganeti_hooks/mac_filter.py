"""Keeps networks apart that share a bridge: each has a MAC prefix, and sees nothing of the others, not even broadcasts.

Ganeti's network script does it for taps whose tag `macs` names the prefix, with nftables' bridge family. What comes to
the tap has to come from a MAC below the prefix, whoever it is meant for: other guests' unicasts, broadcasts, ARP and
IPv6's multicasts are all judged by their sender. What the guest sends to a single MAC has to go below the prefix, too.
What it asks DHCP servers goes on, to whatever MAC, since nfdhcpd takes it off at the tap; its answers do not come by
the bridge.
"""

from __future__ import annotations

import re

from ganeti_hooks import nft
from ganeti_hooks.refused import Refused

_PREFIX = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){2}")
_MASK = "ff:ff:ff:00:00:00"

#: before the firewall's chains, and made anew each time, or what leads to the taps' would be there twice
_TABLE = f"""
add table bridge {nft.TABLE}
add map bridge {nft.TABLE} filtered_in {{ type ifname : verdict; }}
add map bridge {nft.TABLE} filtered_out {{ type ifname : verdict; }}
add chain bridge {nft.TABLE} to_filtered {{ type filter hook postrouting priority -10; policy accept; }}
add chain bridge {nft.TABLE} of_filtered {{ type filter hook prerouting priority -290; policy accept; }}
flush chain bridge {nft.TABLE} to_filtered
flush chain bridge {nft.TABLE} of_filtered
add rule bridge {nft.TABLE} to_filtered oifname vmap @filtered_in
add rule bridge {nft.TABLE} of_filtered iifname vmap @filtered_out
"""


def load(tap: str, prefix: str | None) -> None:
    """Keep a tap within a MAC prefix of three octets; None lets it see all of its bridge. Raises Refused."""
    nft.load(text(tap, prefix))


def text(tap: str, prefix: str | None) -> str:
    """Give the tap's two chains, made anew, and what leads to them, as nft reads it."""
    into, out = [], []
    if prefix is not None:
        if not _PREFIX.fullmatch(prefix):
            raise Refused(f"macs:{prefix} is no MAC prefix of three octets")
        whole = f"{prefix}:00:00:00"
        into = [f"ether saddr & {_MASK} != {whole} drop"]
        out = [
            # to a group, it goes to all, and they look where it comes from
            "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 accept",
            f"ether daddr & {_MASK} == {whole} accept",
            "meta protocol ip udp sport 68 udp dport 67 accept",
            "meta protocol ip6 udp sport 546 udp dport 547 accept",
            "drop",
        ]
    lines = _TABLE
    for kind, rules in (("filtered_in", into), ("filtered_out", out)):
        lines += nft.led("bridge", kind, kind, tap, rules) if rules else nft.unled("bridge", kind, kind, tap)
    return lines
