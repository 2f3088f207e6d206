"""What both sides of the Remote Framebuffer Protocol agree on (RFC 6143): versions, security types, VNC's DES."""

from __future__ import annotations

import enum
import hmac
import re
import struct

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB

from vncauthproxy.stream import Broken

#: bytes of a ProtocolVersion message, RFC 6143 section 7.1.1
VERSION_LENGTH = 12
#: bytes of a VNC authentication challenge, and of its response, RFC 6143 section 7.2.2
CHALLENGE_LENGTH = 16
#: bytes of a password that count, RFC 6143 section 7.2.2
PASSWORD_LENGTH = 8

_VERSION = re.compile(rb"RFB ([0-9]{3})\.([0-9]{3})\n")


class Version(enum.Enum):
    """The versions whose handshakes differ, RFC 6143 appendix A."""

    V3_3 = b"RFB 003.003\n"
    V3_7 = b"RFB 003.007\n"
    V3_8 = b"RFB 003.008\n"


class Security(enum.IntEnum):
    """Security types, RFC 6143 section 7.1.2, and those of VeNCrypt within its own, by the IANA registry."""

    INVALID = 0
    NONE = 1
    VNC = 2
    VENCRYPT = 19
    TLS_NONE = 257
    TLS_VNC = 258
    X509_NONE = 260
    X509_VNC = 261


def version(message: bytes) -> Version:
    """Read a ProtocolVersion message; raises Broken for what is none, or for what is no version 3.

    RFC 6143 section 7.1.1: numbers that were never published mean 3.3. Those above 3.8 are in use for 3.8's handshake
    (3.889 is Apple's), and servers of RealVNC's announce 4 and 5 and speak 3.8 to who asks for it.
    """
    found = _VERSION.fullmatch(message)
    if found is None:
        raise Broken("it does not speak RFB")
    major, minor = int(found[1]), int(found[2])
    if major > 3 or (major == 3 and minor >= 8):
        return Version.V3_8
    if major < 3:
        raise Broken(f"it speaks RFB {major}.{minor}")
    return Version.V3_7 if minor == 7 else Version.V3_3


def response(challenge: bytes, password: bytes) -> bytes:
    """Encrypt a challenge by DES with the password as its key, RFC 6143 section 7.2.2.

    The key is the first eight bytes of the password, padded with zeros, and its bits are taken in the reverse order
    within each byte. DES three times with one key is DES.
    """
    key = bytes(_REVERSED[byte] for byte in password[:PASSWORD_LENGTH].ljust(PASSWORD_LENGTH, b"\0"))
    encryptor = Cipher(TripleDES(key * 3), ECB()).encryptor()  # noqa: S305  # the protocol's own
    return encryptor.update(challenge) + encryptor.finalize()


def is_response(shown: bytes, *, challenge: bytes, password: bytes) -> bool:
    """Tell, in a time that says nothing, whether somebody who knows the password has responded."""
    return hmac.compare_digest(shown, response(challenge, password))


def u32(number: int) -> bytes:
    """Give the bytes of a U32, RFC 6143 section 7."""
    return struct.pack(">I", number)


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
