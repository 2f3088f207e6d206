"""Live migration, failover, and the node-wide operations that submit them as child jobs."""

from typing import Any

from gntsim import jobs, objects
from gntsim.opcodes import base, placement


class Mover(base.InstanceUnit):
    """What migration and failover share: the choice of the target."""

    verb = ""

    def shared_locks(self) -> frozenset[str]:
        return frozenset({base.NODES})

    def check(self) -> None:
        super().check()
        self.require_online_node_for_move()
        if self.instance.disk_template not in placement.MOVABLE:
            raise base.PrereqError(
                f"Instance's disk layout '{self.instance.disk_template}' does not allow {self.verb}s", "wrong_state"
            )
        self.source = self.cluster.nodes[self.instance.pnode]
        self.target = self._choose_target()
        if self.given["target_node"] is not None:
            self.given["target_node"] = self.target.name
            self.given["target_node_uuid"] = self.target.uuid

    def require_online_node_for_move(self) -> None:
        self.require_online_node()

    def _choose_target(self) -> objects.Node:
        name = self.given["target_node"]
        memory = int(self.cluster.beparams(self.instance)["maxmem"])
        if name is None:
            target = placement.choose(
                self.cluster,
                memory=memory,
                disk=self.cluster.disk_usage(self.instance),
                exclude=frozenset({self.instance.pnode}),
            )
            self.run.info(f"Selected nodes for instance {self.instance.name} via iallocator hail: {target.name}")
            return target
        target = placement.named(self.cluster, name)
        if target.uuid == self.instance.pnode:
            verb = self.verb.removesuffix("ion") + "e" if self.verb == "migration" else self.verb
            raise base.PrereqError(
                f"Cannot {verb} instance {self.instance.name} to its primary ({target.name})", "wrong_state"
            )
        if target.offline:
            raise base.PrereqError(f"Can't use offline node: {target.name}", "wrong_state")
        if self.instance.running:
            placement.require_memory(
                self.cluster, target, needed=memory, reason=f"migrating instance {self.instance.name}"
            )
        return target

    def extra_env(self) -> dict[str, str]:
        current = self.cluster.nodes[self.instance.pnode].name
        return {
            "OLD_PRIMARY": current,
            "NEW_PRIMARY": self.target.name,
            "OLD_SECONDARY": "",
            "NEW_SECONDARY": "",
        }

    def arrive(self, *, running: bool) -> None:
        with self.cluster.lock:
            placement.require_alive(self.target)
            self.instance.pnode = self.target.uuid
            self.instance.running = running
            self.cluster.save(self.instance)


class Migrate(Mover):
    """OP_INSTANCE_MIGRATE: moves a running guest."""

    hook_path = "instance-migrate"
    verb = "migration"
    steps = 2

    def check(self) -> None:
        super().check()
        if not self.instance.running and not self.given["allow_failover"]:
            raise base.PrereqError("Can't migrate, please use failover", "wrong_state")

    def extra_env(self) -> dict[str, str]:
        return super().extra_env() | {
            "MIGRATE_LIVE": str(self.given["mode"] != "non-live"),
            "MIGRATE_CLEANUP": str(self.given["cleanup"]),
            "ALLOW_RUNTIME_CHANGES": str(self.given["allow_runtime_changes"]),
        }

    def execute(self) -> None:
        log, name, source, target = self.run.log, self.instance.name, self.source.name, self.target.name
        log(f"Migrating instance {name}")
        placement.require_alive(self.source)
        log("* checking disk consistency between source and target")
        log(f"* closing instance disks on node {target}")
        log(f"* opening instance disks on node {source} in shared mode")
        log(f"* opening instance disks on node {target} in shared mode")
        log(f"* preparing {target} to accept the instance")
        log(f"* migrating instance to {target}")
        log("* starting memory transfer")
        self.pause()
        log("* memory transfer complete")
        self.arrive(running=self.instance.running)
        log(f"* closing instance disks on node {source}")
        log(f"* opening instance disks on node {target} in exclusive mode")
        log("* done")
        self.pause()


class Failover(Mover):
    """OP_INSTANCE_FAILOVER: stops a guest and starts it elsewhere; the way out of an offline node."""

    hook_path = "instance-failover"
    verb = "failover"
    steps = 2

    def require_online_node_for_move(self) -> None:
        """An offline primary is what failover is for."""

    def extra_env(self) -> dict[str, str]:
        return super().extra_env() | {
            "IGNORE_CONSISTENCY": str(self.given["ignore_consistency"]),
            "SHUTDOWN_TIMEOUT": str(self.given["shutdown_timeout"]),
            "FAILOVER_CLEANUP": str(self.given["cleanup"]),
        }

    def execute(self) -> None:
        instance, source, target = self.instance, self.source, self.target
        if not source.offline:
            placement.require_alive(source)
        self.run.log(f"Failover instance {instance.name}")
        self.run.log("* checking disk consistency between source and target")
        if instance.admin_state == "up":
            self.run.log("* shutting down instance on source node")
            if source.offline:
                self._warn_offline(source)
        self.run.log(f"* closing instance disks on node {source.name}")
        self.run.log("* deactivating the instance's disks on source node")
        self.pause()
        if instance.admin_state == "up":
            self.run.log(f"* activating the instance's disks on target node {target.name}")
            self.run.log(f"* starting the instance on the target node {target.name}")
        self.arrive(running=instance.admin_state == "up")
        self.pause()

    def _warn_offline(self, source: objects.Node) -> None:
        self.run.warn(
            f"Could not shutdown instance {self.instance.name} on node {source.name}, proceeding anyway; please make "
            f"sure node {source.name} is down; error details: Node is marked offline"
        )


