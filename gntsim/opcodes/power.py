"""Opcodes that change whether a guest runs, and those that end or rebuild one."""

from typing import Any

from gntsim import knobs, objects
from gntsim.opcodes import base, placement

DIAGNOSED_OS_FAILURE = (
    "OS create script failed (exited with exit code 1), last lines in the log file:\nsimulated failure"
)


def require_state(unit: base.InstanceUnit, *allowed: str, reason: str | None = None) -> None:
    """Refuse an instance in another administrative state, or one that runs though it should not."""
    instance = unit.instance
    reason = reason or f"can't use instance from outside {', '.join(allowed)} states"
    if instance.admin_state not in allowed:
        raise base.PrereqError(
            f"Instance '{instance.name}' is marked to be {instance.admin_state}, {reason}", "wrong_state"
        )
    if "up" not in allowed and instance.running:
        raise base.PrereqError(f"Instance {instance.name} is running, {reason}", "wrong_state")


def set_power(unit: base.InstanceUnit, *, running: bool, admin_state: str | None) -> None:
    """Change the guest, and the wanted state unless it is not to be remembered."""
    with unit.cluster.lock:
        unit.instance.running = running
        if admin_state is not None:
            unit.instance.admin_state = admin_state
        unit.cluster.save(unit.instance)


class Startup(base.InstanceUnit):
    """OP_INSTANCE_STARTUP: starting a running instance succeeds and says nothing."""

    hook_path = "instance-start"

    def check(self) -> None:
        super().check()
        require_state(self, "up", "down")
        self.require_online_node()
        if not self.instance.running:
            memory = int(self.cluster.beparams(self.instance)["maxmem"])
            placement.require_memory(
                self.cluster,
                self.cluster.nodes[self.instance.pnode],
                needed=memory,
                reason=f"starting instance {self.instance.name}",
            )

    def extra_env(self) -> dict[str, str]:
        return {"FORCE": str(self.given["force"])}

    def execute(self) -> None:
        self.pause()
        placement.require_alive(self.cluster.nodes[self.instance.pnode])
        set_power(self, running=True, admin_state=None if self.given["no_remember"] else "up")


class Shutdown(base.InstanceUnit):
    """OP_INSTANCE_SHUTDOWN: stopping a stopped instance succeeds and says nothing."""

    hook_path = "instance-stop"

    def expand(self) -> None:
        super().expand()
        if self.given["admin_state_source"] is None:
            self.given["admin_state_source"] = "admin"

    def check(self) -> None:
        super().check()
        if not self.given["force"]:
            require_state(self, "up", "down")
        if not self.given["ignore_offline_nodes"]:
            self.require_online_node()

    def extra_env(self) -> dict[str, str]:
        return {"TIMEOUT": str(self.given["timeout"])}

    def execute(self) -> None:
        self.pause()
        node = self.cluster.nodes[self.instance.pnode]
        if not node.offline:
            placement.require_alive(node)
        set_power(self, running=False, admin_state=None if self.given["no_remember"] else "down")


class Reboot(base.InstanceUnit):
    """OP_INSTANCE_REBOOT: a stopped instance is started."""

    hook_path = "instance-reboot"

    def check(self) -> None:
        super().check()
        require_state(self, "up", "down")
        self.require_online_node()

    def extra_env(self) -> dict[str, str]:
        return {
            "IGNORE_SECONDARIES": str(self.given["ignore_secondaries"]),
            "REBOOT_TYPE": self.given["reboot_type"],
            "SHUTDOWN_TIMEOUT": str(self.given["shutdown_timeout"]),
        }

    def execute(self) -> None:
        placement.require_alive(self.cluster.nodes[self.instance.pnode])
        if not self.instance.running:
            self.run.info(f"Instance {self.instance.name} was already stopped, starting now")
        self.pause()
        set_power(self, running=True, admin_state="up")


class Reinstall(base.InstanceUnit):
    """OP_INSTANCE_REINSTALL: runs the OS scripts of a stopped instance again."""

    hook_path = "instance-reinstall"
    steps = 2

    def check(self) -> None:
        super().check()
        require_state(self, "down", reason="cannot reinstall")
        self.require_online_node()
        if not self.instance.disks:
            raise base.PrereqError(f"Instance '{self.instance.name}' has no disks", "wrong_input")
        os_type = self.given["os_type"]
        if os_type is not None and os_type not in self.run.settings.oses:
            node = self.cluster.nodes[self.instance.pnode].name
            raise base.ExecError(
                f"OS Parameters validation failed on node {node}: "
                f"Directory for OS {os_type.partition('+')[0]} not found in search path"
            )
        self.run.op.forget_private()
        for name in ("osparams", "osparams_private", "osparams_secret"):
            self.given[name] = self.given[name] or {}

    def execute(self) -> None:
        instance, os_type = self.instance, self.given["os_type"]
        if os_type is not None:
            self.run.log(f"Changing OS scripts to '{os_type}'...")
            with self.cluster.lock:
                instance.os = os_type
                instance.osparams |= self.given["osparams"]
                self.cluster.save(instance)
        self.pause()
        self.run.info("Running instance OS create scripts...")
        self.pause()
        node = self.cluster.nodes[instance.pnode]
        placement.require_alive(node)
        fault = self.run.fault
        if fault is not None and fault.kind is knobs.Fault.OS:
            reason = fault.message or DIAGNOSED_OS_FAILURE
            raise base.ExecError(f"Could not install OS for instance '{instance.name}' on node '{node.name}': {reason}")


