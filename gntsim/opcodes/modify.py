"""OP_INSTANCE_SET_PARAMS: NICs, disks, memory, hypervisor and OS parameters of an instance."""

import copy
from typing import Any

from gntsim import objects
from gntsim.opcodes import base, create, hvparams, nics, placement, power

Change = list[Any]
#: constants.MAX_NICS
MAX_NICS = 8
CHANGES = ("nics", "disks", "beparams", "hvparams", "osparams", "osparams_private", "offline", "os_name", "pnode")


class SetParams(base.InstanceUnit):
    """Works on a copy and saves it at the end, so a failure in the middle changes nothing."""

    hook_path = "instance-modify"

    def shared_locks(self) -> frozenset[str]:
        return frozenset({base.NODES})

    def expand(self) -> None:
        self.taken: list[objects.Nic] = []
        if not any(self.given[name] not in (None, [], {}) for name in CHANGES):
            raise base.PrereqError("No changes submitted", "wrong_input")
        super().expand()
        self.given["nics"] = upgraded(self.given["nics"])
        self.given["disks"] = upgraded(self.given["disks"])
        for action, _, settings in self.given["nics"]:
            if action == "add":
                settings.setdefault("mac", "auto")

    def check(self) -> None:
        super().check()
        if self.given["offline"]:
            power.require_state(self, "down", "offline", reason="can't change to offline")
        else:
            self.require_online_node()
        self._check_hotplug()
        self.run.op.forget_private()
        self.new = copy.deepcopy(self.instance)
        self.result: list[list[Any]] = []
        self.hotplugs: list[str] = []
        self.detached: list[objects.Disk] = []
        self.attached: list[objects.Disk] = []
        self._change_params()
        for action, identifier, settings in self.given["disks"]:
            self._change_disk(action, identifier, settings)
        for action, identifier, settings in self.given["nics"]:
            self._change_nic(action, identifier, settings)
        if len(self.new.nics) > MAX_NICS:
            text = f"Instance has too many network interfaces ({MAX_NICS}), cannot add more"
            raise base.PrereqError(text, "wrong_state")

    def execute(self) -> list[list[Any]]:
        self.pause()
        for _ in range(len(self.hotplugs)):
            self.run.info("Trying to hotplug device...")
            self.run.info("Hotplug done.")
        with self.cluster.lock:
            placement.require_alive(self.cluster.nodes[self.instance.pnode])
            for name in ("nics", "disks", "beparams", "hvparams", "osparams", "osparams_private", "admin_state", "os"):
                setattr(self.instance, name, getattr(self.new, name))
            self.cluster.save(self.instance)
            for disk in self.detached:
                self.cluster.detach(disk)
            for disk in self.attached:
                self.cluster.attach(disk)
        return self.result

    def cleanup(self) -> None:
        nics.give_back(self.cluster, getattr(self, "taken", []))

    @property
    def _hotplug(self) -> bool:
        wanted = self.given["hotplug"] or self.given["hotplug_if_possible"]
        return bool(wanted) and self.instance.running

    def _check_hotplug(self) -> None:
        if not self.given["hotplug"] or self.given["hotplug_if_possible"]:
            return
        if self.instance.hypervisor != "kvm":
            why = "Hotplug is not supported: Hotplug is not supported by this hypervisor"
        elif not self.instance.running:
            why = "Hotplug is not supported: Instance is probably down"
        else:
            return
        # said twice by Ganeti, too
        raise base.PrereqError(f"Hotplug is not possible: {why}: {why}", "wrong_state")

    def _change_params(self) -> None:
        given, new = self.given, self.new
        for name, value in create.typed_beparams(given["beparams"]).items():
            new.beparams[name] = value
            self.result.append([f"be/{name}", value])
        if given["hvparams"]:
            node = self.cluster.nodes[self.instance.pnode].name
            new.hvparams = hvparams.updated(self.cluster, self.instance, given["hvparams"], node=node)
            self.result += [[f"hv/{name}", value] for name, value in given["hvparams"].items()]
        for name, value in (given["osparams"] or {}).items():
            new.osparams[name] = value
            self.result.append([f"os/{name}", value])
        for name, value in (self.run.op.secrets.get("osparams_private") or {}).items():
            new.osparams_private[name] = value
            self.result.append([f"os_private/{name}", f"Private(?, descr='{name}')"])
        if given["os_name"] is not None:
            new.os = given["os_name"]
        if given["offline"] is not None:
            new.admin_state = "offline" if given["offline"] else "down"
            self.result.append(["admin_state", new.admin_state])

    def _change_disk(self, action: str, identifier: Any, settings: dict[str, Any]) -> None:
        disks = self.new.disks
        if action == "add":
            disk = create.new_disk(settings)
            index = insert(disks, disk, identifier)
            self.run.log(f"* disk {index}, size {create.format_mib(disk.size)}")
            self.result.append([f"disk/{index}", f"add:size={disk.size},mode={disk.mode}"])
        elif action == "attach":
            disk = self._detached_disk(settings)
            self.attached.append(disk)
            index = insert(disks, disk, identifier)
            self.run.log(f"* disk {index}, size {create.format_mib(disk.size)}")
            self.result.append([f"disk/{index}", f"attach:size={disk.size},mode={disk.mode}"])
        else:
            index = find(disks, identifier, kind="disk")
            if action == "modify":
                self._edit_disk(disks[index], index, settings)
                return
            disk = disks.pop(index)
            if action == "detach":
                self.detached.append(disk)
            self.result.append([f"disk/{index}", action])
        self._note_hotplug(f"disk/{index}")

    def _edit_disk(self, disk: objects.Disk, index: int, settings: dict[str, Any]) -> None:
        for name in ("name", "mode"):
            if name in settings:
                setattr(disk, name, settings[name])
                self.result.append([f"disk.{name}/{index}", settings[name]])

    def _detached_disk(self, settings: dict[str, Any]) -> objects.Disk:
        for disk in self.cluster.detached.values():
            if disk.uuid == settings.get("uuid") or (disk.name and disk.name == settings.get("name")):
                return disk
        wanted = settings.get("uuid") or settings.get("name")
        raise base.PrereqError(f"No disk was found with identifier: {wanted}", "unknown_entity")

    def _change_nic(self, action: str, identifier: Any, settings: dict[str, Any]) -> None:
        if action == "add":
            self._add_nic(identifier, settings)
            return
        index = find(self.new.nics, identifier, kind="nic")
        if action == "remove":
            del self.new.nics[index]
            self.result.append([f"NIC/{index}", "remove"])
            self._note_hotplug(f"NIC/{index}")
        else:
            self._edit_nic(self.new.nics[index], index, settings)
            self._note_hotplug(f"nic/{index}")

    def _add_nic(self, identifier: Any, settings: dict[str, Any]) -> None:
        pnode = self.cluster.nodes[self.instance.pnode]
        nic = nics.add(self.run, settings, index=len(self.new.nics), pnode=pnode, creating=False)
        self.taken.append(nic)
        settings["mac"] = nic.mac
        if settings.get("ip") is not None:
            settings["ip"] = nic.ip
        index = insert(self.new.nics, nic, identifier)
        network = self.cluster.networks[nic.network].name if nic.network else None
        mode, link = self.cluster.nic_param(nic, "mode"), self.cluster.nic_param(nic, "link")
        text = f"add:mac={nic.mac},ip={nic.ip},mode={mode},link={link},network={network}"
        self.result.append([f"nic.{index}", text])
        self._note_hotplug(f"nic.{index}")

    def _edit_nic(self, nic: objects.Nic, index: int, settings: dict[str, Any]) -> None:
        pnode = self.cluster.nodes[self.instance.pnode]
        old_network = self.cluster.networks.get(nic.network) if nic.network else None
        network = nics.find_network(self.cluster, settings["network"]) if "network" in settings else old_network
        mode = settings.get("mode") or self.cluster.nic_param(nic, "mode")
        if mode == nics.ROUTED and network is None and settings.get("ip", nic.ip) in (*nics.NOTHING, None):
            text = "Cannot set the NIC IP address to None on a routed NIC if not attached to a network"
            raise base.PrereqError(text, "wrong_input")
        if network is old_network is not None and nics.own_params(settings) and settings.get("ip", nic.ip) == nic.ip:
            text = "Not allowed to change link or mode of a NIC that is connected to a network"
            raise base.PrereqError(text, "wrong_input")
        moves = network is not old_network
        # a MAC that is named is to be free, even if it is the NIC's own
        if settings.get("mac") is not None or (moves and prefix_of(network) != prefix_of(old_network)):
            nic.mac = nics.take_mac(self.cluster, settings.get("mac"), network)
            self.result.append([f"nic.mac/{index}", nic.mac])
        if moves:
            nic.network = network.uuid if network else None
            nic.params = nics.inherited(self.cluster, network, settings, pnode=pnode) if network else nic.params
        if network is None:
            nic.params |= nics.own_params(settings)
        if "ip" in settings or moves:
            named = settings.get("ip", nic.ip)
            ip = None if named in (*nics.NOTHING, None) else named
            if ip is None or ip != nic.ip or moves:
                nic.ip = nics.take_ip(self.run, network, ip, index=index, creating=False)
                self.taken.append(nic)
            if "ip" in settings and nic.ip is not None:
                settings["ip"] = nic.ip
            self.result.append([f"nic.ip/{index}", nic.ip])
        if moves:
            self.result.append([f"nic.network/{index}", network.name if network else None])
        if "name" in settings:
            nic.name = None if settings["name"] in nics.NOTHING else settings["name"]
            self.result.append([f"nic.name/{index}", nic.name])
        for name in ("link", "mode", "vlan"):
            self.result.append([f"nic.{name}/{index}", self.cluster.nic_param(nic, name)])

    def _note_hotplug(self, label: str) -> None:
        if self._hotplug:
            self.hotplugs.append(label)
            self.result.append([label, "hotplug:done"])


