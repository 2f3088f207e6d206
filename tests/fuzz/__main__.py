"""`make fuzz`: a million packets, and bytes of consoles, of a fixed seed (or `python -m tests.fuzz COUNT SEED`)."""

from __future__ import annotations

import random
import sys
import time

from tests.fuzz import consoles, packets
from tests.unit.nfdhcpd import guests

#: of packets there are so many for each example that a console's target is fed
PACKETS_PER_EXAMPLE = 120
COUNT, SEED, STEP = 1_200_000, 20_261_127, 50_000


def main(count: int = COUNT, seed: int = SEED) -> None:
    """Feed nfdhcpd's parsers, and then what reads for consoles; say what came of it."""
    _packets(count, seed)
    for name, target in consoles.TARGETS.items():
        _show(name, consoles.feed(target, count // PACKETS_PER_EXAMPLE or 1, seed))


def _packets(count: int, seed: int) -> None:
    dice, nic = random.Random(seed), guests.nic()
    began, done, total = time.monotonic(), 0, packets.Counter[str]()
    while done < count:
        step = min(STEP, count - done)
        total += packets.feed(nic, dice, step)
        done += step
        rate = done / (time.monotonic() - began)
        sys.stderr.write(f"\r{done} of {count} packets, {rate:.0f} per second")
        sys.stderr.flush()
    sys.stderr.write("\n")
    _show("packets", total)


def _show(name: str, total: packets.Counter[str]) -> None:
    sys.stdout.write(f"{name}\n")
    for what, times in total.most_common():
        sys.stdout.write(f"{times:10d}  {what}\n")


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
