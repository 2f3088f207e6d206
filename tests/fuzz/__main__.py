"""`make fuzz`: a million packets and more, of a fixed seed (or `python -m tests.fuzz COUNT SEED`)."""

from __future__ import annotations

import random
import sys
import time

from tests.fuzz import packets
from tests.unit.nfdhcpd import guests

COUNT, SEED, STEP = 1_200_000, 20_261_127, 50_000


def main(count: int = COUNT, seed: int = SEED) -> None:
    """Feed nfdhcpd's parsers, saying how far that is and what came of it."""
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
    for what, times in total.most_common():
        sys.stdout.write(f"{times:10d}  {what}\n")


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