def prefix_of(network: objects.Network | None) -> str | None:
    return network.mac_prefix if network is not None else None


def upgraded(changes: list[Change]) -> list[Change]:
    """Changes in today's form; the old two-part form had no identifier."""
    result = []
    for change in changes:
        if len(change) == 3:
            action, identifier, settings = change
        else:
            action, settings = change
            identifier = -1
            if action not in ("add", "remove"):
                action, identifier = "modify", action
        result.append([action, identifier, dict(settings)])
    return result


def find(items: list[Any], identifier: Any, *, kind: str) -> int:
    """The index of a NIC or disk by index, name or UUID; -1 is the last."""
    try:
        index = int(identifier)
    except ValueError:
        for position, item in enumerate(items):
            if identifier in (item.uuid, item.name):
                return position
        raise base.PrereqError(f"Cannot find {kind} with identifier {identifier}", "unknown_entity") from None
    if index == -1:
        index = len(items) - 1
    if not 0 <= index < len(items):
        raise base.PrereqError(f"Got {kind} index {identifier}, but there are only {len(items)}", "wrong_input")
    return index


def insert(items: list[Any], item: Any, identifier: Any) -> int:
    index = int(identifier)
    if index == -1:
        index = len(items)
    if not 0 <= index <= len(items):
        raise base.PrereqError(f"Got index {index}, but there are only {len(items)}", "wrong_input")
    items.insert(index, item)
    return index
