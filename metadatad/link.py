"""One LAN's way to 169.254.169.254: a network namespace with that address, a port in the bridge, and a listener.

The namespace has no name: it is there as long as the listener is, and the kernel removes it, with the port in the
bridge, when the process ends, however it ends. In it nothing else listens, and its only route is "everybody is on the
link": so tenants may have the same prefixes, and none of the node's own addresses or services is in reach.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from pathlib import Path

from metadatad import rules
from metadatad.guests import Lan

PORT = 80

_CLONE_NEWNET = 0x40000000
_TIMEOUT = 20.0
_BACKLOG = 128
_INTERFACES = Path("/sys/class/net")


def open_link(lan: Lan) -> socket.socket:
    """Connect a LAN, and give the listener there; `close_link` takes it down. Raises OSError."""
    port = rules.port_of(lan)
    mtu = _mtu(lan.bridge)
    # of a process that was killed just now, whose end the kernel has not got to yet
    _remove(port)
    listener = _in_new_namespace(port, mac=rules.mac_of(lan), mtu=mtu)
    try:
        _ip(f"link set {port} addrgenmode none\nlink set {port} master {lan.bridge} up\n")
    except OSError:
        close_link(lan, listener)
        raise
    return listener


def present(lan: Lan) -> bool:
    """Tell whether a bridge has its port still: it loses it when it is made anew."""
    return (_INTERFACES / lan.bridge / "brif" / rules.port_of(lan)).exists()


def close_link(lan: Lan, listener: socket.socket) -> None:
    """Take a LAN's port away; the namespace goes with the last of its connections."""
    listener.close()
    _remove(rules.port_of(lan))


def _mtu(bridge: str) -> int:
    # a bridge takes the least MTU of its ports
    return int((_INTERFACES / bridge / "mtu").read_text())


def _remove(port: str) -> None:
    if (_INTERFACES / port).exists():
        _ip(f"link delete {port}\n")


def _in_new_namespace(port: str, *, mac: str, mtu: int) -> socket.socket:
    """Make the namespace, with the pair of interfaces whose one end stays here, and listen in it.

    A namespace is a thread's: one of its own makes it, and takes it along when it ends, but for the listener.
    """
    made: list[socket.socket | BaseException] = []

    def make() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(_CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"no network namespace: {os.strerror(ctypes.get_errno())}")
            here = f"name {port} mtu {mtu} netns {os.getpid()}"
            _ip(
                f"link add eth0 address {mac} mtu {mtu} type veth peer {here}\n"
                "link set eth0 addrgenmode none\n"
                f"address add {rules.ADDRESS}/32 dev eth0\n"
                "link set eth0 up\n"
                "route add default dev eth0\n"
            )
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            listener.bind((rules.ADDRESS, PORT))
            listener.listen(_BACKLOG)
            made.append(listener)
        except BaseException as err:
            made.append(err)

    thread = threading.Thread(target=make, name=f"namespace-{port}")
    thread.start()
    thread.join()
    (result,) = made
    if isinstance(result, BaseException):
        raise result
    return result


def _ip(orders: str) -> None:
    try:
        done = subprocess.run(
            ["ip", "-batch", "-"], input=orders, text=True, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.SubprocessError as err:
        raise OSError(f"ip: {err}") from err
    if done.returncode:
        raise OSError(f"ip: {done.stderr.strip()}")
