"""What the bridges of this node let through to 169.254.169.254 and from it: rules for nft, made anew with each change.

- To a LAN's port come only packets of a guest of it on this node, known by tap, MAC and address together: who asks from
  a guest's address is that guest. All else that comes there is dropped, so nobody else is even heard.
- From there they go to those taps alone: not by the uplink, where another node answers at the same address.
- What is for 169.254.169.254 goes nowhere else, and what says it comes from there and does not is dropped.
- A guest that has no route of its own for it sends to its router: its packets are brought to the port all the same.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Collection, Iterable

from common import names
from metadatad.guests import Guest, Lan

ADDRESS = "169.254.169.254"

_TIMEOUT = 20.0
_TABLE = "bridge syros_metadata"
_CLEAR = f"table {_TABLE}\ndelete table {_TABLE}\n"


class Unloaded(Exception):
    """nft has not taken the rules; the text says why."""


def port_of(lan: Lan) -> str:
    """Give the name of the port that a LAN has in its bridge: any bridge's name fits, and none is another's."""
    return "smd" + hashlib.sha256(f"{lan.bridge} {lan.prefix}".encode()).hexdigest()[:12]


def mac_of(lan: Lan) -> str:
    """Give the service's MAC, below the LAN's prefix, since others are not heard there.

    It is the same on every node, so that a guest which migrates has it already.
    """
    return lan.prefix + names.METADATA_MAC_END


def load(guests: Collection[Guest]) -> None:
    """Have the kernel take these rules in place of those before, all at once. Raises Unloaded."""
    _nft(text(guests))


def clear() -> None:
    """Leave no rule behind. Raises Unloaded."""
    _nft(_CLEAR)


def text(guests: Collection[Guest]) -> str:
    """Give the rules."""
    known = {guest: f'"{guest.tap}" . {guest.mac} . {guest.address}' for guest in guests}
    ports = {guest: f'"{port_of(guest.lan)}"' for guest in guests}
    return f"""{_CLEAR}table {_TABLE} {{
	set ports {{ type ifname; {_elements(ports.values())}}}
	set guests {{ type ifname . ifname . ether_addr . ipv4_addr; {
        _elements(f"{ports[guest]} . {name}" for guest, name in known.items())
    }}}
	set taps {{ type ifname . ifname; {_elements(f'{ports[guest]} . "{guest.tap}"' for guest in guests)}}}
	map services {{ type ifname . ether_addr . ipv4_addr : ether_addr; {
        _elements(f"{name} : {mac_of(guest.lan)}" for guest, name in known.items())
    }}}
	chain from_anybody {{
		type filter hook prerouting priority filter; policy accept;
		iifname @ports accept
		arp saddr ip {ADDRESS} drop
		ip saddr {ADDRESS} drop
		ip daddr {ADDRESS} tcp dport 80 ether daddr set iifname . ether saddr . ip saddr map @services
	}}
	chain between_ports {{
		type filter hook forward priority filter; policy accept;
		oifname @ports goto to_service
		iifname . oifname @taps accept
		iifname @ports drop
		arp daddr ip {ADDRESS} drop
		ip daddr {ADDRESS} drop
	}}
	chain to_service {{
		oifname . iifname . ether saddr . ip saddr @guests ip daddr {ADDRESS} tcp dport 80 accept
		oifname . iifname . arp saddr ether . arp saddr ip @guests arp daddr ip {ADDRESS} accept
		drop
	}}
}}
"""


def _elements(items: Iterable[str]) -> str:
    found = sorted(set(items))
    return f"elements = {{ {', '.join(found)} }}; " if found else ""


def _nft(rules: str) -> None:
    try:
        done = subprocess.run(
            ["nft", "-f", "-"], input=rules, text=True, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.SubprocessError) as err:
        raise Unloaded(f"nft: {err}") from err
    if done.returncode:
        raise Unloaded(f"nft: {done.stderr.strip()}")
