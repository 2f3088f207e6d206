"""The handshake with a console, of which the proxy is the client: RFC 6143 section 7.1, and VeNCrypt's."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass

from vncauthproxy import rfb
from vncauthproxy.encryption import Encryption
from vncauthproxy.rfb import Security, Version
from vncauthproxy.stream import Broken, SocketStream

_LONGEST_REASON = 4096
_SECURED = {
    # certificates first
    Security.X509_VNC: True,
    Security.X509_NONE: True,
    Security.TLS_VNC: False,
    Security.TLS_NONE: False,
}
_WITH_PASSWORD = frozenset((Security.VNC, Security.X509_VNC, Security.TLS_VNC))


@dataclass(frozen=True)
class Access:
    """What a console is to be opened with."""

    #: as bytes, of which eight count; None where there is none
    password: bytes | None
    #: whether nothing but TLS will do
    tls: bool
    #: the name that its certificate is to be in
    name: str


class NoWay(Broken):
    """The console can be reached, and offers no way in that we may take."""


async def shake_hands(console: SocketStream, access: Access, encryption: Encryption) -> None:
    """Go through the handshake up to SecurityResult: ClientInit is next. Raises Broken, NoWay."""
    # 7.1.1
    version = rfb.version(await console.read(rfb.VERSION_LENGTH))
    console.write(version.value)
    # 7.1.2
    if version is Version.V3_3:
        # the server decides, appendix A.1
        (offered,) = struct.unpack(">I", await console.read(4))
        if offered == Security.INVALID:
            raise NoWay(f"it refuses: {await _reason(console)}")
        chosen = _choose({offered}, access)
    else:
        count = (await console.read(1))[0]
        if count == 0:
            raise NoWay(f"it refuses: {await _reason(console)}")
        chosen = _choose(set(await console.read(count)), access)
        console.write(bytes([chosen]))
    kind: Security = chosen
    if chosen is Security.VENCRYPT:
        kind = await _encrypt(console, access, encryption)
    if kind in _WITH_PASSWORD:
        await _authenticate(console, access)
    # 7.1.3; before 3.8 it is left out after None, appendices A.1 and A.2, but never by VeNCrypt
    if chosen is not Security.NONE or version is Version.V3_8:
        (result,) = struct.unpack(">I", await console.read(4))
        if result != 0:
            raise NoWay(f"it refuses: {await _reason(console)}" if version is Version.V3_8 else "it refuses")


def _choose(offered: Collection[int], access: Access) -> Security:
    """Choose of the security types of a console: its password where it has one, in TLS where that must be."""
    if not access.tls:
        if access.password is not None and Security.VNC in offered:
            return Security.VNC
        if Security.NONE in offered:
            return Security.NONE
    if Security.VENCRYPT in offered:
        return Security.VENCRYPT
    if access.tls:
        raise NoWay("it offers no TLS")
    if Security.VNC in offered:
        raise NoWay("it asks for a password, and none is known")
    raise NoWay(f"it offers security types {sorted(offered)} only")


async def _encrypt(console: SocketStream, access: Access, encryption: Encryption) -> Security:
    """Go on in TLS: VeNCrypt 0.2, as the community's description of RFB has it; tell what is to follow within."""
    version = await console.read(2)
    if version < b"\0\2":
        raise NoWay(f"it speaks VeNCrypt {version[0]}.{version[1]}")
    console.write(b"\0\2")
    if (await console.read(1)) != b"\0":
        raise NoWay("it refuses VeNCrypt 0.2")
    count = (await console.read(1))[0]
    offered = struct.unpack(f">{count}I", await console.read(4 * count))
    for kind, certified in _SECURED.items():
        context = encryption.certified if certified else encryption.anonymous
        if kind in offered and context is not None and (access.password is not None or kind not in _WITH_PASSWORD):
            console.write(rfb.u32(kind))
            if (await console.read(1)) != b"\1":
                raise NoWay("it refuses to begin TLS")
            await console.start_tls(context, access.name, encryption.timeout)
            return kind
    raise NoWay(f"of its VeNCrypt types {sorted(offered)} none is set up here, or a password is missing")


async def _authenticate(console: SocketStream, access: Access) -> None:
    """Answer the challenge, 7.2.2."""
    challenge = await console.read(rfb.CHALLENGE_LENGTH)
    console.write(rfb.response(challenge, access.password or b""))


async def _reason(console: SocketStream) -> str:
    """Read why the server refuses, 7.1.2 and 7.1.3; as text that is safe in a log."""
    try:
        (length,) = struct.unpack(">I", await console.read(4))
        text = await console.read(min(length, _LONGEST_REASON))
    except Broken:
        return "no reason given"
    return "".join(char if char.isprintable() else " " for char in text.decode("utf-8", "replace"))
