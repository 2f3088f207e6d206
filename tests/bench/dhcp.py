"""nfdhcpd's packets per second, against a floor measured in the same run: a loop that gives verdicts, and no more.

Each has a node, a guest and a queue of the kernel's of its own. A measurement stops the process, has the guest fill
the queue, lets the process go on, and takes the time until no packet waits: who sends costs nothing of it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import bindings
from common.bindings import Binding, Ipv4, Ipv6, Ipv6Mode
from lab import process, scratch
from tests.bench import figures
from tests.support import taps

PACKETS = 1000
ROUNDS = 20
BINDINGS = 1000

_DATA = Path(__file__).parents[1] / "data" / "nfdhcpd"
_QUEUES = Path("/proc/net/netfilter/nfnetlink_queue")
_LENGTH = 4096
_LOOK = 0.0005
#: what the guest runs: sends a frame so often
_SEND = """
import socket, sys
frame, times = bytes.fromhex(sys.argv[1]), int(sys.argv[2])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind(("eth0", 0))
for _ in range(times):
    out.send(frame)
"""


@dataclass(frozen=True)
class Kind:
    """What is sent: recorded of a client, with how nfdhcpd counts it."""

    what: str
    recording: str
    name: str
    queue: int
    destination: str
    ethertype: str
    answered: str


KINDS = (
    Kind("DHCPDISCOVER", "udhcpc", "dhcp4 discover", 42, "ff" * 6, "0800", 'queue="dhcp4",kind="offer"'),
    Kind("DHCPREQUEST", "dhclient", "dhcp4 request-named", 42, "ff" * 6, "0800", 'queue="dhcp4",kind="ack"'),
    Kind("router solicitation", "kernel", "rs solicitation", 43, "333300000002", "86dd", 'queue="rs",kind="ra"'),
)


def measure() -> tuple[list[figures.Figure], list[figures.Size]]:
    """Give the times of a queue of packets each, and the memory. Raises RuntimeError if a packet got no answer."""
    with _folder() as folder, _bed(folder / "nfdhcpd") as served:
        guest = served.guest(1)
        served.spawn()
        served.bind(_binding(1))
        with _bed(folder / "floor") as bare:
            bare_guest = bare.guest(1)
            speeds = [figure for kind in KINDS for figure in _speed(kind, served, guest, bare, bare_guest)]
        served.end_daemon()
        return speeds, _memory(served)


def _speed(
    kind: Kind, served: taps.Bed, guest: taps.Guest, bare: taps.Bed, bare_guest: taps.Guest
) -> Iterator[figures.Figure]:
    answered: list[float] = []
    floor: list[float] = []
    metric = f"syros_nfdhcpd_answered_total{{{_ordered(kind.answered)}}}"
    before = served.metric(metric)
    with _verdicts(bare, kind.queue) as loop:
        for _ in range(ROUNDS):
            answered.append(_drain(kind, served, guest, served.daemon_pid))
            floor.append(_drain(kind, bare, bare_guest, loop))
    done = served.metric(metric) - before
    if done != PACKETS * ROUNDS:
        raise RuntimeError(f"{kind.what}: {done:.0f} answers to {PACKETS * ROUNDS} packets")
    what = f"{PACKETS} of {kind.what}"
    slow, fast = figures.of(what, answered), figures.of(f"{what}, the floor", floor)
    note = f"{slow.median / fast.median:.1f} times the floor; {_rate(slow)}"
    yield figures.Figure(slow.what, slow.samples, slow.median, slow.p99, note)
    yield figures.Figure(fast.what, fast.samples, fast.median, fast.p99, _rate(fast))


def _rate(figure: figures.Figure) -> str:
    return f"{PACKETS / figure.median * 1000:,.0f} a second"


def _ordered(labels: str) -> str:
    return ",".join(sorted(labels.split(",")))


def _drain(kind: Kind, bed: taps.Bed, guest: taps.Guest, pid: int) -> float:
    """Fill the queue while its reader is stopped; give the seconds that the reader then needs."""
    queues = Path(f"/proc/{pid}") / _QUEUES.relative_to("/proc")
    os.kill(pid, signal.SIGSTOP)
    try:
        guest.run(sys.executable, "-c", _SEND, _frame(kind), str(PACKETS))
        process.wait_until(
            lambda: _waiting(queues, kind.queue) == PACKETS, what=f"of {PACKETS} packets some are lost", timeout=30
        )
        start = time.perf_counter()
    finally:
        os.kill(pid, signal.SIGCONT)
    while _waiting(queues, kind.queue):
        time.sleep(_LOOK)
    return time.perf_counter() - start


def _waiting(queues: Path, number: int) -> int:
    """Tell how many packets of a queue have no verdict yet (nfnetlink_queue.c, seq_show)."""
    for line in queues.read_text().splitlines():
        fields = line.split()
        if int(fields[0]) == number:
            return int(fields[2])
    raise RuntimeError(f"nobody reads queue {number}")


def _frame(kind: Kind) -> str:
    for line in (_DATA / f"{kind.recording}.hex").read_text().splitlines():
        name, _, data = line.rpartition(" ")
        if name == kind.name:
            return kind.destination + _binding(1).mac.replace(":", "") + kind.ethertype + data
    raise RuntimeError(f"there is no {kind.name} in {kind.recording}.hex")


def _memory(bed: taps.Bed) -> list[figures.Size]:
    """Give what nfdhcpd has in memory without bindings, and with a thousand, each with its tap."""
    bindings.remove(bed.bindings, "tap1")
    orders = "".join(
        f"link add tap{number} type veth peer name end{number}\nlink set end{number} up\nlink set tap{number} up\n"
        for number in range(2, BINDINGS + 2)
    )
    batch = ["ip", "-n", bed.node, "-batch", "-"]
    subprocess.run(batch, input=orders, text=True, check=True, capture_output=True, timeout=120)
    bed.spawn()
    empty = _resident(bed.daemon_pid)
    for number in range(2, BINDINGS + 2):
        bindings.write(bed.bindings, _binding(number))
    process.wait_until(lambda: bed.metric("syros_nfdhcpd_nics") == BINDINGS, what="bindings not read", timeout=120)
    full = _resident(bed.daemon_pid)
    each = f"{(full - empty) / BINDINGS:.1f} KiB a binding"
    return [figures.Size("without bindings", empty), figures.Size(f"with {BINDINGS}", full, each)]


def _resident(pid: int) -> int:
    """Give a process's resident memory in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has ended")


