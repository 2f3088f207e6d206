"""The lab's smallest guest: a boot sector that greets on the first serial port and obeys the power button.

It needs 16 MiB of memory, no kernel, and a second to boot. It greets about once a second, so that whoever connects to
its console late still sees it, and powers off by ACPI, so that a graceful stop is one.
"""

import subprocess
import tempfile
from pathlib import Path

GREETING = "SYROS-GUEST-READY"
RESCUE_GREETING = "SYROS-RESCUE-READY"
SECTOR = 512
LOADED_AT = 0x7C00

# 16-bit code. SeaBIOS puts the ACPI registers (ACPI 6.5, 4.8.3) at 0x600: status, +2 enable, +4 control. Text follows.
CODE = bytes.fromhex(
    "31c0 8ed8 8ed0 bc007c"  # ax, ds, ss = 0; sp = 0x7c00
    "ba0206 b80001 ef"  # enable the power button: bit 8 of PM1_EN
    "fb fc"  # sti; cld
    # 12 greet:
    "be3b7c baf803"  # si = text; dx = serial port
    # 18 next:
    "ac 84c0 7403 ee ebf8"  # al = [si++]; while al: out dx, al
    "b91200"  # cx = 18 ticks of 55 ms
    # 23 tick:
    "f4 ba0006 ed f6c401 7504"  # hlt; if bit 8 of PM1_STS: goto off
    "e2f4 ebe1"  # loop tick; goto greet
    # 31 off:
    "ba0406 b80020 ef"  # PM1_CNT = sleep enable, type 0: soft off
    "f4 ebfd"  # hlt for good
)
TEXT_AT = LOADED_AT + len(CODE)


def boot_sector(greeting: str = GREETING) -> bytes:
    """The 512 bytes of a disk that prints this line when it is booted."""
    code = CODE + f"{greeting}\r\n".encode("ascii") + b"\0"
    if len(code) > SECTOR - 2:
        raise ValueError(f"{len(greeting)} characters do not fit in a boot sector")
    return code.ljust(SECTOR - 2, b"\0") + b"\x55\xaa"


def write_image(path: Path, *, size: int = 1 << 20, greeting: str = GREETING) -> None:
    """Write a sparse raw disk image that boots to the greeting."""
    with path.open("wb") as image:
        image.write(boot_sector(greeting))
        image.truncate(size)


def write_iso(path: Path, *, greeting: str = RESCUE_GREETING) -> None:
    """Write a CD image that boots to the greeting, by El Torito without emulation."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "boot.bin").write_bytes(boot_sector(greeting))
        boot = ("-b", "boot.bin", "-no-emul-boot", "-boot-load-size", "1")
        command = ["xorriso", "-as", "mkisofs", "-quiet", *boot, "-o", str(path), folder]
        subprocess.run(command, check=True, capture_output=True)
