"""OP_BACKUP_EXPORT, to a node of the cluster; to another cluster nobody here has the keys."""

from typing import Any

from gntsim import knobs, objects, os_scripts
from gntsim.opcodes import base, placement, power

SNAPSHOTS = frozenset({"diskless", "plain", "drbd", "ext"})
NO_LIVE = "Not all disks could be snapshotted, and you requested a live export; aborting"
NO_LONG_SLEEP = (
    "Not all disks could be snapshotted, and you did not allow the instance to remain offline for a longer time "
    "through the --long-sleep option; aborting"
)


class Export(base.InstanceUnit):
    """OP_BACKUP_EXPORT: holds every node for as long as it takes, as Ganeti does."""

    hook_path = "instance-export"
    steps = 2

    def expand(self) -> None:
        given = self.given
        if given["mode"] == "remote":
            missing = "X509 key name for encryption" if not given["x509_key_name"] else "destination X509 CA"
            if not given["x509_key_name"] or not given["destination_x509_ca"]:
                raise base.PrereqError(f"Missing {missing}", "wrong_input")
        super().expand()
        if given["mode"] == "local":
            self.target = placement.named(self.cluster, given["target_node"])
            given["target_node"], given["target_node_uuid"] = self.target.name, self.target.uuid

    def locks(self) -> frozenset[str]:
        return super().locks() | {base.NODES}

    def check(self) -> None:
        super().check()
        given, instance = self.given, self.instance
        self.require_online_node()
        if given["remove_instance"] and instance.admin_state == "up" and not given["shutdown"]:
            raise base.PrereqError("Can not remove instance without shutting it down before", "wrong_state")
        if given["mode"] == "remote":
            raise base.PrereqError("HMAC for X509 key name is wrong", "wrong_input")
        if self.target.offline:
            raise base.PrereqError(f"Can't use offline node: {self.target.name}", "wrong_state")
        if self.target.drained:
            raise base.PrereqError(f"Can't use drained node {self.target.name}", "wrong_state")
        if given["zero_free_space"]:
            raise base.PrereqError("A zeroing image must be set for zeroing to work", "wrong_input")
        if given["long_sleep"] and not given["shutdown"]:
            raise base.PrereqError(
                "The long sleep option only makes sense when the instance can be shut down.", "wrong_input"
            )

    def extra_env(self) -> dict[str, str]:
        given = self.given
        return {
            "EXPORT_MODE": given["mode"],
            "EXPORT_NODE": given["target_node"],
            "EXPORT_DO_SHUTDOWN": str(given["shutdown"]),
            "SHUTDOWN_TIMEOUT": str(given["shutdown_timeout"]),
            "REMOVE_INSTANCE": str(bool(given["remove_instance"])),
        }

    def execute(self) -> list[Any]:
        instance, given, log = self.instance, self.given, self.run.log
        node = self.cluster.nodes[instance.pnode]
        placement.require_alive(node)
        up, again = instance.admin_state == "up", given["shutdown"] and not given["remove_instance"]
        if given["shutdown"]:
            log(f"Shutting down instance {instance.name}")
            power.set_power(self, running=False, admin_state=None)
        if not up:
            log(f"Activating disks for {instance.name}")
        snapshots = self._snapshots(node) if up and not given["remove_instance"] else False
        if up and again and snapshots:
            self._start()
        self.pause()
        results = self._transfer(node, "snapshot" if snapshots else "disk")
        self.pause()
        if up and again and not snapshots:
            self._start()
        for index in range(len(instance.disks) if snapshots else 0):
            log(f"Removing snapshot of disk/{index} on node {node.name}")
        if not up:
            log(f"Deactivating disks for {instance.name}")
        if not results or not all(results):
            failed = ", ".join(str(index) for index, ok in enumerate(results) if not ok)
            disks = f", disk export: disk(s) {failed}" if failed else ""
            raise base.ExecError(f"Export failed, errors in export finalization{disks}")
        self._finish()
        return [True, results]

    def _snapshots(self, node: objects.Node) -> bool:
        """Copy on write, where the disks can; an export that may neither do that nor wait is refused here."""
        if self.instance.disk_template in SNAPSHOTS:
            for index in range(len(self.instance.disks)):
                self.run.log(f"Creating a snapshot of disk/{index} on node {node.name}")
            return True
        if not self.given["shutdown"]:
            raise base.ExecError(NO_LIVE)
        if not self.given["long_sleep"]:
            raise base.ExecError(NO_LONG_SLEEP)
        return False

    def _transfer(self, source: objects.Node, kind: str) -> list[bool]:
        log, target = self.run.log, self.target
        labels = [f"{kind}/{index}" for index in range(len(self.instance.disks))]
        for label in labels:
            log(f"Exporting {label} from {source.name} to {target.name}")
        for label in labels:
            log(f"{label} is now listening, starting export")
        outcomes = [self._run_script(index) for index in range(len(labels))]
        for label in labels:
            log(f"{label} finished receiving data")
        for label, outcome in zip(labels, outcomes, strict=True):
            if outcome.status == 0:
                log(f"{label} finished sending data")
                continue
            why = f"Exited with status {outcome.status}"
            self.run.warn(f"export 'export-{label.replace('/', '')}' on {source.name} failed: {why}")
            log(f"{label} failed to send data: {why} (recent output: {outcome.output})")
        results = [outcome.status == 0 for outcome in outcomes]
        if all(results):
            log(f"Finalizing export on {target.name}")
            if not results:
                # without a disk Ganeti makes no folder, and then misses it
                where = f"instance {self.instance.name} on node {target.name}"
                self.run.warn(f"Could not finalize export for {where}: [Errno 2] No such file or directory")
        else:
            self.run.warn(
                "Some disk exports have failed; there may be leftover data for instance "
                f"{self.instance.name} on node {target.name}"
            )
        return results

    def _run_script(self, index: int) -> os_scripts.Outcome:
        fault = self.run.fault
        if fault is not None and fault.kind is knobs.Fault.OS:
            return os_scripts.Outcome(1, fault.message or "simulated failure")
        return os_scripts.export(self.run.settings.os_dir, self.instance, index)

    def _start(self) -> None:
        self.run.log(f"Starting instance {self.instance.name}")
        power.set_power(self, running=True, admin_state=None)

    def _finish(self) -> None:
        name = self.instance.name
        if self.given["remove_instance"]:
            self.run.log(f"Removing instance {name}")
            with self.cluster.lock:
                self.cluster.remove(self.instance)
        if len(self.cluster.nodes) > 1:
            self.run.log(f"Removing old exports for instance {name}")
