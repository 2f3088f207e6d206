"""What the bridges of this node let through to 169.254.169.254 and from it: rules for nft, made anew with each change.

- To a link's port come only packets of a guest of this node, known by tap, MAC and address together: who asks from a
  guest's address is that guest. All else that comes there is dropped, so nobody else is even heard.
- From there they go to those taps alone: not by the uplink, where another node answers at the same address.
- What is for 169.254.169.254 goes nowhere else, and what says it comes from there and does not is dropped.
- A guest that has no route of its own for it sends to its router: its packets are brought to the port all the same.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection

from metadatad.guests import Guest

ADDRESS = "169.254.169.254"
#: the same for every link and on every node, so that a guest which migrates need not ask for it anew
MAC = "06:73:79:a9:fe:fe"

_TIMEOUT = 20.0
_TABLE = "bridge syros_metadata"
_CLEAR = f"table {_TABLE}\ndelete table {_TABLE}\n"


class Unloaded(Exception):
    """nft has not taken the rules; the text says why."""


def load(guests: Collection[Guest], ports: Collection[str]) -> None:
    """Have the kernel take these rules in place of those before, all at once. Raises Unloaded."""
    _nft(text(guests, ports))


def clear() -> None:
    """Leave no rule behind. Raises Unloaded."""
    _nft(_CLEAR)


def text(guests: Collection[Guest], ports: Collection[str]) -> str:
    """Give the rules; `ports` are the interfaces that lead to the service."""
    known = sorted(f'"{guest.tap}" . {guest.mac} . {guest.address}' for guest in guests)
    taps = sorted({f'"{guest.tap}"' for guest in guests})
    return f"""{_CLEAR}table {_TABLE} {{
	set ports {{ type ifname; {_elements([f'"{port}"' for port in sorted(ports)])}}}
	set taps {{ type ifname; {_elements(taps)}}}
	set guests {{ type ifname . ether_addr . ipv4_addr; {_elements(known)}}}
	chain from_anybody {{
		type filter hook prerouting priority filter; policy accept;
		iifname @ports accept
		arp saddr ip {ADDRESS} drop
		ip saddr {ADDRESS} drop
		iifname . ether saddr . ip saddr @guests ip daddr {ADDRESS} tcp dport 80 ether daddr set {MAC}
	}}
	chain between_ports {{
		type filter hook forward priority filter; policy accept;
		oifname @ports goto to_service
		iifname @ports oifname != @taps drop
		iifname @ports accept
		arp daddr ip {ADDRESS} drop
		ip daddr {ADDRESS} drop
	}}
	chain to_service {{
		iifname . ether saddr . ip saddr @guests ip daddr {ADDRESS} tcp dport 80 accept
		iifname . arp saddr ether . arp saddr ip @guests arp daddr ip {ADDRESS} accept
		drop
	}}
}}
"""


def _elements(items: list[str]) -> str:
    return f"elements = {{ {', '.join(items)} }}; " if items else ""


def _nft(rules: str) -> None:
    try:
        done = subprocess.run(
            ["nft", "-f", "-"], input=rules, text=True, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.SubprocessError) as err:
        raise Unloaded(f"nft: {err}") from err
    if done.returncode:
        raise Unloaded(f"nft: {done.stderr.strip()}")
