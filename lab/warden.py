"""Runs one command for an owner, and leaves nothing of it behind when the owner goes away.

Started as a script, with the owner's pipe as standard input. Its end means "stop in good order", a byte `k` means
"kill everything now". Descendants that made themselves daemons are adopted and end with the rest.
Usage: warden.py LOG STOP_SIGNAL COMMAND...
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 15.0


def main(log: str, stop_signal: str, *command: str) -> int:
    """Run the command until it ends or the owner lets go; give its exit status."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # The owner alone decides: a Ctrl-C at the terminal must not reach the server before the owner's own tidy end.
    os.setsid()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    with Path(log).open("ab") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    os.write(1, f"{child.pid}\n".encode())
    deadline: float | None = None
    while child.poll() is None:
        _reap(child.pid)
        watched = [wake_read] if deadline is not None else [0, wake_read]
        ready, _, _ = select.select(watched, [], [], 0.2 if deadline is not None else None)
        if wake_read in ready:
            os.read(wake_read, 512)
        if deadline is not None and time.monotonic() > deadline:
            break
        if 0 in ready:
            if os.read(0, 1) == b"k":
                break
            child.send_signal(int(stop_signal))
            deadline = time.monotonic() + PATIENCE
    _kill_descendants()
    return child.wait()


def _reap(keep: int) -> None:
    for pid in _children(os.getpid()):
        if pid != keep:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _kill_descendants() -> None:
    # Killing a parent hands its children to us, so a few rounds reach everybody.
    while pids := _tree(os.getpid()):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for pid in _children(os.getpid()):
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue


def _tree(root: int) -> list[int]:
    found = []
    for pid in _children(root):
        found += [pid, *_tree(pid)]
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
