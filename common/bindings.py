"""The binding of one guest's NIC: what DHCP and router advertisements tell it, as a JSON file named by its tap.

Who brings up a NIC writes the file; nfdhcpd reads it. Files are replaced by rename, so no reader sees half of one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import logging
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import orjson

log = logging.getLogger(__name__)

DEFAULT_FOLDER = Path("/var/lib/nfdhcpd")
DEFAULT_LEASE = 86_400
DEFAULT_MTU = 1500

#: names that begin so are being written, and are no bindings yet
_HIDDEN = "."
#: IFNAMSIZ is 16 with the terminating zero; the kernel forbids "/" and white space
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_NAME = 253
_LONGEST_FILE = 64 * 1024
_MOST_SERVERS = 16
_MOST_ROUTES = 64
#: IPv6 and a guest's stack want at least these (RFC 8200 section 5, RFC 791)
_SMALLEST_MTU = {4: 576, 6: 1280}
_LARGEST_MTU = 65_535
_SHORTEST_LEASE = 60
_LONGEST_LEASE = 2**31 - 1

_Made = TypeVar("_Made")
_Word = TypeVar("_Word", bound=StrEnum)


class BadBinding(ValueError):
    """The text is no binding; the message names the field and the reason."""


class Mode(StrEnum):
    """How Ganeti connects the tap."""

    BRIDGED = "bridged"
    ROUTED = "routed"


class Ipv6Mode(StrEnum):
    """Where a guest's IPv6 address comes from, by OpenStack's words."""

    SLAAC = "slaac"
    #: the address by SLAAC, name servers by DHCPv6 too
    STATELESS = "dhcpv6-stateless"
    STATEFUL = "dhcpv6-stateful"


@dataclass(frozen=True)
class Route:
    """A host route of the guest's, over a router on its link."""

    destination: ipaddress.IPv4Network
    via: ipaddress.IPv4Address


@dataclass(frozen=True)
class Ipv4:
    """What DHCPv4 tells."""

    address: ipaddress.IPv4Address
    subnet: ipaddress.IPv4Network
    gateway: ipaddress.IPv4Address | None = None
    nameservers: tuple[ipaddress.IPv4Address, ...] = ()
    ntp_servers: tuple[ipaddress.IPv4Address, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True)
class Ipv6:
    """What router advertisements and DHCPv6 tell; `address` is needed where DHCPv6 gives it."""

    subnet: ipaddress.IPv6Network
    mode: Ipv6Mode = Ipv6Mode.SLAAC
    address: ipaddress.IPv6Address | None = None
    gateway: ipaddress.IPv6Address | None = None
    nameservers: tuple[ipaddress.IPv6Address, ...] = ()
    ntp_servers: tuple[ipaddress.IPv6Address, ...] = ()


@dataclass(frozen=True)
class Binding:
    """One NIC; `mac` in lower case with colons, `lease` in seconds.

    `link` is the bridge of a bridged NIC, or empty: answers come from its MAC address instead of the tap's.
    """

    interface: str
    instance: str
    mac: str
    mode: Mode = Mode.BRIDGED
    link: str = ""
    hostname: str = ""
    domain: str = ""
    mtu: int = DEFAULT_MTU
    lease: int = DEFAULT_LEASE
    ipv4: Ipv4 | None = None
    ipv6: Ipv6 | None = None

    def __post_init__(self) -> None:
        for reason in _faults(self):
            raise BadBinding(reason)


def write(folder: Path, binding: Binding) -> None:
    """Put a binding in place, over the one that the tap had. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix=_HIDDEN, dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(encode(binding))
            os.fchmod(handle, 0o640)
        Path(name).rename(folder / binding.interface)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove(folder: Path, interface: str) -> None:
    """Remove a tap's binding; one that is not there is no error. Raises BadBinding for what names no tap."""
    if not is_interface(interface):
        raise BadBinding(f"interface: {interface!r} names no interface")
    with contextlib.suppress(FileNotFoundError):
        (folder / interface).unlink()


