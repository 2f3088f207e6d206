"""OP_INSTANCE_CREATE and OP_INSTANCE_MULTI_ALLOC."""

import re
from typing import Any

from gntsim import jobs, knobs, objects
from gntsim.opcodes import base, nics, placement

HOSTNAME = re.compile(r"^[a-z0-9_.-]{1,255}$")
FILE_TEMPLATES = frozenset({"file", "sharedfile", "gluster"})
NEEDS_PORT = frozenset({"kvm"})
OS_FAILURE = "OS create script failed (exited with exit code 1), last lines in the log file:\nsimulated failure"


class Create(base.Unit):
    """OP_INSTANCE_CREATE."""

    steps = 5

    def expand(self) -> None:
        given = self.given
        given["helper_startup_timeout"] = 300
        given["helper_shutdown_timeout"] = 7200
        self.added: objects.Instance | None = None
        self.nics: list[objects.Nic] = []
        if given["os_type"] is None and "os-image" not in given["osparams"]:
            raise base.PrereqError("No guest OS or OS image specified", "wrong_input")
        name = str(given["instance_name"])
        if given["name_check"]:
            raise base.PrereqError(
                f"The given name ({name}) does not resolve: Temporary failure in name resolution", "resolver_error"
            )
        if not HOSTNAME.match(name.lower()):
            raise base.PrereqError(f"Invalid hostname '{name}'", "wrong_input")
        self.name = name.lower()
        self._require_new()
        given["instance_name"] = self.name
        if given["disk_template"] in FILE_TEMPLATES and given["file_driver"] is None:
            given["file_driver"] = "loop"
        self.hypervisor = given["hypervisor"] or self.run.settings.hypervisors[0]
        if given["pnode"] is not None:
            given["pnode_uuid"] = placement.named(self.cluster, given["pnode"]).uuid

    def locks(self) -> frozenset[str]:
        return frozenset({f"instance/{self.name}"})

    def shared_locks(self) -> frozenset[str]:
        return frozenset({base.NODES})

    def check(self) -> None:
        self._require_new()
        self._check_cluster_has()
        self._check_policy()
        pnode = self._place()
        self._check_os(pnode)
        self.run.op.forget_private()
        for name in ("osparams_private", "osparams_secret"):
            self.given[name] = self.given[name] or {}
        for index, wanted in enumerate(self.given["nics"]):
            self.nics.append(nics.add(self.run, wanted, index=index, pnode=pnode, creating=True))
        self.instance = self._build(pnode)

    def hook(self) -> base.Hook:
        env = base.instance_env(self.cluster, self.instance, adding=True)
        env["INSTANCE_STATUS"] = str(bool(self.given["start"]))
        return base.Hook("instance-add", env | {"ADD_MODE": "create"}, target=self.name)

    def dry_run_result(self) -> list[str]:
        return [self.instance.pnode]

    def execute(self) -> list[str]:
        run, instance, given = self.run, self.instance, self.given
        pnode = self.cluster.nodes[instance.pnode]
        for index, disk in enumerate(instance.disks):
            run.log(f"* disk {index}, size {format_mib(disk.size)}")
        run.log("* creating instance disks...")
        placement.require_alive(pnode)
        self.pause()
        run.log(f"adding instance {self.name} to cluster config")
        with self.cluster.lock:
            if instance.hypervisor in NEEDS_PORT:
                instance.network_port = self.cluster.new_port()
            self.cluster.save(instance)
            self.added = instance
        run.log("adding disks to cluster config")
        self.pause()
        self._sync_disks()
        self._sync_disks()
        if instance.disks and not given["no_install"] and instance.os:
            run.log("* running the instance OS create scripts...")
            self.pause()
            self._run_os(pnode)
        self.pause()
        if given["start"]:
            run.log("* starting instance...")
            with self.cluster.lock:
                placement.require_alive(pnode)
                instance.admin_state, instance.running = "up", True
                self.cluster.save(instance)
        self.pause()
        return [pnode.name]

    def cleanup(self) -> None:
        if not hasattr(self, "nics"):
            return
        nics.give_back(self.cluster, self.nics)
        if self.added is None:
            self.cluster.macs.difference_update(nic.mac for nic in self.nics)

    def _require_new(self) -> None:
        if self.cluster.instance(self.name):
            raise base.PrereqError(f"Instance '{self.name}' is already in the cluster", "already_exists")

    def _check_cluster_has(self) -> None:
        if self.hypervisor not in self.run.settings.hypervisors:
            enabled = ", ".join(self.run.settings.hypervisors)
            raise base.PrereqError(
                f"Selected hypervisor ({self.hypervisor}) not enabled in the cluster ({enabled})", "wrong_state"
            )
        template = self.given["disk_template"]
        if template not in self.run.settings.disk_templates:
            enabled = ", ".join(self.run.settings.disk_templates)
            raise base.PrereqError(
                f"Cannot create an instance with disk template '{template}'. Cluster allows: {enabled}", "wrong_input"
            )

    def _check_policy(self) -> None:
        beparams = typed_beparams(self.given["beparams"])
        self.beparams = beparams
        memory = beparams.get("maxmem", 128)
        for label, value, low, high in (
            ("memory-size", memory, 1, 1048576),
            ("cpu-count", beparams.get("vcpus", 1), 1, 256),
        ):
            if not low <= value <= high:
                group = self.cluster.default_group()
                raise base.PrereqError(
                    f"Instance allocation to group {group.uuid} ({group.name}) violates policy: "
                    f"{label} value {value} is not in range [{low}, {high}]",
                    "wrong_input",
                )

    def _place(self) -> objects.Node:
        memory = int(self.beparams.get("maxmem", 128))
        disk = sum(int(wanted.get("size", 0)) for wanted in self.given["disks"])
        if self.given["pnode"] is None:
            pnode = placement.choose(self.cluster, memory=memory, disk=disk)
            self.run.info(f"Selected nodes for instance {self.name} via iallocator hail: {pnode.name}")
            self.given["pnode"], self.given["pnode_uuid"] = pnode.name, pnode.uuid
            return pnode
        pnode = placement.named(self.cluster, self.given["pnode"])
        placement.require_usable(pnode)
        placement.require_alive(pnode)
        if self.given["start"]:
            placement.require_memory(self.cluster, pnode, needed=memory, reason=f"creating instance {self.name}")
        return pnode

    def _check_os(self, pnode: objects.Node) -> None:
        os_type = self.given["os_type"]
        if os_type is None or os_type in self.run.settings.oses:
            return
        prefix = f"OS Parameters validation failed on node {pnode.name}: "
        name, _, variant = os_type.partition("+")
        if any(known.startswith(f"{name}+") for known in self.run.settings.oses):
            raise base.ExecError(f"{prefix}OS '{name}' does not support variant '{variant}'")
        raise base.ExecError(f"{prefix}Directory for OS {name} not found in search path")

    def _build(self, pnode: objects.Node) -> objects.Instance:
        given = self.given
        return objects.Instance(
            name=self.name,
            pnode=pnode.uuid,
            os=given["os_type"] or "",
            hypervisor=self.hypervisor,
            disk_template=given["disk_template"],
            nics=self.nics,
            disks=[new_disk(wanted) for wanted in given["disks"]],
            beparams=self.beparams,
            hvparams=dict(given["hvparams"]),
            osparams=dict(given["osparams"]),
            osparams_private=dict(self.run.op.secrets.get("osparams_private") or {}),
            tags=list(dict.fromkeys(given["tags"])),
        )

    def _sync_disks(self) -> None:
        if self.instance.disks:
            self.run.info(f"Waiting for instance {self.name} to sync disks")
            self.run.info(f"Instance {self.name}'s disks are in sync")

    def _run_os(self, pnode: objects.Node) -> None:
        fault = self.run.fault
        if fault is not None and fault.kind is knobs.Fault.OS:
            reason = fault.message or OS_FAILURE
            raise base.ExecError(f"Could not add os for instance {self.name} on node {pnode.name}: {reason}")


