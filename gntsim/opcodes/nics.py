"""Making NICs from requests: addresses from pools, MACs, and the parameters a network brings."""

import ipaddress
from typing import Any

from gntsim import cluster, objects
from gntsim.opcodes import base

POOL = "pool"
AUTO = ("auto", "generate")
NOTHING = ("none", "None")
ROUTED = "routed"
NIC_PARAMS = ("mode", "link", "vlan")


def add(run: base.Run, wanted: dict[str, Any], *, index: int, pnode: objects.Node, creating: bool) -> objects.Nic:
    """A new NIC as the request wants it; its address and MAC are reserved."""
    state = run.cluster
    network = find_network(state, wanted.get("network"))
    ip = wanted.get("ip")
    if ip in NOTHING:
        ip = None
    params = own_params(wanted)
    if network is not None:
        params = inherited(state, network, wanted, pnode=pnode)
        if creating:
            run.info(f"NIC/{index} inherits netparams ['{params['link']}', '{params['mode']}', '{params['vlan']}']")
    elif ip == POOL:
        raise base.PrereqError("if ip=pool, parameter network must be passed too", "wrong_input")
    elif params.get("mode") == ROUTED and ip is None:
        raise base.PrereqError("Routed nic mode requires an ip address if not attached to a network", "wrong_input")
    ip = take_ip(run, network, ip, index=index, creating=creating)
    mac = take_mac(state, wanted.get("mac"), network)
    return objects.Nic(
        mac=mac,
        ip=ip,
        name=None if wanted.get("name") in NOTHING else wanted.get("name"),
        network=network.uuid if network else None,
        params=params,
    )


def find_network(state: cluster.Cluster, name: str | None) -> objects.Network | None:
    if name is None or name in NOTHING:
        return None
    network = state.network(name)
    if network is None:
        raise base.PrereqError(f"Network '{name}' not found", "unknown_entity")
    return network


def own_params(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: wanted[name] for name in NIC_PARAMS if wanted.get(name) is not None}


def inherited(
    state: cluster.Cluster, network: objects.Network, wanted: dict[str, Any], *, pnode: objects.Node
) -> dict[str, Any]:
    """The parameters of the network's connection to the node's group."""
    if wanted.get("mode") or wanted.get("link"):
        raise base.PrereqError("If network is given, no mode or link is allowed to be passed", "wrong_input")
    connection = network.connections.get(pnode.group)
    if connection is None:
        raise base.PrereqError(
            f"No netparams found for network {network.name}. Probably not connected to node's {pnode.name} nodegroup",
            "wrong_input",
        )
    return dict(zip(NIC_PARAMS, connection, strict=True))


def take_ip(
    run: base.Run, network: objects.Network | None, ip: str | None, *, index: int, creating: bool
) -> str | None:
    if network is None or ip is None:
        return ip
    pool = run.cluster.pools[network.uuid]
    if ip != POOL and ipaddress.ip_address(ip).version != 4:
        raise base.GenericError(f"RPC input: Can't parse IPv4 address from string {ip}")
    if ip == POOL:
        chosen = pool.choose()
        if chosen is None:
            raise base.PrereqError(f"Unable to get a free IP for NIC {index} from the address pool", "wrong_state")
        run.info(f"Chose IP {chosen} from network {network.name}")
        ip = chosen
    elif ip not in pool or not pool.free(ip):
        text = (
            f"IP address {ip} already in use or does not belong to network {network.name}"
            if creating
            else f"IP {ip} not available in network {network.name}"
        )
        raise base.PrereqError(text, "resource_not_unique")
    elif not creating:
        run.info(f"Reserving IP {ip} in network {network.name}")
    pool.reserve(ip)
    run.cluster.promised_ips.add((network.uuid, ip))
    return ip


def take_mac(state: cluster.Cluster, mac: str | None, network: objects.Network | None) -> str:
    if mac is None or mac in AUTO:
        mac = state.new_mac(network.mac_prefix if network else None)
    elif mac.lower() in state.macs:
        raise base.PrereqError(f"MAC address {mac.lower()} already in use in cluster", "resource_not_unique")
    mac = mac.lower()
    state.macs.add(mac)
    return mac


def give_back(state: cluster.Cluster, nics: list[objects.Nic]) -> None:
    """Release what `add` reserved, unless an instance holds it by now."""
    for nic in nics:
        if nic.network is None or nic.ip is None or (nic.network, nic.ip) not in state.promised_ips:
            continue
        state.promised_ips.discard((nic.network, nic.ip))
        if nic.network in state.pools and not state.ip_in_use(nic.network, nic.ip):
            state.pools[nic.network].release(nic.ip)
