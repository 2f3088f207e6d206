"""A real Ganeti cluster on this machine, in nodes of the lab: one node, or three with live migration.

Several clusters may run side by side; nothing of a cluster is on the host but a folder and one network link.
"""

import datetime
import json
import os
import secrets
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import IO, Any

from lab import certificate, link, node, process, release, scratch

RAPI_PORT = 5080
CLUSTER_HOST = 1
FIRST_NODE_HOST = 11
DOMAIN = "lab.test"
RAPI_USER = "syros"
IMAGES = "/srv/syros/images"
SHARED_STORAGE = "/srv/ganeti/shared-file-storage"
FILE_STORAGE = "/srv/ganeti/file-storage"
OS_FOLDER = "/usr/share/ganeti/os"
POLICY = (
    "min:cpu-count=1,disk-count=0,disk-size=1,memory-size=16,nic-count=0,spindle-use=1"
    "/max:cpu-count=64,disk-count=16,disk-size=1048576,memory-size=131072,nic-count=16,spindle-use=12"
)
KVM = {
    # Without a kernel of its own at once, the default one's absence fails each later change of the hypervisor.
    "kernel_path": "",
    "initrd_path": "",
    # Named `kvm`, QEMU insists on /dev/kvm; under its full name it emulates where there is none.
    "kvm_path": "/usr/bin/qemu-system-x86_64",
    "kvm_flag": "disabled",
    "vnc_bind_address": "0.0.0.0",
    "serial_console": "true",
    "security_model": "none",
}
TOOLS = ("gnt-cluster", "qemu-system-x86_64", "unshare", "nsenter", "ip", "socat", "sshd")
DAEMON_UTIL = "/usr/lib/ganeti/daemon-util"

Progress = Callable[[str], None]