class Remove(base.InstanceUnit):
    """OP_INSTANCE_REMOVE."""

    hook_path = "instance-remove"

    def shared_locks(self) -> frozenset[str]:
        return frozenset({base.NODES})

    def extra_env(self) -> dict[str, str]:
        return {"SHUTDOWN_TIMEOUT": str(self.given["shutdown_timeout"])}

    def execute(self) -> None:
        node = self.cluster.nodes[self.instance.pnode]
        if node.offline or not node.alive:
            reason = "Node is marked offline" if node.offline else "Couldn't connect to server"
            text = f"Could not shutdown instance {self.instance.name} on node {node.name}: {reason}"
            if not self.given["ignore_failures"]:
                raise base.ExecError(text)
            self.run.log(f"Warning: can't shutdown instance: {reason}")
        self.pause()
        with self.cluster.lock:
            self.cluster.remove(self.instance)


class Rename(base.InstanceUnit):
    """OP_INSTANCE_RENAME: the result is the new name."""

    hook_path = "instance-rename"

    def expand(self) -> None:
        super().expand()
        new_name = str(self.given["new_name"]).lower()
        if self.given["name_check"]:
            raise base.PrereqError(
                f"The given name ({new_name}) does not resolve: Temporary failure in name resolution", "resolver_error"
            )
        self.new_name = new_name

    def locks(self) -> frozenset[str]:
        return super().locks() | {f"instance/{self.new_name}"}

    def check(self) -> None:
        super().check()
        require_state(self, "down", "offline", reason="cannot rename")
        if self.new_name != self.instance.name and self.cluster.instance(self.new_name):
            raise base.PrereqError(f"Instance '{self.new_name}' is already in the cluster", "already_exists")

    def extra_env(self) -> dict[str, str]:
        return {"INSTANCE_NEW_NAME": self.new_name}

    def execute(self) -> str:
        self.pause()
        with self.cluster.lock:
            self.instance.name = self.new_name
            self.cluster.save(self.instance)
        return self.new_name


class GrowDisk(base.InstanceUnit):
    """OP_INSTANCE_GROW_DISK; the amount is in MiB, and the new size itself with `absolute`."""

    hook_path = "disk-grow"

    def check(self) -> None:
        super().check()
        self.require_online_node()
        index = self.given["disk"]
        if index >= len(self.instance.disks):
            count = len(self.instance.disks)
            raise base.PrereqError(
                f"Invalid disk index passed: {index} (valid values: 0 to {count - 1})", "wrong_input"
            )
        self.disk: objects.Disk = self.instance.disks[index]
        amount = self.given["amount"]
        self.target = amount if self.given["absolute"] else self.disk.size + amount
        if self.target < self.disk.size:
            raise base.PrereqError(
                f"Requested size ({self.target}) is smaller than current disk size ({self.disk.size})", "wrong_state"
            )

    def extra_env(self) -> dict[str, str]:
        given = self.given
        return {"DISK": str(given["disk"]), "AMOUNT": str(given["amount"]), "ABSOLUTE": str(given["absolute"])}

    def execute(self) -> None:
        delta = self.target - self.disk.size
        name = self.instance.name
        self.run.log(f"Growing disk {self.given['disk']} of instance '{name}' by {delta}M to {self.target}M")
        self.pause()
        with self.cluster.lock:
            self.disk.size = self.target
            self.cluster.save(self.instance)
        self.run.info(f"Waiting for instance {name} to sync disks")
        self.run.info(f"Instance {name}'s disks are in sync")


class ActivateDisks(base.InstanceUnit):
    """OP_INSTANCE_ACTIVATE_DISKS."""

    def execute(self) -> list[list[Any]]:
        self.pause()
        node = self.cluster.nodes[self.instance.pnode].name
        return [
            [node, f"disk/{index}", base.disk_path(self.instance, disk, index)]
            for index, disk in enumerate(self.instance.disks)
        ]


class DeactivateDisks(base.InstanceUnit):
    """OP_INSTANCE_DEACTIVATE_DISKS."""

    def check(self) -> None:
        super().check()
        if not self.given["force"]:
            require_state(self, "down", "offline")

    def execute(self) -> None:
        self.pause()
