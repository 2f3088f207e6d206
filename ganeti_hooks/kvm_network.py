"""Ganeti's network script for KVM: run for each NIC when its guest starts, is migrated here, or is given the NIC.

It is installed as /etc/ganeti/kvm-vif-bridge, which Ganeti's own script runs in its own place, and it has functions of
that script connect the NIC; a routed one is connected by ganeti_hooks.routes. Before that, for an instance of ours, it

- has nftables drop what the guest sends in anybody else's name: MAC, ARP, IPv4, IPv6; and what only a router or a DHCP
  server says;
- has it keep networks apart that share a bridge: see ganeti_hooks.mac_filter;
- has it let through what the NIC's security groups allow: see ganeti_hooks.firewall;
- leaves nfdhcpd the NIC's binding, a file named by the tap, and a note for ganeti_hooks.firewall_hook.

What it knows comes from the environment (MAC, IP, LINK, MODE: Ganeti's kvm-ifup) and from the instance's tags. It may
run again at any time with the same result. Ganeti has no script for the end of a NIC: what a tap that is gone had goes
by a hook (ganeti_hooks.sweep_hook), or with the next tap of that name; until then its rules match nothing.

Standard library, nft, conntrack, iproute2 and Ganeti's net-common only.
"""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganeti_hooks import document, firewall, mac_filter, nft, notes, routes, spoofing, turns
from ganeti_hooks.nic import TAP, Nic, describe
from ganeti_hooks.refused import Refused

#: what Ganeti's kvm-ifup does where it finds no network script
OWN_SETUP = "source /usr/lib/ganeti/net-common; setup_bridge; setup_ovs; setup_route"
#: what the taps begin with by which Ganeti talks to guests
COMMUNICATION = "gnt.com"
_TIMEOUT = 20.0
_MTU = 1500
_ETHERNET = ("arp", "ip", "ip6")

#: what leads to the chains of taps; made anew each time, or it would be there twice
_TABLE = """
add table {family} syros_guests
add map {family} syros_guests from_guests {{ type ifname : verdict; }}
add chain {family} syros_guests prerouting {{ type filter hook prerouting priority -300; policy accept; }}
flush chain {family} syros_guests prerouting
add rule {family} syros_guests prerouting iifname vmap @from_guests
"""
#: the map that leads to a tap's chain, and what the chain's name begins with
_GUARD = ("from_guests", "nic")


@dataclass(frozen=True)
class Node:
    """What a node has set up for the script."""

    #: what the names of the clouds' instances begin with
    prefix: str = "syros-"
    #: where nfdhcpd looks
    bindings: Path = Path("/var/lib/nfdhcpd")
    #: what this node's NICs are: forgotten with them when the node goes down
    notes: Path = Path("/run/syros/nics")


def main(environ: Mapping[str, str], node: Node) -> int:
    """Set up the NIC that the environment describes; give the exit status."""
    try:
        with turns.taken(node.notes):
            _set_up(environ, node)
    except (Refused, OSError, subprocess.SubprocessError, ValueError) as err:
        sys.stderr.write(f"syros: {environ.get('INTERFACE', '?')} of {environ.get('INSTANCE', '?')}: {err}\n")
        return 1
    return 0


def sweep(node: Node) -> None:
    """Take away what guests that are not here any more have left: rules, bindings, notes, routes. Raises Refused."""
    with turns.taken(node.notes):
        for tap in sorted({*notes.gone(node.notes), *notes.gone(node.bindings)}):
            forget(tap, node)
        routes.sweep()


def is_ours(environ: Mapping[str, str], node: Node) -> bool:
    """Tell whether the NIC is one of a cloud's instance, and no other's that the cluster has."""
    if environ.get("INTERFACE", "").startswith(COMMUNICATION):
        return False
    return environ.get("INSTANCE", "").startswith(node.prefix)


def guard(nic: Nic) -> None:
    """Have the kernel drop what the guest has no right to send."""
    nft.load(rules(nic))


def protect(nic: Nic) -> None:
    """Have the kernel let through what the NIC's security groups allow, and no more."""
    firewall.load(nic)