def unavailable() -> str | None:
    """Why this machine cannot run a cluster, or None."""
    if os.geteuid() != 0:
        return "Ganeti needs root"
    absent = [tool for tool in TOOLS if shutil.which(tool, path=node.ENVIRONMENT["PATH"]) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


class Cluster:
    """One cluster; `start` it once, `stop` leaves no trace of it.

    The folder is the cluster's own and goes with it. The version is the host's unless another is named ("3.1").
    """

    def __init__(self, folder: Path, nodes: int = 1, *, name: str = "cluster", version: str = "") -> None:
        self.folder = folder
        self.version = version or release.of_host()
        self.cluster_name = f"{name}.{DOMAIN}"
        self.rapi_user = RAPI_USER
        self.rapi_password = secrets.token_urlsafe(18)
        self.ca_file = folder / "rapi-ca.pem"
        self.images = folder / "images"  # the nodes see it as IMAGES
        self.hooks_dir = "/etc/ganeti/hooks"
        self.cluster_uuid = ""
        self._count = nodes
        self._nodes: list[node.Node] = []
        self._exposed: dict[int, process.Guarded] = {}
        self._link: link.Link | None = None

    @property
    def network(self) -> link.Link:
        if self._link is None:
            raise process.LabError(f"{self.cluster_name} is not started")
        return self._link

    @property
    def nodes(self) -> list[str]:
        """The nodes' names, as Ganeti knows them."""
        return [self._node_name(number) for number in self._numbers]

    @property
    def machines(self) -> Sequence[node.Node]:
        """The nodes themselves, while the cluster is up."""
        return self._nodes

    @property
    def rapi_url(self) -> str:
        """Where RAPI answers, on the address that follows the master."""
        return f"https://{self.network.address(CLUSTER_HOST)}:{RAPI_PORT}"

    def start(self, progress: Progress = lambda _: None) -> None:
        """Bring it up, from nothing to a RAPI that answers."""
        began = time.monotonic()

        def told(what: str) -> None:
            progress(f"{self.cluster_name}: {what} ({time.monotonic() - began:.1f} s)")

        link.sweep()
        self._link = link.claim()
        try:
            self._boot_all()
            told(f"{self._count} node(s) up")
            if self.version != release.of_host():
                with futures.ThreadPoolExecutor() as pool:
                    list(pool.map(lambda machine: release.install(machine, self.version), self._nodes))
                told(f"Ganeti {self.version} installed")
            self._init()
            told("cluster made")
            for number in self._numbers[1:]:
                self.run(["gnt-node", "add", "--no-ssh-key-check", self._node_name(number)])
                # A node-add starts noded only; confd would wait for the watcher, which nobody runs here.
                self.run([DAEMON_UTIL, "check-and-start", "ganeti-confd"], node=number)
                self._write_rapi_users(number)
                told(f"{self._node_name(number)} added")
            process.wait_until(self._rapi_answers, what=f"{self.rapi_url} does not answer", timeout=60)
            if self._count == 1:
                # hail promises to survive the loss of a node, so on one node it refuses every instance ("FailN1").
                unchecked = {"default_iallocator_params": {"no-capacity-checks": None}}
                self.wait_job(self.rapi("PUT", "/2/modify", unchecked))
            told("RAPI answers")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Power everything off and remove it."""
        for forwarder in self._exposed.values():
            forwarder.kill()
        self._exposed.clear()
        with futures.ThreadPoolExecutor() as pool:
            list(pool.map(node.Node.kill, self._nodes))
        self._nodes.clear()
        if self._link is not None:
            self._link.close()
            self._link = None
        scratch.remove(self.folder)

    def run(
        self, command: Sequence[str], node: int = 1, *, stdin: str = "", timeout: float = 300.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a node (counted from 1) to its end; LabError if it fails, unless `check` is off."""
        return self._nodes[node - 1].run(command, stdin=stdin, timeout=timeout, check=check)

    def popen(
        self,
        command: Sequence[str],
        node: int = 1,
        *,
        env: Mapping[str, str] | None = None,
        stdout: IO[Any] | int | None = None,  # as subprocess.Popen takes it
        stderr: IO[Any] | int | None = None,
    ) -> node.NodeProcess:
        """Start a long-running command on a node; the checkout and its virtualenv are at their usual paths there."""
        return self._nodes[node - 1].popen(command, env=env, stdout=stdout, stderr=stderr)

    def expose(self, port: int) -> str:
        """Let nodes reach a server that listens on the host's loopback; the address they find it at, "host:port"."""
        address = self.network.host_address
        if port not in self._exposed:
            command = ["socat", f"TCP-LISTEN:{port},bind={address},fork,reuseaddr", f"TCP:127.0.0.1:{port}"]
            self._exposed[port] = process.Guarded(command, log=self.folder / f"expose-{port}.log")
        return f"{address}:{port}"

    def install(self, source: Path, target: str) -> None:
        """Copy a file or folder of the checkout to that path on each node."""
        for number in self._numbers:
            self.run(["mkdir", "-p", str(Path(target).parent)], node=number)
            self.run(["cp", "-rT", "--preserve=mode", str(source), target], node=number)

    def queue_dir(self) -> str:
        """The job queue, as seen from inside a node."""
        return "/var/lib/ganeti/queue"

    def kill_node(self, number: int) -> None:
        """Cut its power: guests die too, disks stay."""
        self._nodes[number - 1].kill()

    def boot_node(self, number: int) -> None:
        """Power a killed node on again and start its daemons."""
        self._nodes[number - 1].boot()
        self._start_sshd(number)
        # A former master's wconfd and luxid rightly refuse to start when the others vote against it.
        self.run([DAEMON_UTIL, "start-all"], node=number, check=False)

    def rapi(self, method: str, path: str, body: object = None) -> Any:
        """One RAPI call, the server's certificate verified; the decoded JSON answer, whatever its shape."""
        url = f"{self.rapi_url}{path}"
        manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
        manager.add_password(None, url, self.rapi_user, self.rapi_password, is_authenticated=True)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca_file))),
            urllib.request.HTTPBasicAuthHandler(manager),
        )
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, method=method, data=data, headers={"Content-Type": "application/json"})
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)

    def wait_job(self, job: int, *, timeout: float = 120.0) -> dict[str, Any]:
        """Wait for the end of a job and give it as RAPI does; LabError unless it succeeds."""
        process.wait_until(
            lambda: self.rapi("GET", f"/2/jobs/{job}")["status"] in ("success", "error", "canceled"),
            what=f"job {job} does not end",
            timeout=timeout,
            every=0.2,
        )
        ended: dict[str, Any] = self.rapi("GET", f"/2/jobs/{job}")
        if ended["status"] != "success":
            raise process.LabError(f"job {job} ended with {ended['status']}: {ended['opresult']}")
        return ended

    def _rapi_answers(self) -> bool:
        try:
            self.cluster_uuid = self.rapi("GET", "/2/info")["uuid"]
        except OSError:  # urllib's errors are OSErrors too: refused, 401 while the users file is not read yet, 5xx
            return False
        return True

    @property
    def _numbers(self) -> range:
        return range(1, self._count + 1)

    def _node_name(self, number: int) -> str:
        return f"node{number}.{DOMAIN}"

    def _boot_all(self) -> None:
        shared = self.folder / "shared"
        for each in (self.folder, shared, self.images):
            each.mkdir(parents=True, exist_ok=True)
            each.chmod(0o755)
        files = self._files()
        private = ("/root/.ssh/id_ed25519", "/root/.ssh/authorized_keys", "/etc/ssh/ssh_host_rsa_key")
        modes = dict.fromkeys(private, "600")
        for number in self._numbers:
            plan = node.Plan(
                hostname=self._node_name(number),
                host=FIRST_NODE_HOST + number - 1,
                disk=self.folder / f"node{number}",
                binds=[(str(shared), SHARED_STORAGE, "rw"), (str(self.images), IMAGES, "rw")],
                files={**files, "/etc/hostname": f"{self._node_name(number)}\n"},
                modes=modes,
            )
            self._nodes.append(node.Node(plan, self.network))
        with futures.ThreadPoolExecutor() as pool:
            list(pool.map(node.Node.boot, self._nodes))
            list(pool.map(self._start_sshd, self._numbers))
        self.install(Path(__file__).with_name("os") / "plain", f"{OS_FOLDER}/plain")

    def _files(self) -> dict[str, str]:
        address = self.network.address
        hosts = ["127.0.0.1 localhost", f"{address(CLUSTER_HOST)} {self.cluster_name}"]
        for number in self._numbers:
            hosts.append(f"{address(FIRST_NODE_HOST + number - 1)} {self._node_name(number)} node{number}")
        files = {
            "/etc/hosts": "\n".join(hosts) + "\n",
            "/etc/ganeti/file-storage-paths": f"{FILE_STORAGE}\n{SHARED_STORAGE}\n",
            "/etc/default/ganeti": 'RAPI_ARGS="-b 0.0.0.0 --require-authentication"\n',
        }
        # Ganeti gives each node the master's host key when it joins, and asks for an RSA one even on a single node.
        host = self._ssh_key("rsa")
        files["/etc/ssh/ssh_host_rsa_key"] = host.read_text()
        files["/etc/ssh/ssh_host_rsa_key.pub"] = host.with_suffix(".pub").read_text()
        if self._count > 1:
            root = self._ssh_key("ed25519")
            files["/root/.ssh/id_ed25519"] = root.read_text()
            files["/root/.ssh/authorized_keys"] = root.with_suffix(".pub").read_text()
            files["/root/.ssh/config"] = "StrictHostKeyChecking no\n"
        return files

    def _ssh_key(self, kind: str) -> Path:
        key = self.folder / f"ssh-{kind}"
        process.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "lab", "-f", str(key)])
        return key

    def _start_sshd(self, number: int) -> None:
        if self._count > 1:
            self.run(["/usr/sbin/sshd", "-o", "PidFile=/run/sshd.pid"], node=number)

    def _init(self) -> None:
        key, chain = certificate.make(
            self.cluster_name,
            names=[self.cluster_name],
            addresses=[self.network.address(CLUSTER_HOST)],
            now=datetime.datetime.now(datetime.UTC),
        )
        self.ca_file.write_text(chain)
        self._write_rapi_users(1)
        hypervisor = ",".join(f"{key}={value}" for key, value in {**KVM, **release.KVM[self.version]}.items())
        command = ["gnt-cluster", "init", "--no-ssh-init", "--no-etc-hosts", "--enabled-hypervisors=kvm,fake"]
        command += ["--enabled-disk-templates=sharedfile,file,diskless", "--default-iallocator=hail"]
        command += ["--master-netdev=br0", "--nic-parameters=link=br0,mode=bridged"]
        command += [f"--ipolicy-bounds-specs={POLICY}", "--ipolicy-vcpu-ratio=64", "-H", f"kvm:{hypervisor}"]
        self.run([*command, self.cluster_name])
        # The certificate that Ganeti makes is in the name of "ganeti.com": no client can verify it by address.
        self.run(["sh", "-c", "cat > /var/lib/ganeti/rapi.pem"], stdin=key + chain)
        for order in ("stop", "start"):
            self.run([DAEMON_UTIL, order, "ganeti-rapi"])

    def _write_rapi_users(self, number: int) -> None:
        users = "/var/lib/ganeti/rapi/users"
        script = f"mkdir -p {Path(users).parent} && umask 077 && cat > {users} && chown gnt-rapi:gnt-masterd {users}"
        self.run(["sh", "-c", script], node=number, stdin=f"{self.rapi_user} {self.rapi_password} write\n")