class MultiAlloc(base.Unit):
    """OP_INSTANCE_MULTI_ALLOC: places many instances at once and submits one create job for each."""

    def execute(self) -> dict[str, Any]:
        placed = []
        for wanted in self.given["instances"]:
            own = {name: value for name, value in wanted.items() if name not in ("OP_ID", "reason")}
            own["comment"] = "Submitted by OP_INSTANCE_MULTI_ALLOC"
            trail = list(self.run.op.common["reason"])
            job = self.run.submit([jobs.make_op("OP_INSTANCE_CREATE", own, trail=trail)])
            placed.append((own["instance_name"], job))
        self.pause()
        return {
            "allocatable": [name for name, _ in placed],
            "failed": [],
            "jobs": [[True, job] for _, job in placed],
        }


def new_disk(wanted: dict[str, Any]) -> objects.Disk:
    extra = {name: value for name, value in wanted.items() if name not in ("size", "name", "mode")}
    size = max(4, (int(wanted["size"]) + 3) // 4 * 4)
    return objects.Disk(size=size, name=wanted.get("name"), mode=wanted.get("mode") or "rw", params=extra)


def typed_beparams(given: dict[str, Any]) -> dict[str, Any]:
    """Beparams with the numbers as numbers; memory stands for both of its bounds."""
    beparams = dict(given)
    if "memory" in beparams:
        memory = beparams.pop("memory")
        beparams.setdefault("maxmem", memory)
        beparams.setdefault("minmem", memory)
    for name in ("maxmem", "minmem", "vcpus", "spindle_use"):
        if name not in beparams:
            continue
        try:
            beparams[name] = int(beparams[name])
        except (TypeError, ValueError) as err:
            raise base.TypeEnforcementError(f"'{name}' (value {beparams[name]}) is not a valid integer") from err
    return beparams


def format_mib(size: int) -> str:
    """A size as Ganeti prints it for people."""
    if size < 1024:
        return f"{size}M"
    if size < 1024 * 1024:
        return f"{size / 1024:.1f}G"
    return f"{size / 1024 / 1024:.1f}T"