def read(folder: Path, interface: str) -> Binding | None:
    """Read a tap's binding; None if there is none, or none that can be meant, which the log then tells."""
    if not is_interface(interface):
        return None
    path = folder / interface
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_FILE + 1)
        if len(text) > _LONGEST_FILE:
            raise BadBinding(f"longer than {_LONGEST_FILE} bytes")
        binding = decode(text)
        if binding.interface != interface:
            raise BadBinding(f"interface: {binding.interface!r}, in the file of {interface!r}")
    except FileNotFoundError:
        return None
    except (OSError, BadBinding) as err:
        log.warning("binding.bad", extra={"path": str(path), "reason": str(err)})
        return None
    return binding


def names(folder: Path) -> list[str]:
    """List the taps that have a binding, good or bad. Raises OSError."""
    return sorted(path.name for path in folder.iterdir() if is_interface(path.name))


def is_interface(name: str) -> bool:
    """Tell whether a file of this name may be a binding: whether it may be an interface's name."""
    return _INTERFACE.fullmatch(name) is not None


def encode(binding: Binding) -> bytes:
    """Give the file's content."""
    return orjson.dumps(
        dataclasses.asdict(binding), default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    )


def decode(text: bytes) -> Binding:
    """Read a file's content. Raises BadBinding."""
    try:
        document = orjson.loads(text)
    except ValueError as err:
        raise BadBinding(f"no JSON: {err}") from err
    return _Fields(document, "").binding()


class _Fields:
    """The fields of one JSON object, taken by name and type; what nobody took is an error."""

    # Any: a JSON document of unknown shape.
    def __init__(self, document: Any, where: str) -> None:
        if not isinstance(document, Mapping):
            raise BadBinding(f"{where.rstrip('.') or 'the file'}: an object is expected")
        self._left = {key: value for key, value in document.items() if value is not None}
        self._where = where

    def binding(self) -> Binding:
        v4, v6 = self._part("ipv4"), self._part("ipv6")
        return self._made(
            Binding,
            interface=self._text("interface", needed=True),
            instance=self._text("instance", needed=True),
            mac=self._text("mac", needed=True).lower(),
            mode=self._word("mode", Mode, Mode.BRIDGED),
            link=self._text("link"),
            hostname=self._text("hostname"),
            domain=self._text("domain"),
            mtu=self._number("mtu", DEFAULT_MTU),
            lease=self._number("lease", DEFAULT_LEASE),
            ipv4=v4.ipv4() if v4 else None,
            ipv6=v6.ipv6() if v6 else None,
        )

    def ipv4(self) -> Ipv4:
        address = ipaddress.IPv4Address
        return self._made(
            Ipv4,
            address=self._parsed("address", address),
            subnet=self._parsed("subnet", ipaddress.IPv4Network),
            gateway=self._maybe("gateway", address),
            nameservers=self._several("nameservers", address),
            ntp_servers=self._several("ntp_servers", address),
            routes=tuple(
                _Fields(each, f"{self._where}routes[{number}].").route()
                for number, each in enumerate(self._list("routes", _MOST_ROUTES))
            ),
        )

    def ipv6(self) -> Ipv6:
        address = ipaddress.IPv6Address
        return self._made(
            Ipv6,
            subnet=self._parsed("subnet", ipaddress.IPv6Network),
            mode=self._word("mode", Ipv6Mode, Ipv6Mode.SLAAC),
            address=self._maybe("address", address),
            gateway=self._maybe("gateway", address),
            nameservers=self._several("nameservers", address),
            ntp_servers=self._several("ntp_servers", address),
        )

    def route(self) -> Route:
        return self._made(
            Route,
            destination=self._parsed("destination", ipaddress.IPv4Network),
            via=self._parsed("via", ipaddress.IPv4Address),
        )

    # Any: the types of the classes' fields, as their constructors check them.
    def _made(self, cls: type[_Made], **values: Any) -> _Made:
        for key in self._left:
            raise BadBinding(f"{self._where}{key}: unknown")
        return cls(**values)

    def _part(self, key: str) -> _Fields | None:
        value = self._left.pop(key, None)
        return None if value is None else _Fields(value, f"{self._where}{key}.")

    def _text(self, key: str, *, needed: bool = False) -> str:
        value = self._left.pop(key, "")
        if not isinstance(value, str):
            raise BadBinding(f"{self._where}{key}: a text is expected")
        if needed and not value:
            raise BadBinding(f"{self._where}{key}: missing")
        return value

    def _number(self, key: str, default: int) -> int:
        value = self._left.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadBinding(f"{self._where}{key}: a whole number is expected")
        return value

    def _word(self, key: str, words: type[_Word], default: _Word) -> _Word:
        value = self._left.pop(key, default)
        try:
            return words(value)
        except ValueError as err:
            raise BadBinding(f"{self._where}{key}: {value!r} is none of {', '.join(words)}") from err

    # Any, here and below: the class of an address or a network, by whose constructor the text is read.
    def _parsed(self, key: str, cls: Any) -> Any:
        if key not in self._left:
            raise BadBinding(f"{self._where}{key}: missing")
        return _address(self._left.pop(key), cls, f"{self._where}{key}")

    def _maybe(self, key: str, cls: Any) -> Any:
        return self._parsed(key, cls) if key in self._left else None

    def _several(self, key: str, cls: Any) -> Any:
        return tuple(_address(each, cls, f"{self._where}{key}") for each in self._list(key, _MOST_SERVERS))

    def _list(self, key: str, most: int) -> list[Any]:
        value = self._left.pop(key, [])
        if not isinstance(value, list) or len(value) > most:
            raise BadBinding(f"{self._where}{key}: a list of at most {most} is expected")
        return value


