"""Loads nfdhcpd's packaged ruleset into this network namespace: `python -m lab.queue_rules`.

Some kernels have NFQUEUE but not nftables' own statement for it (CONFIG_NFT_QUEUE). There the rules go to chains whose
one rule is the target NFQUEUE of xtables, which does the same; nft can't write it, so it goes by netlink. The family
`bridge` knows no such targets: what its rules would queue comes to those of `inet`, by the bridge's name, since
br_netfilter hands it over; the bridges of test beds and of the lab are named br* and prv*.
"""

import re
import socket
import struct
import subprocess
import sys
from pathlib import Path

import nfdhcpd

RULES = Path(nfdhcpd.__file__).parent / "rules.nft"
_STATEMENT = re.compile(r"queue num (\d+) bypass")
_BYPASS = 1
_INET = 1
_TABLE = "syros_dhcp"
_LOADED_NOT = "Could not process rule: No such file or directory"


def load() -> str:
    """Load the rules; tell how."""
    text = RULES.read_text()
    native = _nft(text)
    if native.returncode == 0:
        return "queue statement"
    if _LOADED_NOT not in native.stderr:
        raise RuntimeError(native.stderr)
    numbers = sorted({int(number) for number in _STATEMENT.findall(text)})
    chains = "".join(f"\tchain queue_{number} {{\n\t}}\n\n" for number in numbers)
    text = re.sub(rf".*ether type ip.* {_STATEMENT.pattern}\n", "", text)
    text = text.replace('iifname "tap*" meta', 'iifname { "tap*", "br*", "prv*" } meta')
    text = text.replace('iifname "tap*" icmpv6', 'iifname { "tap*", "br*", "prv*" } icmpv6')
    text = _STATEMENT.sub(r"goto queue_\1", text)
    text = text.replace(f"table inet {_TABLE} {{\n", f"table inet {_TABLE} {{\n{chains}")
    jumping = _nft(text)
    if jumping.returncode:
        raise RuntimeError(jumping.stderr)
    for number in numbers:
        _add_target(f"queue_{number}", number)
    for family in ("iptables", "ip6tables"):
        Path(f"/proc/sys/net/bridge/bridge-nf-call-{family}").write_text("1")
    return "xtables target"


def _nft(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nft", "-f", "-"], check=False, input=text, text=True, capture_output=True, timeout=30)


def _add_target(chain: str, number: int) -> None:
    """Add a rule of the one expression that nft does not know (nf_tables.h, nf_tables_compat.h, xt_NFQUEUE.h)."""
    info = struct.pack("=HHH", number, 1, _BYPASS)
    target = (
        _attribute(1, b"NFQUEUE\0") + _attribute(2, struct.pack("!I", 3)) + _attribute(3, info + bytes(-len(info) % 8))
    )
    expression = _attribute(1, b"target\0") + _nested(2, target)
    rule = (
        _attribute(1, _TABLE.encode() + b"\0")
        + _attribute(2, chain.encode() + b"\0")
        + _nested(4, _nested(1, expression))
    )
    nf_tables, new_rule, batch_begin, batch_end = 10 << 8, 6, 16, 17
    request, acknowledge, create, append = 1, 4, 0x400, 0x800
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        netlink.settimeout(10)
        netlink.bind((0, 0))
        netlink.send(
            _message(batch_begin, request, 0, 10, b"")
            + _message(nf_tables | new_rule, request | acknowledge | create | append, _INET, 0, rule)
            + _message(batch_end, request, 0, 10, b"")
        )
        answer = netlink.recv(65536)
    (code,) = struct.unpack_from("=i", answer, 16)
    if code:
        raise OSError(-code, f"the rule for queue {number}")


def _message(kind: int, flags: int, family: int, resource: int, body: bytes) -> bytes:
    return struct.pack("=IHHIIBBH", 20 + len(body), kind, flags, 0, 0, family, 0, socket.htons(resource)) + body


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | 0x8000, value)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


if __name__ == "__main__":
    sys.stdout.write(load() + "\n")
