"""Real DHCP clients in a guest: started, and what they were told as their scripts tell it."""

import subprocess
from pathlib import Path

from lab import process
from tests.support import taps

#: what every client's script is given, by the names of dhclient or of udhcpc
_SCRIPT = """#!/bin/sh
# clients clear the environment
FACTS="{facts}"
event="${{reason:-$1}}"
env | grep -v '^_' | sed "s/^/$event: /" >> "$FACTS"
address="${{new_ip_address:-$ip}}"
[ -z "$address" ] || ip -4 address replace "$address/24" dev eth0
[ -z "$new_ip6_address" ] || ip -6 address replace "$new_ip6_address/$new_ip6_prefixlen" dev eth0
echo "told: $event" >> "$FACTS"
"""


class Client:
    """One client of a guest."""

    def __init__(self, guest: taps.Guest) -> None:
        self._guest = guest
        self._facts = guest.folder / "facts"
        self._facts.touch()
        self._script = guest.folder / "client-script"
        self._script.write_text(_SCRIPT.format(facts=self._facts))
        self._script.chmod(0o755)
        self.running: subprocess.Popen[bytes] | None = None

    def udhcpc(self, *more: str) -> None:
        """Start busybox's client; SIGUSR1 has it renew."""
        self._start("udhcpc", "-f", "-i", "eth0", "-s", str(self._script), *more)

    def dhclient(self, *more: str) -> None:
        """Start ISC's client; its leases are kept from one start to the next."""
        self._start("dhclient", "-d", "-v", "-sf", str(self._script), *self._files(), *more, "eth0")

    def dhcpcd(self, *more: str) -> None:
        """Start dhcpcd, with the leases of other tests out of its sight."""
        options = " ".join(("-B", "-d", "-f", "/dev/null", "-c", str(self._script), *more))
        self._start("sh", "-c", f"mount -t tmpfs none /var/lib/dhcpcd && exec dhcpcd {options} eth0")

    def put_lease(self, text: str) -> None:
        """Have dhclient find a lease."""
        self.leases.write_text(text)

    @property
    def leases(self) -> Path:
        return self._guest.folder / "leases"

    def wait_for(self, event: str, times: int = 1) -> dict[str, str]:
        """Wait until the script has been told of an event so often; give what it was told last."""

        def told() -> bool:
            return self._text().count(f"told: {event}\n") >= times

        process.wait_until(told, what=f"no {event}: {self._text()} {self._guest.log}", timeout=taps.PATIENCE)
        start = f"{event}: "
        lines = [line.removeprefix(start) for line in self._text().splitlines() if line.startswith(start)]
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def stop(self) -> None:
        """End it, without a word to the server."""
        assert self.running is not None
        self.running.kill()
        self.running.wait(taps.PATIENCE)

    def _text(self) -> str:
        return self._facts.read_text()

    def _files(self) -> list[str]:
        return ["-lf", str(self.leases), "-pf", str(self._guest.folder / "pid")]

    def _start(self, *command: str) -> None:
        self.running = self._guest.popen("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command)
