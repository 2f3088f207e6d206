"""What the kernel says of this node's interfaces."""

from __future__ import annotations

import fcntl
import socket
import struct
from pathlib import Path

from common.bindings import Binding, Mode
from nfdhcpd.nics import Surroundings

_SIOCGIFHWADDR = 0x8927
_IF_INET6 = Path("/proc/net/if_inet6")


class Interfaces:
    """Looks interfaces up by name and by index."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._addresses: dict[str, list[bytes]] = {}

    def index(self, name: str) -> int | None:
        """Give the index of an interface; None if there is none of this name."""
        try:
            return socket.if_nametoindex(name)
        except OSError:
            return None

    def name(self, index: int) -> str | None:
        """Give the name of an interface; None if there is none of this index."""
        try:
            return socket.if_indextoname(index)
        except (OSError, OverflowError):
            return None

    def refresh(self) -> None:
        """Read anew which interface has which IPv6 addresses: all of them, since the kernel gives them at once."""
        self._addresses.clear()
        try:
            lines = _IF_INET6.read_text(encoding="ascii").splitlines()
        except OSError:
            # a kernel without IPv6
            return
        for line in sorted(lines):
            address, *_rest, name = line.split()
            self._addresses.setdefault(name, []).append(bytes.fromhex(address))

    def around(self, binding: Binding) -> Surroundings | None:
        """Give what an answer to this NIC depends on; None while its tap does not exist."""
        index = self.index(binding.interface)
        tap_mac = self._mac(binding.interface)
        if index is None or tap_mac is None:
            return None
        link = binding.link if binding.mode is Mode.BRIDGED and binding.link else None
        link_mac = self._mac(link) if link else None
        facing = link if link and link_mac else binding.interface
        return Surroundings(index, link_mac or tap_mac, tuple(self._addresses.get(facing, ())))

    def close(self) -> None:
        self._socket.close()

    def _mac(self, name: str) -> bytes | None:
        try:
            answer = fcntl.ioctl(self._socket, _SIOCGIFHWADDR, struct.pack("256s", name.encode()))
        except OSError:
            return None
        return answer[18:24]
