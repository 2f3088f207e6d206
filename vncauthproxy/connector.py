"""The way to a console: found, allowed, connected to, and hands shaken, all within one time."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl

from common.consoles import BadField, Forward, Protocol
from vncauthproxy import console, encryption, serial
from vncauthproxy.console import Access
from vncauthproxy.encryption import Encryption
from vncauthproxy.settings import VncauthproxySettings
from vncauthproxy.stream import Broken, SocketStream


class Unreachable(Exception):
    """There is no way to the console now; the text says why, and may be shown to the control channel's client."""


class Connector:
    """Connects where the settings allow it. Raises OSError for certificates that can't be used."""

    def __init__(self, settings: VncauthproxySettings) -> None:
        self._networks = settings.networks
        self._ports = {Protocol.RFB: settings.console_ports, Protocol.SERIAL: settings.seriald_ports}
        self._plain_serial = settings.plain_serial
        self._seconds = settings.console_seconds
        self._encryption = Encryption(
            certified=encryption.certified(settings.console_ca, cert=settings.console_cert, key=settings.console_key)
            if settings.console_ca
            else None,
            anonymous=encryption.anonymous() if settings.anonymous_tls else None,
            timeout=settings.console_seconds,
        )

    async def connect(self, request: Forward) -> SocketStream:
        """Give the console: a screen that awaits ClientInit, or a serial port.

        Raises BadField for what is not allowed, and Unreachable.
        """
        ports = self._ports[request.protocol]
        if request.port not in ports:
            raise BadField("port", f"consoles are at {ports[0]} to {ports[-1]}")
        if request.protocol is Protocol.SERIAL:
            # before anybody is connected to in vain
            self._serial_tls()
        try:
            async with asyncio.timeout(self._seconds):
                stream = await self._reach(await self._addresses(request.host), request.port)
                try:
                    await self._enter(stream, request)
                except BaseException:
                    stream.abort()
                    raise
        except TimeoutError:
            raise Unreachable(f"it has not answered in {self._seconds:g} s") from None
        except (Broken, OSError) as err:
            raise Unreachable(str(err)) from err
        return stream

    async def _enter(self, stream: SocketStream, request: Forward) -> None:
        name = request.tls_name or request.host
        if request.protocol is Protocol.RFB:
            password = request.console_password
            access = Access(
                password=password.encode("ascii") if password is not None else None, tls=request.tls, name=name
            )
            await console.shake_hands(stream, access, self._encryption)
            return
        tls = self._serial_tls()
        if tls is not None:
            await stream.start_tls(tls, name, self._encryption.timeout)
        await serial.enter(stream, request)

    def _serial_tls(self) -> ssl.SSLContext | None:
        """How seriald's certificate is checked; None without TLS. Raises Unreachable."""
        if self._plain_serial:
            return None
        if self._encryption.certified is None:
            raise Unreachable("no console_ca is set up here, by which seriald's certificate could be checked")
        return self._encryption.certified

    async def _addresses(self, host: str) -> list[str]:
        """Find the addresses of a host that are allowed: a name may lead anywhere."""
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        allowed = [each for each in addresses if self._allowed(each)]
        if not allowed:
            raise BadField("host", f"{', '.join(addresses)} is in none of the networks that consoles are in")
        return allowed

    def _allowed(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            # it leads to the IPv4 address, whatever it looks like
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)

    async def _reach(self, addresses: list[str], port: int) -> SocketStream:
        failure: OSError | None = None
        for address in addresses:
            try:
                _, stream = await asyncio.get_running_loop().create_connection(SocketStream, address, port)
            except OSError as err:
                failure = err
            else:
                return stream
        raise failure or OSError("it has no address")
