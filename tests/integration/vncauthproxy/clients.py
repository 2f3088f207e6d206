"""VNC clients that others wrote: vncdotool (Python), gvnccapture (gtk-vnc) and vncsnapshot (RealVNC 3.3's protocol)."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from common.consoles import Granted
from lab import process
from tests.conftest import missing
from vncauthproxy import rfb

PATIENCE = 120.0

#: the key that every vncviewer scrambles password files by
_FILE_KEY = bytes((23, 82, 107, 6, 35, 78, 88, 7))


def vncdotool(way: Granted, *actions: str) -> subprocess.CompletedProcess[str]:
    """Have vncdotool do this, by RFB 3.8."""
    command = [sys.executable, "-m", "vncdotool.command", "-s", f"{way.host}::{way.port}", "-p", way.secret]
    return _run([*command, *actions])


def vncdotool_capture(way: Granted, path: Path) -> subprocess.CompletedProcess[str]:
    return vncdotool(way, "capture", str(path))


def gvnccapture(way: Granted, path: Path) -> subprocess.CompletedProcess[str]:
    """Have gvnccapture take the screen; it asks a terminal for the password."""
    terminal, stdin = pty.openpty()
    command = [_found("gvnccapture", "gvncviewer"), f"{way.host}:{way.port - 5900}", str(path)]
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            # when it has asked, what is typed is not shown
            process.wait_until(
                lambda: running.poll() is not None or not termios.tcgetattr(terminal)[3] & termios.ECHO,
                what="gvnccapture neither ends nor asks",
                timeout=PATIENCE,
            )
            os.write(terminal, f"{way.secret}\n".encode())
            out, err = running.communicate(timeout=PATIENCE)
        finally:
            running.kill()
            os.close(terminal)
            os.close(stdin)
    return subprocess.CompletedProcess(command, running.returncode, out, err)


def vncsnapshot(way: Granted, path: Path) -> subprocess.CompletedProcess[str]:
    """Have vncsnapshot take the screen, by RFB 3.3: as a JPEG of the best quality."""
    secret = path.with_suffix(".passwd")
    secret.write_bytes(rfb.response(way.secret.encode("ascii").ljust(8, b"\0"), _FILE_KEY))
    command = [_found("vncsnapshot", "vncsnapshot"), "-passwd", str(secret), "-quiet"]
    return _run([*command, f"{way.host}:{way.port - 5900}", str(path)])


CAPTURES: dict[str, tuple[Callable[[Granted, Path], subprocess.CompletedProcess[str]], str]] = {
    "vncdotool": (vncdotool_capture, "png"),
    "gvnccapture": (gvnccapture, "png"),
    "vncsnapshot": (vncsnapshot, "jpg"),
}


def looks(path: Path) -> tuple[tuple[int, int], bytes]:
    """A picture's size, and which of its pixels are bright."""
    with Image.open(path) as picture:
        grey = picture.convert("L").point(lambda value: 255 if value > 127 else 0)
        return grey.size, grey.tobytes()


def _found(name: str, package: str) -> str:
    return shutil.which(name) or missing(f"no {name}: Debian's {package}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
