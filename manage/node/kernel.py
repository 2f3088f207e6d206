"""What the kernel has to be able to: nftables with `queue`, taps, connections seen across bridges, KVM."""

from __future__ import annotations

import re

from manage import finding
from manage.finding import Finding
from manage.node.host import Host

_TABLE = """\
add table bridge syros_node_check
add chain bridge syros_node_check guests {{ type filter hook prerouting priority 0; policy accept; }}
add rule bridge syros_node_check guests {rule}
"""
_VERSION = re.compile(r"v(\d+(?:\.\d+)+)")
#: Debian 12's; what the rules are tried with
_TRIED = (1, 0, 6)


def check(host: Host, *, kvm: bool, vhost: bool) -> list[Finding]:
    """Look at all of it; `vhost`: guests are to have vhost-net, by the cluster's parameters."""
    found = [*_nft(host), *_queue(host), _tun(host), _bridge_netfilter(host)]
    if not kvm:
        return found
    if not host.path("/dev/kvm").exists():
        remedy = "turn virtualization on in the firmware, `modprobe kvm_intel` or `modprobe kvm_amd`"
        found.append(finding.doubtful("kvm", "/dev/kvm is not there: QEMU emulates, or does not start", remedy))
    else:
        found.append(finding.well("kvm", "/dev/kvm"))
    if vhost and not host.path("/dev/vhost-net").exists() and not _loadable(host, "vhost_net"):
        remedy = "`modprobe vhost_net`, or `gnt-cluster modify -H kvm:vhost_net=false`"
        found.append(finding.wrong("vhost_net", "the cluster's guests are to have it, and the kernel has not", remedy))
    return found


def _nft(host: Host) -> list[Finding]:
    done = host.run(["nft", "--version"], "")
    if done.code:
        return [finding.wrong("nftables", done.words, "`apt-get install nftables`")]
    text = done.out.strip()
    tried = host.run(["nft", "--check", "--file", "-"], _TABLE.format(rule="counter"))
    if tried.code:
        remedy = "`modprobe nf_tables`, `modprobe nf_tables_bridge`; the kernel needs NF_TABLES and NF_TABLES_BRIDGE"
        return [finding.wrong("nftables", f"the kernel takes no rules for bridges: {tried.words}", remedy)]
    version = _VERSION.search(text)
    if version is None or tuple(map(int, version[1].split("."))) < _TRIED:
        wanted = ".".join(map(str, _TRIED))
        return [finding.doubtful("nftables", f"{text} is older than what the rules are tried with", f"have {wanted}")]
    return [finding.well("nftables", text)]


def _queue(host: Host) -> list[Finding]:
    if not host.path("/proc/net/netfilter/nfnetlink_queue").exists() and not _loadable(host, "nfnetlink_queue"):
        remedy = "`modprobe nfnetlink_queue`; the kernel needs NETFILTER_NETLINK_QUEUE"
        return [finding.wrong("nfnetlink_queue", "the kernel has no queues: nfdhcpd hears nothing", remedy)]
    tried = host.run(["nft", "--check", "--file", "-"], _TABLE.format(rule="queue num 42 bypass"))
    if tried.code:
        remedy = "`modprobe nft_queue`; the kernel needs NFT_QUEUE, or iptables' NFQUEUE in place of rules.nft"
        return [finding.wrong("nft queue", f"nftables knows no `queue` here: {tried.words}", remedy)]
    return [finding.well("nft queue", "nfnetlink_queue, and nftables' `queue`")]


def _tun(host: Host) -> Finding:
    if host.path("/dev/net/tun").exists() or _loadable(host, "tun"):
        return finding.well("tun", "guests' taps can be made")
    return finding.wrong("tun", "/dev/net/tun is not there: no guest gets a NIC", "`modprobe tun`")


def _bridge_netfilter(host: Host) -> Finding:
    if host.path("/proc/sys/net/bridge").exists() or _loadable(host, "br_netfilter"):
        return finding.well("br_netfilter", "security groups can tell answers from questions")
    remedy = "`modprobe br_netfilter`; the kernel needs BRIDGE_NETFILTER"
    return finding.wrong("br_netfilter", "not in this kernel: guests with security groups do not start", remedy)


def _loadable(host: Host, module: str) -> bool:
    if host.path(f"/sys/module/{module}").exists():
        return True
    return host.run(["modprobe", "--dry-run", "--quiet", module], "").code == 0
