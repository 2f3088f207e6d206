"""What an image's file really is, and its conversion: by qemu-img, held to limits, never with a guess at the format.

Whoever uploads a file has written every byte that qemu-img reads: one that names other files of this host, or that
claims an enormous disk, is refused. A raw file is never shown to qemu-img: all that it can be is bytes.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from db.images import DiskFormat

#: bytes of a file's beginning by which it is told what it is
HEAD = 1024

_QCOW2 = b"QFI\xfb"
#: the bit of a qcow2's incompatible features that says that its data is in another file
_EXTERNAL_DATA = 1 << 2
_VMDK = b"KDMV"
_VMDK_TEXT = b"# disk descriptorfile"
#: kinds of VMDK that lie in one file; the others name files with their data
_VMDK_KINDS = ("monolithicSparse", "streamOptimized")
_MEMORY = 2 * 1024**3
_INFO_SECONDS = 30
_PERCENT = re.compile(rb"\(?(\d+)(?:\.\d+)?/100%\)?")


class Refused(Exception):
    """The file is not what it should be; the text is for its owner."""


class Failed(Exception):
    """qemu-img ended badly, or was too slow, and that may be nobody's fault."""


def available() -> bool:
    """Tell whether files other than raw ones can be checked here."""
    return shutil.which("qemu-img") is not None and shutil.which("prlimit") is not None


def kind_of(head: bytes) -> DiskFormat:
    """Tell what a file is by its first bytes; what is nothing else is raw."""
    if head.startswith(_QCOW2):
        return DiskFormat.QCOW2
    if head.startswith(_VMDK) or head[:64].lower().startswith(_VMDK_TEXT):
        return DiskFormat.VMDK
    return DiskFormat.RAW


def check_head(head: bytes, form: DiskFormat) -> None:
    """Refuse a file that is not of the format that its owner named."""
    kind = kind_of(head)
    if kind is not form:
        raise Refused(f"the file is {kind}, by its first bytes, and not {form} as disk_format says")
    if form is DiskFormat.QCOW2:
        _check_qcow2_head(head)
    elif form is DiskFormat.VMDK:
        _check_vmdk_head(head)


def virtual_size(path: Path, form: DiskFormat, *, most: int) -> int:
    """Give the bytes that an image takes on a disk; raises Refused for one that must not be used, Failed."""
    with path.open("rb") as file:
        check_head(file.read(HEAD), form)
    size = path.stat().st_size if form is DiskFormat.RAW else _size_told(_info(path, form), path, form)
    if size > most:
        raise Refused(f"the image takes {size} bytes on a disk; {most} are allowed")
    return size


def convert(path: Path, form: DiskFormat, target: Path, *, tick: Callable[[int], None], seconds: float) -> None:
    """Write an image as qcow2; raises Refused, Failed.

    `tick` is called with the percentage about once a second; what it raises ends the conversion.
    """
    command = ["qemu-img", "convert", "-p", "-f", form.value, "-O", "qcow2", str(path), str(target)]
    process = subprocess.Popen(
        [*_limits(cpu=int(seconds)), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
    )
    try:
        output = _watch(process, tick=tick, deadline=time.monotonic() + seconds)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    if process.returncode < 0:
        raise Failed(f"qemu-img was ended by signal {-process.returncode}")
    if process.returncode:
        raise Refused(f"qemu-img can't convert the file: {_told(output, path)}")


def _check_qcow2_head(head: bytes) -> None:
    """See, before any program opens it, that an image stands alone (QEMU's docs/interop/qcow2.txt)."""
    if len(head) < 104:
        raise Refused("the file ends within its header")
    version, backing = struct.unpack_from(">IQ", head, 4)
    if backing:
        raise Refused("the image refers to another file")
    if struct.unpack_from(">I", head, 32)[0]:
        raise Refused("the image is encrypted")
    if version >= 3 and struct.unpack_from(">Q", head, 72)[0] & _EXTERNAL_DATA:
        raise Refused("the image refers to another file")


def _check_vmdk_head(head: bytes) -> None:
    # a capacity of zero has the reader look for a description, which may name any file of this host
    if not head.startswith(_VMDK) or len(head) < 20 or struct.unpack_from("<Q", head, 12)[0] == 0:
        raise Refused(f"the file is not a VMDK that stands alone ({' or '.join(_VMDK_KINDS)})")


def _watch(process: subprocess.Popen[bytes], *, tick: Callable[[int], None], deadline: float) -> bytes:
    """Read what the conversion prints until it ends; give the last of it."""
    assert process.stdout is not None  # noqa: S101  # for the type checker: it was asked for
    output, percent = b"", 0
    while True:
        ready, _, _ = select.select([process.stdout], [], [], 1.0)
        if ready:
            chunk = os.read(process.stdout.fileno(), 4096)
            if not chunk:
                process.wait(timeout=_INFO_SECONDS)
                return output
            output = (output + chunk)[-2000:]
            percent = max([percent, *(min(100, int(found)) for found in _PERCENT.findall(output))])
        if time.monotonic() > deadline:
            raise Failed("the conversion took too long")
        tick(percent)


# Any: what qemu-img tells is as it comes.
def _info(path: Path, form: DiskFormat) -> Mapping[str, Any]:
    command = ["qemu-img", "info", "-U", "-f", form.value, "--output=json", str(path)]
    try:
        done = subprocess.run(
            [*_limits(cpu=_INFO_SECONDS), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_INFO_SECONDS,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
    except FileNotFoundError as err:
        raise Failed("qemu-img or prlimit is not installed here") from err
    except subprocess.TimeoutExpired as err:
        raise Refused("the file can't be read within reasonable time") from err
    if done.returncode != 0:
        raise Refused(f"the file is not readable as {form}: {_told(done.stderr, path)}")
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def _size_told(info: Mapping[str, Any], path: Path, form: DiskFormat) -> int:
    data = info.get("format-specific", {}).get("data", {})
    if info.get("format") != form:
        raise Refused(f"the file is {info.get('format')}, not {form}")
    if info.get("backing-filename") or info.get("full-backing-filename") or data.get("data-file"):
        raise Refused("the image refers to another file")
    if info.get("encrypted"):
        raise Refused("the image is encrypted")
    if form is DiskFormat.VMDK:
        _check_vmdk(data, path)
    return int(info["virtual-size"])


def _check_vmdk(data: Mapping[str, Any], path: Path) -> None:
    if data.get("create-type") not in _VMDK_KINDS:
        raise Refused(f"a VMDK of the kind {data.get('create-type')} is not taken, {' or '.join(_VMDK_KINDS)} is")
    if any(extent.get("filename") != str(path) for extent in data.get("extents", [])):
        raise Refused("the image refers to another file")


def _limits(*, cpu: int) -> Sequence[str]:
    return ["prlimit", f"--as={_MEMORY}", f"--cpu={max(1, cpu)}", "--core=0", "--"]


def _told(output: bytes, path: Path) -> str:
    """Take what qemu-img said, without the store's own paths."""
    text = output.decode("utf-8", "replace").replace(f"{path.parent}/", "").strip()
    return "".join(char if char.isprintable() else " " for char in text)[-300:]
