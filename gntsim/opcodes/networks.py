"""Networks and their connections to node groups."""

import ipaddress

from gntsim import objects
from gntsim.opcodes import base

#: ganeti.network.IPV4_NETWORK_MAX_SIZE
MOST_ADDRESSES = 2**16


class NetworkAdd(base.Unit):
    """OP_NETWORK_ADD."""

    def locks(self) -> frozenset[str]:
        return frozenset({f"network/{self.given['network_name']}"})

    def check(self) -> None:
        given = self.given
        existing = self.cluster.network(given["network_name"])
        if existing is not None:
            raise base.PrereqError(
                f"Desired network name '{existing.name}' already exists as a network (UUID: {existing.uuid})",
                "already_exists",
            )
        try:
            subnet = ipaddress.ip_network(given["network"])
            reserved = [ipaddress.ip_address(ip) for ip in given["add_reserved_ips"] or []]
        except ValueError as err:
            raise base.PrereqError(f"Invalid network address: {err}", "wrong_input") from err
        if subnet.num_addresses > MOST_ADDRESSES:
            text = f"A big network with {subnet.num_addresses} host(s) is currently not supported."
            raise self.unable(f"{text} please specify at most a /16 network")
        if given["gateway"]:
            reserved.append(ipaddress.ip_address(given["gateway"]))
        if subnet.num_addresses > 2:
            reserved += [subnet.network_address, subnet.broadcast_address]
        outside = [ip for ip in reserved if ip not in subnet]
        if outside:
            raise self.unable(f"{outside[0]} is not in network")
        self.network = objects.Network(
            name=given["network_name"],
            network=str(subnet),
            gateway=given["gateway"],
            network6=given["network6"],
            gateway6=given["gateway6"],
            mac_prefix=given["mac_prefix"],
            external=[str(ip) for ip in sorted(set(reserved), key=int)],
            tags=list(given["tags"]),
        )

    def unable(self, text: str) -> base.ExecError:
        return base.ExecError(f"Cannot create IP address pool for network '{self.given['network_name']}': {text}")

    def hook(self) -> base.Hook:
        return base.Hook("network-add", base.network_env(self.network, prefix="NETWORK_"), object_type="NETWORK")

    def execute(self) -> None:
        self.pause()
        with self.cluster.lock:
            self.cluster.save(self.network)


class NetworkUnit(base.Unit):
    """An opcode on one network, found by its `network_name`."""

    hook_path = ""

    def expand(self) -> None:
        found = self.cluster.network(self.given["network_name"])
        if found is None:
            raise base.PrereqError(f"Network '{self.given['network_name']}' not found", "unknown_entity")
        self.network = found

    def locks(self) -> frozenset[str]:
        return frozenset({f"network/{self.network.name}"})

    def check(self) -> None:
        if self.network.uuid not in self.cluster.networks:
            raise base.PrereqError(f"Network '{self.network.name}' not found", "unknown_entity")

    def hook(self) -> base.Hook | None:
        env = base.network_env(self.network, prefix="NETWORK_")
        return base.Hook(self.hook_path, env, object_type="NETWORK")

    def save(self) -> None:
        with self.cluster.lock:
            self.cluster.save(self.network)


class NetworkRemove(NetworkUnit):
    """OP_NETWORK_REMOVE."""

    hook_path = "network-remove"

    def shared_locks(self) -> frozenset[str]:
        return frozenset(f"group/{uuid}" for uuid in self.cluster.groups)

    def check(self) -> None:
        super().check()
        groups = [self.cluster.groups[uuid].name for uuid in self.network.connections]
        if groups:
            self.run.warn(
                f"Network '{self.network.name}' is connected to the following node groups: {', '.join(groups)}"
            )
            raise base.PrereqError("Network still connected", "wrong_state")

    def execute(self) -> None:
        self.pause()
        with self.cluster.lock:
            self.cluster.remove(self.network)


