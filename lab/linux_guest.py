"""A guest that boots Linux, takes the address and prints the files of the disk labelled for cloud-init.

Debian's cloud kernel, and an initrd of busybox and the modules that it takes to read that disk and to be on a network.
It prints on its serial console.
"""

from pathlib import Path

from lab import initrd

FILES = ("meta-data", "user-data", "vendor-data", "network-config")
BEGIN, END = "SYROS-SEED-BEGIN", "SYROS-SEED-END"

_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "isofs", "nls_utf8")

# It prints again and again: whoever connects to the console late still sees it.
_SCRIPT = r"""
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


def write_initrd(path: Path) -> None:
    """Write the initrd that goes with `initrd.kernel`."""
    script = _SCRIPT.format(begin=BEGIN, end=END, files=" ".join(FILES))
    initrd.write(path, script=script, modules=_MODULES, folders=("seed",))
