"""Ganeti on this node: which role it has, whether its daemons run, and what its configuration says of networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from manage import finding
from manage.finding import Finding
from manage.node.host import Host
from manage.node.settings import NodeSettings


class Role(StrEnum):
    """What the node is to its cluster."""

    NONE = "no node of a cluster"
    REGULAR = "regular"
    CANDIDATE = "master candidate"
    MASTER = "master"


_DAEMONS = {
    Role.NONE: (),
    Role.REGULAR: ("ganeti-noded",),
    Role.CANDIDATE: ("ganeti-noded", "ganeti-confd"),
    Role.MASTER: ("ganeti-noded", "ganeti-confd", "ganeti-wconfd", "ganeti-luxid", "ganeti-rapi"),
}


@dataclass(frozen=True)
class Membership:
    """What Ganeti's own files on this node say."""

    role: Role
    name: str = ""
    nodes: tuple[str, ...] = ()
    #: bridges that NICs are connected to, as far as a candidate's copy of the configuration tells
    bridges: frozenset[str] = frozenset()
    routed: bool = False
    hypervisors: tuple[str, ...] = ("kvm",)
    #: whether guests are to have it, by the cluster's parameters
    vhost: bool = False
    problem: Finding | None = field(default=None, compare=False)


def membership(host: Host, settings: NodeSettings) -> Membership:
    """Read which cluster's node this is; a regular node knows little of it."""
    master = _lines(host, settings, "master_node")
    if not master:
        detail = f"{settings.ganeti_dir}/ssconf_master_node is not there: this is no node of a cluster"
        remedy = "`gnt-cluster init` here, or `gnt-node add` on the master; or [eventd] ganeti_dir is another folder"
        return Membership(Role.NONE, problem=finding.wrong("ganeti", detail, remedy))
    nodes = _lines(host, settings, "node_list") or master
    own = settings.node_name or host.name()
    name = _known_as(own, nodes)
    if name is None:
        detail = f"this host is {own}, and the cluster's nodes are {finding.some(nodes)}"
        remedy = (
            "set [eventd] node_name to the node's name in Ganeti, and `ganeti_hooks.install --node-name` with the same"
        )
        return Membership(Role.REGULAR, nodes=nodes, problem=finding.wrong("ganeti", detail, remedy))
    role = Role.REGULAR
    if name in _lines(host, settings, "master_candidates"):
        role = Role.CANDIDATE
    if name == master[0]:
        role = Role.MASTER
    return _configured(host, settings, Membership(role, name=name, nodes=nodes))


def check(host: Host, here: Membership) -> list[Finding]:
    """Tell the role, and whether the daemons that go with it run."""
    if here.problem is not None:
        return [here.problem]
    found = [finding.well("ganeti", f"{here.name}: {here.role} of {len(here.nodes)} nodes")]
    daemons = _DAEMONS[here.role]
    down = [daemon for daemon in daemons if not host.runs(daemon)]
    if down:
        remedy = "`systemctl start ganeti.target`, or `service ganeti start`; /var/log/ganeti says why one ended"
        found.append(finding.wrong("ganeti daemons", f"{', '.join(down)} down", remedy))
    else:
        found.append(finding.well("ganeti daemons", f"{', '.join(daemons)} run"))
    return found


def _lines(host: Host, settings: NodeSettings, name: str) -> tuple[str, ...]:
    text = host.read(settings.ganeti_dir / f"ssconf_{name}") or ""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _known_as(own: str, nodes: tuple[str, ...]) -> str | None:
    """Give Ganeti's name of a host that may know only its first label."""
    if own in nodes:
        return own
    alike = [name for name in nodes if "." not in own and name.partition(".")[0] == own]
    return alike[0] if len(alike) == 1 else None


def _configured(host: Host, settings: NodeSettings, here: Membership) -> Membership:
    text = host.read(settings.ganeti_dir / "config.data")
    if text is None:
        return here
    try:
        document = json.loads(text)
    except ValueError:
        return here
    cluster = _mapping(document, "cluster")
    bridges: set[str] = set()
    routed = False
    for connected in _nic_parameters(document):
        mode, link = connected.get("mode"), connected.get("link")
        if mode == "bridged" and isinstance(link, str):
            bridges.add(link)
        routed = routed or mode == "routed"
    enabled = cluster.get("enabled_hypervisors")
    kvm = _mapping(_mapping(cluster, "hvparams"), "kvm")
    return Membership(
        here.role,
        name=here.name,
        nodes=here.nodes,
        bridges=frozenset(bridges),
        routed=routed,
        hypervisors=tuple(map(str, enabled)) if isinstance(enabled, list) else here.hypervisors,
        vhost=bool(kvm.get("vhost_net")),
    )


def _nic_parameters(document: object) -> list[Mapping[str, object]]:
    """Give what NICs and networks are connected with: of each node group's networks, and of each NIC that says it.

    The cluster's default counts only where a NIC says nothing of its own.
    """
    default = _mapping(_mapping(_mapping(document, "cluster"), "nicparams"), "default")
    found: list[Mapping[str, object]] = []
    for group in _mapping(document, "nodegroups").values():
        found += [each for each in _mapping(group, "networks").values() if isinstance(each, dict)]
    for instance in _mapping(document, "instances").values():
        nics = instance.get("nics") if isinstance(instance, dict) else None
        each_nic = nics.values() if isinstance(nics, dict) else nics or ()
        found += [{**default, **_mapping(nic, "nicparams")} for nic in each_nic]
    return found


def _mapping(document: object, key: str) -> Mapping[str, object]:
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, dict) else {}