class NetworkSetParams(NetworkUnit):
    """OP_NETWORK_SET_PARAMS."""

    hook_path = "network-modify"

    def execute(self) -> None:
        self.pause()
        given, network = self.given, self.network
        with self.cluster.lock:
            pool = self.cluster.pools[network.uuid]
            for ip in given["add_reserved_ips"] or []:
                pool.reserve(ip, external=True)
            for ip in given["remove_reserved_ips"] or []:
                if ip not in pool.external_ips():
                    self.run.warn(f"Cannot release IP address {ip}: IP {ip} is not externally reserved")
                    continue
                pool.release_external(ip, in_use=self.cluster.ip_in_use(network.uuid, ip))
            if given["gateway"] not in (None, "none", network.gateway):
                if network.gateway:
                    pool.release_external(network.gateway, in_use=False)
                pool.reserve(given["gateway"], external=True)
            network.external = pool.external_ips()
            for name in ("gateway", "network6", "gateway6", "mac_prefix"):
                if given[name] is not None:
                    setattr(network, name, None if given[name] == "none" else given[name])
            self.cluster.save(network)


class GroupLink(NetworkUnit):
    """What connect and disconnect share: the node group."""

    def expand(self) -> None:
        super().expand()
        group = self.cluster.group(self.given["group_name"])
        if group is None:
            raise base.PrereqError(f"Node group '{self.given['group_name']}' not found", "unknown_entity")
        self.group = group

    def locks(self) -> frozenset[str]:
        # the network's own is taken only to look for conflicts, which nobody asks for here
        return frozenset({f"group/{self.group.uuid}"})

    def hook(self) -> base.Hook:
        mode, link, vlan = self.connection()
        env = {
            "GROUP_NAME": self.group.name,
            "GROUP_NETWORK_MODE": mode,
            "GROUP_NETWORK_LINK": link,
            "GROUP_NETWORK_VLAN": vlan,
        }
        return base.Hook(self.hook_path, env, object_type="NETWORK")

    def connection(self) -> list[str]:
        return self.network.connections.get(self.group.uuid, ["", "", ""])


class NetworkConnect(GroupLink):
    """OP_NETWORK_CONNECT: connecting twice succeeds with a warning."""

    hook_path = "network-connect"

    def connection(self) -> list[str]:
        return [self.given["network_mode"], self.given["network_link"], self.given["network_vlan"]]

    def execute(self) -> None:
        if self.group.uuid in self.network.connections:
            self.run.warn(f"Network '{self.network.name}' is already mapped to group '{self.group.name}'")
            return
        self.pause()
        self.network.connections[self.group.uuid] = self.connection()
        self.save()


class NetworkDisconnect(GroupLink):
    """OP_NETWORK_DISCONNECT: disconnecting twice succeeds with a warning."""

    hook_path = "network-disconnect"

    def shared_locks(self) -> frozenset[str]:
        return frozenset(
            f"instance/{instance.name}"
            for instance in self.cluster.instances.values()
            if self.cluster.nodes[instance.pnode].group == self.group.uuid
        )

    def check(self) -> None:
        super().check()
        if self.group.uuid not in self.network.connections:
            return
        used = []
        for uuid in self.cluster.users_of.get(self.network.uuid, ()):
            instance = self.cluster.instances[uuid]
            if self.cluster.nodes[instance.pnode].group != self.group.uuid:
                continue
            held = [
                f"nic{index}/{nic.ip}" for index, nic in enumerate(instance.nics) if nic.network == self.network.uuid
            ]
            if held:
                used.append(f"{instance.name}: {', '.join(held)}")
        if used:
            self.run.warn(
                f"IP addresses from network '{self.network.name}', which is about to disconnect from node group "
                f"'{self.group.name}', are in use: {'; '.join(used)}"
            )
            raise base.PrereqError(
                "Conflicting IP addresses found;  remove/modify the corresponding network interfaces", "wrong_state"
            )

    def execute(self) -> None:
        if self.group.uuid not in self.network.connections:
            self.run.warn(f"Network '{self.network.name}' is not mapped to group '{self.group.name}'")
            return
        self.pause()
        del self.network.connections[self.group.uuid]
        self.save()
