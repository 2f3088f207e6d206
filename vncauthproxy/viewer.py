"""The handshake with a viewer, of which the proxy is the server (RFC 6143 section 7.1)."""

from __future__ import annotations

import os
from collections.abc import Callable

from vncauthproxy import rfb
from vncauthproxy.rfb import Security, Version
from vncauthproxy.stream import Broken, Stream


class WrongPassword(Broken):
    """The viewer does not know the password."""


class Refused(Broken):
    """The viewer may not have the console any more."""


async def shake_hands(viewer: Stream, *, password: bytes | None, take: Callable[[], bool]) -> None:
    """Go through the handshake up to SecurityResult: ClientInit is next.

    With a password by VNC authentication, without one by none. `take` is asked last whether the viewer may come in.
    Raises Broken, WrongPassword, Refused.
    """
    offered = Security.VNC if password is not None else Security.NONE
    # 7.1.1
    viewer.write(Version.V3_8.value)
    version = rfb.version(await viewer.read(rfb.VERSION_LENGTH))
    # 7.1.2; in 3.3 the server decides, appendix A.1
    if version is Version.V3_3:
        viewer.write(rfb.u32(offered))
    else:
        viewer.write(bytes([1, offered]))
        chosen = (await viewer.read(1))[0]
        if chosen != offered:
            _fail(viewer, version, "this security type was not offered")
            raise Broken(f"it chose security type {chosen}, which was not offered")
    if password is not None:
        # 7.2.2
        challenge = os.urandom(rfb.CHALLENGE_LENGTH)
        viewer.write(challenge)
        shown = await viewer.read(rfb.CHALLENGE_LENGTH)
        if not rfb.is_response(shown, challenge=challenge, password=password):
            _fail(viewer, version, "wrong password")
            raise WrongPassword("it does not know the password")
    if not take():
        _fail(viewer, version, "this console was opened already")
        raise Refused("somebody else was let in before")
    # 7.1.3; before 3.8 it is left out where nothing was checked, appendices A.1 and A.2
    if password is not None or version is Version.V3_8:
        viewer.write(rfb.u32(0))


def _fail(viewer: Stream, version: Version, reason: str) -> None:
    """Send a SecurityResult of failure, 7.1.3; 3.8 has it followed by a reason."""
    text = reason.encode("ascii")
    viewer.write(rfb.u32(1) + (rfb.u32(len(text)) + text if version is Version.V3_8 else b""))
