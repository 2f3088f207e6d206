"""A guest that boots Linux, takes the address and prints the files of the disk labelled for cloud-init.

Debian's cloud kernel, and an initrd of busybox and the modules that it takes to read that disk and to be on a network.
It prints on its serial console.
"""

import gzip
import stat
from collections.abc import Mapping
from pathlib import Path

from lab import process

BUSYBOX = Path("/usr/bin/busybox")
FILES = ("meta-data", "user-data", "vendor-data", "network-config")
BEGIN, END = "SYROS-SEED-BEGIN", "SYROS-SEED-END"

_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "isofs", "nls_utf8")

# It prints again and again: whoever connects to the console late still sees it.
_INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t devtmpfs none /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
until mount -t iso9660 -o ro "$(findfs LABEL=cidata)" /seed 2>/dev/null; do sleep 1; done
# the one address on a line of its own in what is written for us
address=$(sed -n 's|^ *"\([0-9.]*/[0-9]*\)"$|\1|p' /seed/network-config | head -n 1)
if [ -n "$address" ]; then ip address add "$address" dev eth0; ip link set eth0 up; fi
while true; do
    echo {begin}
    for file in {files}; do echo "--- $file"; cat "/seed/$file"; echo; done
    echo {end}
    sleep 2
done
"""


def unavailable() -> str | None:
    """Why this machine cannot make one, or None."""
    if not BUSYBOX.exists():
        return "not installed: busybox-static"
    return None if _kernels() else "not installed: linux-image-cloud-amd64"


def kernel() -> Path:
    """The newest cloud kernel of this machine."""
    return max(_kernels(), key=lambda path: path.stat().st_mtime)


def write_initrd(path: Path) -> None:
    """Write the initrd that goes with `kernel`."""
    modules = _modules(kernel().name.removeprefix("vmlinuz-"))
    init = _INIT.format(begin=BEGIN, end=END, files=" ".join(FILES))
    files = {
        "init": init.encode(),
        "bin/busybox": BUSYBOX.read_bytes(),
        "modules/order": "".join(f"{name}\n" for name in modules).encode(),
        **{f"modules/{name}": content for name, content in modules.items()},
    }
    path.write_bytes(gzip.compress(_cpio(("bin", "dev", "modules", "proc", "seed"), files), 1))


def _kernels() -> list[Path]:
    return [path for path in Path("/boot").glob("vmlinuz-*-cloud-amd64") if _tree(path).is_dir()]


def _tree(image: Path) -> Path:
    return Path("/lib/modules") / image.name.removeprefix("vmlinuz-")


def _modules(version: str) -> Mapping[str, bytes]:
    """The modules' files in the order in which they can be loaded: modules.dep names the needed ones last first."""
    tree = Path("/lib/modules") / version
    needs = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        file, _, needed = line.partition(":")
        needs[Path(file).name.partition(".")[0]] = [file, *needed.split()]
    found: dict[str, bytes] = {}
    for module in _MODULES:
        for file in reversed(needs.get(module, [])):
            if not file.endswith(".ko"):
                raise process.LabError(f"{file} is compressed: busybox loads plain modules only")
            found.setdefault(Path(file).name, (tree / file).read_bytes())
    return found


def _cpio(folders: tuple[str, ...], files: Mapping[str, bytes]) -> bytes:
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
