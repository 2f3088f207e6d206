"""A guest that is a whole Debian with systemd and cloud-init, as tenants' images are; it boots Debian's cloud kernel.

The kernel and its initrd come from the node, so the image needs no boot loader; its console is the first serial port.
"""

import shutil
import subprocess
from pathlib import Path

from lab import debian, initrd, process

#: GiB of disk, and MiB of memory, that it needs
DISK, MEMORY = 2, 256

_MIB = 1024 * 1024
_PACKAGES = ("systemd-sysv", "systemd-resolved", "udev", "iproute2", "cloud-init")
#: what a test has no use for, and a third of the whole
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "crc32c_generic", "ext4", "isofs", "nls_utf8")
_BUILD_TIMEOUT = 900.0
_SCRIPT = """
until mount -t ext4 /dev/vda /root 2>/dev/null; do sleep 1; done
umount /proc
mount --move /dev /root/dev
exec switch_root /root /sbin/init
"""


def unavailable() -> str | None:
    """Why this machine cannot make one, or None."""
    for command in ("mmdebstrap", "mke2fs"):
        if shutil.which(command) is None:
            return f"not installed: {command}"
    return initrd.unavailable()


def write_initrd(path: Path) -> None:
    """Write the initrd that finds the guest's disk and starts what is on it."""
    initrd.write(path, script=_SCRIPT, modules=_MODULES, folders=("root",))


def write_image(path: Path) -> None:
    """Write the disk's image, a file system and no partitions; takes a minute or more, and Debian's packages."""
    root = path.with_suffix(".root")
    try:
        _install(root)
        (root / "etc/hostname").unlink(missing_ok=True)
        (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
        _run("systemctl", "--root", str(root), "enable", "systemd-networkd", "systemd-resolved")
        # nobody waits for addresses that no server in the lab gives
        _run("systemctl", "--root", str(root), "mask", "systemd-networkd-wait-online.service")
        with path.open("wb") as image:
            image.truncate(DISK * 1024 * _MIB)
        _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(path))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _install(root: Path) -> None:
    left_out = [f"--dpkgopt=path-exclude={each}" for each in _LEFT_OUT]
    debian.install(root, _PACKAGES, '--aptopt=Acquire::Languages "none"', *left_out)


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_BUILD_TIMEOUT, check=False
    )
    if done.returncode != 0:
        raise process.LabError(f"{command[0]} failed: {done.stderr[-2000:]}")