def _binding(number: int) -> Binding:
    """A whole one: both IP versions, name servers, names."""
    high, low = divmod(number + 9, 256)
    return Binding(
        interface=f"tap{number}",
        instance=f"syros-{number:08x}-0000-4000-8000-000000000000",
        mac=f"02:53:79:00:{number >> 8:02x}:{number & 255:02x}",
        link="br0",
        hostname=f"web-{number}",
        domain="example.org",
        ipv4=Ipv4(
            address=ipaddress.IPv4Address(f"192.0.{2 + high}.{low}"),
            subnet=ipaddress.IPv4Network("192.0.0.0/20"),
            gateway=ipaddress.IPv4Address("192.0.2.1"),
            nameservers=(ipaddress.IPv4Address("192.0.2.53"),),
        ),
        ipv6=Ipv6(
            subnet=ipaddress.IPv6Network("2001:db8::/64"),
            mode=Ipv6Mode.SLAAC,
            nameservers=(ipaddress.IPv6Address("2001:db8::53"),),
        ),
    )


@contextlib.contextmanager
def _verdicts(bed: taps.Bed, queue: int) -> Iterator[int]:
    """Have a bare loop read the queue; give its process."""
    command = ["ip", "netns", "exec", bed.node, sys.executable, "-m", "tests.bench.verdicts", str(queue), str(_LENGTH)]
    started = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        queues = Path(f"/proc/{started.pid}") / _QUEUES.relative_to("/proc")
        process.wait_until(lambda: _read(queues, queue), what="the floor does not read its queue", timeout=30)
        yield started.pid
    finally:
        started.kill()
        started.wait()


def _read(queues: Path, number: int) -> bool:
    return any(int(line.split()[0]) == number for line in queues.read_text().splitlines())


@contextlib.contextmanager
def _bed(folder: Path) -> Iterator[taps.Bed]:
    folder.mkdir()
    bed = taps.Bed(folder)
    try:
        bed.make()
        yield bed
    finally:
        bed.stop()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = scratch.folder("dhcp")
    try:
        yield folder
    finally:
        scratch.remove(folder)