class NodeUnit(base.Unit):
    """An opcode on one node, found by its `node_name`."""

    def expand(self) -> None:
        self.node = placement.named(self.cluster, str(self.given["node_name"]))
        self.given["node_name"] = self.node.name
        self.given["node_uuid"] = self.node.uuid

    def locks(self) -> frozenset[str]:
        return frozenset({f"node/{self.node.name}"})

    def child(self, opcode: str, given: dict[str, Any]) -> list[Any]:
        trail = list(self.run.op.common["reason"])
        return [True, self.run.submit([jobs.make_op(opcode, given, trail=trail, with_dry_run=False)])]


class NodeMigrate(NodeUnit):
    """OP_NODE_MIGRATE: one migration job for each primary instance."""

    def execute(self) -> dict[str, Any]:
        self.pause()
        with self.cluster.lock:
            names = [instance.name for instance in self.cluster.instances_of(self.node)]
        shared = {
            "mode": self.given["mode"],
            "target_node": self.given["target_node"],
            "iallocator": self.given["iallocator"],
            "allow_runtime_changes": self.given["allow_runtime_changes"],
            "allow_failover": False,
        }
        return {"jobs": [self.child("OP_INSTANCE_MIGRATE", {"instance_name": name} | shared) for name in names]}


class NodeEvacuate(NodeUnit):
    """OP_NODE_EVACUATE: one job for each instance; running ones migrate, the others fail over."""

    def execute(self) -> dict[str, Any]:
        with self.cluster.lock:
            instances = self.cluster.instances_of(self.node)
        if not instances or self.given["mode"] == "secondary-only":
            return {"jobs": []}
        self.run.info(f"Evacuating instances from node '{self.node.name}': {', '.join(i.name for i in instances)}")
        stuck = [i for i in instances if i.disk_template not in placement.MOVABLE]
        if stuck:
            listed = ", ".join(f"{i.name} (Instances of type {i.disk_template} cannot be relocated)" for i in stuck)
            self.run.warn(f"Unable to evacuate instances {listed}")
            raise base.ExecError(f"Unable to evacuate instances {listed}")
        self.pause()
        children = []
        for instance in instances:
            opcode = "OP_INSTANCE_MIGRATE" if instance.running and not self.node.offline else "OP_INSTANCE_FAILOVER"
            given = {"instance_name": instance.name, "iallocator": self.given["iallocator"]}
            if opcode == "OP_INSTANCE_FAILOVER":
                given["ignore_consistency"] = True
            children.append(self.child(opcode, given))
        return {"jobs": children}


class NodeSetParams(NodeUnit):
    """OP_NODE_SET_PARAMS: the flags offline, drained and master_candidate."""

    FLAGS = ("master_candidate", "offline", "drained")

    def check(self) -> None:
        wanted = {name: self.given[name] for name in self.FLAGS if self.given[name] is not None}
        if not wanted:
            raise base.PrereqError("Please pass at least one modification", "wrong_input")
        if self.node is self.cluster.master:
            raise base.PrereqError("The master role can be changed only via master-failover", "wrong_input")
        self.wanted = wanted

    def hook(self) -> base.Hook:
        env = {"MASTER_CANDIDATE": str(self.given["master_candidate"]), "OFFLINE": str(self.given["offline"])}
        env |= {"DRAINED": str(self.given["drained"]), "NODE_NAME": self.node.name}
        return base.Hook("node-modify", env, object_type="NODE", target=self.node.name)

    def execute(self) -> list[list[str]]:
        wanted = dict(self.wanted)
        if wanted.get("offline") or wanted.get("drained"):
            wanted.setdefault("master_candidate", False)
        elif (wanted.get("offline") is False or wanted.get("drained") is False) and "master_candidate" not in wanted:
            self.run.info("Auto-promoting node to master candidate")
            wanted["master_candidate"] = True
        if wanted.get("offline") is False and self.node.offline:
            self.run.warn(
                "Transitioning node from offline to online state without using re-add. "
                "Please make sure the node is healthy!"
            )
        self.pause()
        changed = []
        with self.cluster.lock:
            for name in self.FLAGS:
                if name in wanted and getattr(self.node, name) != wanted[name]:
                    setattr(self.node, name, wanted[name])
                    changed.append([name, str(wanted[name])])
            self.cluster.save(self.node)
        return changed
