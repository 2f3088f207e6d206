"""The floor of nfdhcpd's packets: takes each from one queue of the kernel's, drops it, and does nothing else."""

from __future__ import annotations

import select
import sys

from nfdhcpd.nfqueue import Queue

_BATCH = 64


def main(number: int, length: int) -> None:
    """Drop what the queue brings, until a signal ends it."""
    queue = Queue(number, length=length)
    waiting = select.poll()
    waiting.register(queue.fileno(), select.POLLIN)
    while True:
        waiting.poll()
        for packet in queue.read(_BATCH):
            queue.drop(packet)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
