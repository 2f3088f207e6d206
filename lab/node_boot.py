"""The first process of a node: builds the node's root in fresh namespaces, enters it, and reaps zombies for good.

Started as a script with the path of a plan in JSON (see lab/node.py). The end of standard input means that the owner
is gone: the node then ends, and the kernel ends everything in it.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

PIECES = ("/", "/usr", "/var", "/etc", "/opt", "/root", "/home", "/srv")


def main(orders: str) -> None:
    """Build, enter, report by one line on standard output, and stay."""
    plan = json.loads(Path(orders).read_text())
    disk, root = Path(plan["disk"]), Path(plan["disk"]) / "root"
    _run("mount", "--make-rprivate", "/")
    _overlays(disk, root)
    _pseudo_filesystems(root)
    for source, name, mode in plan["binds"]:
        target = root / name.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        _run("mount", "--bind", source, str(target))
        _run("mount", "-o", f"remount,bind,{mode}", str(target))
    first_boot = not (disk / "installed").exists()
    if first_boot:
        _forget_the_host(root)
        for name, content in plan["files"].items():
            file = root / name.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.write_text(content)
            file.chmod(int(plan["modes"].get(name, "644"), 8))
        (disk / "installed").touch()
    socket.sethostname(plan["hostname"])
    _enter(root)
    print("ready", flush=True)
    _stay()


def _overlays(disk: Path, root: Path) -> None:
    # An overlay shows one filesystem, not what is mounted on it, so each mounted piece of the system gets its own.
    for piece in PIECES:
        if piece != "/" and not os.path.ismount(piece):
            continue
        name = piece.strip("/") or "slash"
        upper, work, target = disk / "upper" / name, disk / "work" / name, root / piece.lstrip("/")
        for folder in (upper, work, target):
            folder.mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={piece},upperdir={upper},workdir={work}"
        _run("mount", "-t", "overlay", "overlay", "-o", options, str(target))


def _pseudo_filesystems(root: Path) -> None:
    _run("mount", "-t", "proc", "proc", str(root / "proc"))
    # Ganeti's ifup reads /sys/class/net: it must show this network namespace.
    _run("mount", "-t", "sysfs", "sysfs", str(root / "sys"))
    _run("mount", "--rbind", "/dev", str(root / "dev"))
    for name in ("dev/shm", "run", "tmp"):
        _run("mount", "-t", "tmpfs", "tmpfs", str(root / name))
        (root / name).chmod(0o755 if name == "run" else 0o1777)
    for name in ("run/lock", "run/sshd"):
        (root / name).mkdir()


def _forget_the_host(root: Path) -> None:
    for name in ("var/lib/ganeti", "var/log/ganeti", "srv/ganeti", "root/.ssh", "etc/ganeti/hooks"):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in ("var/lib/ganeti", "var/log/ganeti", "srv/ganeti/file-storage", "etc/ganeti/hooks"):
        (root / name).mkdir(parents=True)
    (root / "root/.ssh").mkdir(mode=0o700)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()


def _enter(root: Path) -> None:
    os.chdir(root)
    old = root / ".old"
    old.mkdir(exist_ok=True)
    _run("pivot_root", ".", ".old")
    os.chroot(".")
    os.chdir("/")
    _run("umount", "-l", "/.old")


def _stay() -> None:
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if 0 in ready and not os.read(0, 1):
            return
        if wake_read in ready:
            os.read(wake_read, 512)
            _reap()


def _reap() -> None:
    # Ganeti takes a zombie QEMU for a live one and waits minutes for it.
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1])