def _address(value: object, cls: Any, where: str) -> Any:
    if not isinstance(value, str) or "%" in value:
        raise BadBinding(f"{where}: {value!r} is no {cls.__name__}")
    try:
        return cls(value)
    except ValueError as err:
        raise BadBinding(f"{where}: {err}") from err


def _faults(binding: Binding) -> Iterator[str]:
    """Tell what is wrong with a binding's values."""
    if not is_interface(binding.interface):
        yield f"interface: {binding.interface!r} names no interface"
    if not _MAC.fullmatch(binding.mac) or int(binding.mac[:2], 16) & 1 or not binding.mac.strip("0:"):
        yield f"mac: {binding.mac!r} is no MAC address of a NIC"
    if binding.link and not is_interface(binding.link):
        yield f"link: {binding.link!r} names no interface"
    for key, text in (("hostname", binding.hostname), ("domain", binding.domain)):
        if text and (len(text) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, text.split(".")))):
            yield f"{key}: {text!r} is no name of the DNS"
    smallest = _SMALLEST_MTU[6 if binding.ipv6 else 4]
    if not smallest <= binding.mtu <= _LARGEST_MTU:
        yield f"mtu: {binding.mtu} is not from {smallest} to {_LARGEST_MTU}"
    if not _SHORTEST_LEASE <= binding.lease <= _LONGEST_LEASE:
        yield f"lease: {binding.lease} is not from {_SHORTEST_LEASE} to {_LONGEST_LEASE} seconds"
    if binding.ipv4:
        yield from _ipv4_faults(binding.ipv4)
    if binding.ipv6:
        yield from _ipv6_faults(binding.ipv6)


def _ipv4_faults(ipv4: Ipv4) -> Iterator[str]:
    if ipv4.address not in ipv4.subnet:
        yield f"ipv4.address: {ipv4.address} is not in {ipv4.subnet}"
    if ipv4.address.is_multicast or ipv4.address.is_unspecified or ipv4.address.is_loopback:
        yield f"ipv4.address: {ipv4.address} is no address of a guest"
    if ipv4.gateway == ipv4.address:
        yield f"ipv4.gateway: {ipv4.gateway} is the guest's own address"


def _ipv6_faults(ipv6: Ipv6) -> Iterator[str]:
    if ipv6.mode is Ipv6Mode.STATEFUL and ipv6.address is None:
        yield f"ipv6.address: missing, and mode is {ipv6.mode}"
    if ipv6.address is not None and ipv6.address not in ipv6.subnet:
        yield f"ipv6.address: {ipv6.address} is not in {ipv6.subnet}"
    if ipv6.address is not None and (ipv6.address.is_multicast or ipv6.address.is_unspecified):
        yield f"ipv6.address: {ipv6.address} is no address of a guest"
    if ipv6.gateway is not None and (ipv6.gateway == ipv6.address or ipv6.gateway.is_multicast):
        yield f"ipv6.gateway: {ipv6.gateway} is no address of a router"