def rules(nic: Nic) -> str:
    """Give the rules, as nft reads them: the tap's own chain, made anew, and what leads to it."""
    family = nft.family(routed=nic.routed)
    sources = spoofing.sources(nic)
    lines = [f"ether saddr != {spoofing.some(sources)} drop", *spoofing.ipv4(sources), *spoofing.ipv6(sources)]
    if family == "bridge":
        # nothing else is anybody's name; a frame with a VLAN's tag would leave by a trunk
        lines = [f"ether type != {{ {', '.join(_ETHERNET)} }} drop", *lines, *spoofing.arp(sources)]
    return _TABLE.format(family=family) + nft.led(family, *_GUARD, nic.tap, lines)


def forget(tap: str, node: Node) -> None:
    """Let go of what an instance of ours had at a tap that is another's now."""
    if not TAP.fullmatch(tap):
        return
    (node.bindings / tap).unlink(missing_ok=True)
    notes.forget(node.notes, tap)
    routes.forget(tap)
    if shutil.which("nft") is not None:
        nft.load("".join(_TABLE.format(family=family) + nft.unled(family, *_GUARD, tap) for family in nft.FAMILIES))
        firewall.clear(tap)
        mac_filter.load(tap, None)


def bind(nic: Nic, node: Node) -> None:
    """Leave nfdhcpd the binding, or take one back that the tap had, where there is nothing to tell."""
    found = binding(nic)
    if found is None:
        (node.bindings / nic.tap).unlink(missing_ok=True)
    else:
        document.write(node.bindings / nic.tap, found)


def binding(nic: Nic) -> dict[str, object] | None:
    """Give the binding's document; None if the guest is to be told nothing."""
    ipv4, ipv6 = _told(nic, 4), _told(nic, 6)
    if ipv4 is None and ipv6 is None:
        return None
    found: dict[str, object] = {
        "interface": nic.tap,
        "instance": nic.instance,
        "mac": nic.mac,
        "mode": "routed" if nic.routed else "bridged",
        "link": nic.link if nic.mode == "bridged" else "",
        "hostname": nic.hostname.partition(".")[0],
        "domain": nic.hostname.partition(".")[2],
        "mtu": int(nic.first("mtu") or _MTU),
    }
    if ipv4 is not None:
        routes = [route.partition("@") for route in nic.facts.get("route4", ())]
        ipv4["routes"] = [{"destination": destination, "via": via} for destination, _, via in routes]
        found["ipv4"] = ipv4
    if ipv6 is not None:
        mode = nic.first("mode6") or "dhcpv6-stateful"
        found["ipv6"] = {**ipv6, "mode": mode}
    return found


def connect(environ: Mapping[str, str]) -> None:
    """Have Ganeti's own functions connect the NIC."""
    if environ.get("INTERFACE", "").startswith(COMMUNICATION):
        return
    done = subprocess.run(
        ["bash", "-e", "-c", OWN_SETUP],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        timeout=_TIMEOUT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Refused(f"Ganeti's own set-up failed: {done.stderr.strip() or done.stdout.strip()}")


def _set_up(environ: Mapping[str, str], node: Node) -> None:
    if not is_ours(environ, node):
        forget(environ.get("INTERFACE", ""), node)
        connect(environ)
        return
    nic = describe(environ)
    guard(nic)
    mac_filter.load(nic.tap, None if nic.routed else nic.first("macs"))
    protect(nic)
    bind(nic, node)
    notes.write(node.notes, nic)
    if nic.routed:
        routes.connect(nic)
    else:
        connect(environ)


def _told(nic: Nic, version: int) -> dict[str, object] | None:
    own = nic.first(f"ip{version}")
    if own is None or nic.first(f"silent{version}"):
        return None
    interface = ipaddress.ip_interface(own)
    return {
        "address": str(interface.ip),
        "subnet": str(interface.network),
        "gateway": nic.first(f"gw{version}"),
        "nameservers": nic.facts.get(f"dns{version}", []),
    }
