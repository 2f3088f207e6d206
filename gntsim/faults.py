"""What can befall a running simulator: the knobs, and everything that happens to a cluster from outside."""

from typing import Any

from gntsim import cluster, jobs, knobs, objects, queue, scheduler


class Faults:
    """Python access to all faults of one simulator; `/sim/...` calls the same methods."""

    def __init__(
        self, dials: knobs.Knobs, state: cluster.Cluster, runner: scheduler.Scheduler, disk: queue.JobQueue
    ) -> None:
        self._knobs = dials
        self._cluster = state
        self._scheduler = runner
        self._queue = disk

    # -- the knobs --------------------------------------------------------------------------------------------------

    def fail(self, kind: knobs.Fault | str, opcode: str | None = None, **options: Any) -> None:
        """Make coming jobs fail: see knobs.Fault and knobs.JobFault."""
        self._knobs.fail(kind, opcode, **options)

    def break_rapi(self, kind: knobs.Rapi | str, **options: Any) -> None:
        """Make coming requests fail: see knobs.Rapi and knobs.RapiFault."""
        self._knobs.break_rapi(kind, **options)

    def turn(self, **dials: Any) -> None:
        """Set dials: see knobs.Dials."""
        self._knobs.turn(**dials)
        self._scheduler.nudge()

    def clear(self) -> None:
        """Take back every fault that was commanded; what already happened stays."""
        self._knobs.clear()
        self._scheduler.nudge()

    def show(self) -> dict[str, Any]:
        return self._knobs.show()

    # -- the queue --------------------------------------------------------------------------------------------------

    def drain(self, drained: bool = True) -> None:
        self._queue.drain(drained)

    def archive(self, ids: list[int] | None = None, *, older_than: float = 0.0) -> int:
        """Archive the given finished jobs, or all that ended at least so many seconds ago; how many were."""
        return self._scheduler.archive(ids, older_than=older_than)

    def purge(self) -> None:
        """Delete all archived jobs."""
        self._scheduler.purge()

    def kill_job(self, job_id: int, *, detect_after: float | None = None) -> bool:
        """Kill a job's process; after a while its opcodes end in error, all of them."""
        return self._scheduler.kill(job_id, detect_after=detect_after)

    def release_job(self, job_id: int) -> bool:
        """Let a stuck job go on."""
        return self._scheduler.release(job_id)

    def operator_job(self, command: str, opcode: str, given: dict[str, Any]) -> int:
        """Submit a job as an operator's tool does, e.g. ("gnt-instance shutdown", "OP_INSTANCE_SHUTDOWN", {...})."""
        tool, _, action = command.partition(" ")
        trail = [jobs.trail_entry(f"gnt:client:{tool}", action)]
        return self._scheduler.submit([jobs.make_op(opcode, given, trail=trail)])

    # -- the world --------------------------------------------------------------------------------------------------

    def node(self, name: str, *, alive: bool | None = None, offline: bool | None = None) -> None:
        """Switch a node off or on, or mark it offline or not; guests die with their node."""
        state = self._cluster
        with state.lock:
            node = self._node(name)
            if offline is not None:
                node.offline = offline
            if alive is not None:
                node.alive = alive
            state.save(node)
            if alive is False:
                for instance in state.instances_of(node):
                    if instance.running:
                        instance.running = False
                        state.save(instance)

    def guest_poweroff(self, name: str) -> None:
        """A guest switches itself off: the instance becomes ERROR_down."""
        with self._cluster.lock:
            instance = self._cluster.instance(name)
            if instance is None:
                raise KeyError(name)
            instance.running = False
            self._cluster.save(instance)

    def stranger(self, name: str, *, running: bool = True, memory: int = 128, disk: int = 1024) -> str:
        """Put an instance there that nobody asked for, without a job; its UUID."""
        state = self._cluster
        with state.lock:
            instance = objects.Instance(
                name=name,
                pnode=state.master.uuid,
                os=state.settings.oses[0],
                hypervisor=state.settings.hypervisors[0],
                disk_template="sharedfile",
                admin_state="up" if running else "down",
                running=running,
                disks=[objects.Disk(size=disk)],
                beparams={"maxmem": memory, "minmem": memory, "vcpus": 1},
                network_port=state.new_port(),
            )
            state.save(instance)
            return instance.uuid

    def lose_instance(self, name: str) -> None:
        """Make an instance vanish without a job."""
        with self._cluster.lock:
            instance = self._cluster.instance(name)
            if instance is not None:
                self._cluster.remove(instance)

    def move_master(self, name: str) -> None:
        """Make another node the master; readers of ssconf_master_node see it."""
        with self._cluster.lock:
            identity = self._cluster.identity
            identity.master = self._node(name).name
            identity.serial_no += 1
            self._cluster.save_identity()

    def reinitialise(self) -> str:
        """Destroy the cluster and make a new one: empty, another UUID, job ids from 1, the old archive still there."""
        self._scheduler.forget_all()
        with self._cluster.lock:
            self._cluster.initialise()
            return self._cluster.identity.uuid

    def poison(self, poisoned: bool) -> None:
        """Have, or repair, a configuration that no job process can read: every job dies at its start."""
        with self._cluster.lock:
            self._cluster.identity.poisoned = poisoned
            self._cluster.save_identity()

    def _node(self, name: str) -> objects.Node:
        node = self._cluster.node(name)
        if node is None:
            raise KeyError(name)
        return node
