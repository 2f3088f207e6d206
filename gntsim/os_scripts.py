"""Runs an OS definition's export script as a node does, on a small file that stands for the disk."""

import dataclasses
import pathlib
import subprocess
import tempfile

from gntsim import objects

PATH = "/sbin:/bin:/usr/sbin:/usr/bin"
TIMEOUT = 600.0
_MIB = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A script's end: its exit status, and the last of what it said."""

    status: int
    output: str


def export(folder: pathlib.Path | None, instance: objects.Instance, index: int) -> Outcome:
    """Export one disk; what the script writes to standard output is taken and forgotten.

    Without a folder of OS definitions, or the instance's own in it, there is nothing to run, and that works.
    """
    name, _, variant = instance.os.partition("+")
    if folder is None or not (folder / name).is_dir():
        return Outcome(0, "")
    with tempfile.NamedTemporaryFile(prefix="gntsim-disk-") as disk:
        disk.write(f"disk {index} of {instance.name}\n".encode())
        disk.truncate(_MIB)
        disk.flush()
        env = _env(instance, name, variant) | {"EXPORT_DEVICE": disk.name, "EXPORT_INDEX": str(index)}
        try:
            done = subprocess.run(
                [str(folder / name / "export")],
                env=env,
                cwd=folder / name,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            return Outcome(1, str(err))
    return Outcome(done.returncode, done.stderr.decode(errors="replace").strip()[-2000:])


def _env(instance: objects.Instance, name: str, variant: str) -> dict[str, str]:
    env = {
        "PATH": PATH,
        "LC_ALL": "C",
        "OS_API_VERSION": "20",
        "OS_NAME": name,
        "OS_VARIANT": variant,
        "INSTANCE_NAME": instance.name,
        "INSTANCE_OS": instance.os,
        "INSTANCE_UUID": instance.uuid,
        "HYPERVISOR": instance.hypervisor,
        "DEBUG_LEVEL": "0",
        "DISK_COUNT": str(len(instance.disks)),
    }
    for number, disk in enumerate(instance.disks):
        env |= {f"DISK_{number}_SIZE": str(disk.size), f"DISK_{number}_UUID": disk.uuid}
        if disk.name is not None:
            env[f"DISK_{number}_NAME"] = disk.name
    return env | {f"OSP_{key.upper()}": str(value) for key, value in instance.osparams.items()}
