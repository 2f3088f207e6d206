"""Initial RAM disks for guests that boot Debian's cloud kernel: busybox, kernel modules, and a script as init."""

import gzip
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import process

BUSYBOX = Path("/usr/bin/busybox")

#: what each init begins with
_PRELUDE = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t devtmpfs none /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
"""


def unavailable() -> str | None:
    """Why this machine cannot make one, or None."""
    if not BUSYBOX.exists():
        return "not installed: busybox-static"
    return None if _kernels() else "not installed: linux-image-cloud-amd64"


def kernel() -> Path:
    """The newest cloud kernel of this machine."""
    return max(_kernels(), key=lambda path: path.stat().st_mtime)


def write(path: Path, *, script: str, modules: Sequence[str], folders: Sequence[str] = ()) -> None:
    """Write one that goes with `kernel`: it loads these modules, and what they need, and runs the script.

    `folders` are made at its root, to mount something there.
    """
    loaded = _modules(kernel().name.removeprefix("vmlinuz-"), modules)
    files = {
        "init": (_PRELUDE + script).encode(),
        "bin/busybox": BUSYBOX.read_bytes(),
        "modules/order": "".join(f"{name}\n" for name in loaded).encode(),
        **{f"modules/{name}": content for name, content in loaded.items()},
    }
    path.write_bytes(gzip.compress(_cpio(("bin", "dev", "modules", "proc", *folders), files), 1))


def _kernels() -> list[Path]:
    return [path for path in Path("/boot").glob("vmlinuz-*-cloud-amd64") if _tree(path).is_dir()]


def _tree(image: Path) -> Path:
    return Path("/lib/modules") / image.name.removeprefix("vmlinuz-")


def _modules(version: str, wanted: Sequence[str]) -> Mapping[str, bytes]:
    """The modules' files in the order in which they can be loaded: modules.dep names the needed ones last first."""
    tree = Path("/lib/modules") / version
    needs = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        file, _, needed = line.partition(":")
        needs[Path(file).name.partition(".")[0]] = [file, *needed.split()]
    found: dict[str, bytes] = {}
    for module in wanted:
        for file in reversed(needs.get(module, [])):
            if not file.endswith(".ko"):
                raise process.LabError(f"{file} is compressed: busybox loads plain modules only")
            found.setdefault(Path(file).name, (tree / file).read_bytes())
    return found


def _cpio(folders: Sequence[str], files: Mapping[str, bytes]) -> bytes:
    """An archive in the kernel's format (newc; Documentation/driver-api/early-userspace/buffer-format.rst)."""
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in folders]
    entries += [(name, stat.S_IFREG | 0o755, content) for name, content in files.items()]
    out = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        out += b"070701" + "".join(f"{field:08X}" for field in fields).encode() + path
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)
