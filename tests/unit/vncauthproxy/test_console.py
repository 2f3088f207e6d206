"""The handshake with a console, byte by byte; TLS itself is tried with a real QEMU."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vncauthproxy.peers import ScriptedPeer, at_leisure, run
from vncauthproxy import console, encryption, rfb
from vncauthproxy.console import Access
from vncauthproxy.encryption import Encryption
from vncauthproxy.stream import Broken

CHALLENGE = bytes(range(16))
RESPONSE = rfb.response(CHALLENGE, b"pw")
OK = b"\0\0\0\0"
NO_TLS = Encryption(certified=None, anonymous=None, timeout=1.0)
V3, V7, V8 = b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"


class Console(ScriptedPeer):
    """A scripted console whose TLS is to say that there is TLS."""

    context: ssl.SSLContext | None = None

    async def start_tls(self, context: ssl.SSLContext, name: str, timeout: float) -> None:
        self.context = context
        self.heard += b"<TLS to " + name.encode() + b">"


def access(password: bytes | None = None, *, tls: bool = False) -> Access:
    return Access(password=password, tls=tls, name="node1")


def enter(says: bytes, how: Access, secured: Encryption = NO_TLS, *, piece: int = 1024) -> bytes:
    async def entering() -> bytes:
        peer = Console(says, piece=piece)
        await console.shake_hands(peer, how, secured)
        return peer.heard

    return run(entering())


def refused(says: bytes, how: Access, secured: Encryption = NO_TLS) -> str:
    async def entering() -> str:
        with pytest.raises(console.NoWay) as caught:
            await console.shake_hands(Console(says), how, secured)
        return str(caught.value)

    return run(entering())


@pytest.mark.parametrize("piece", [1, 7, 1024])
@pytest.mark.parametrize(
    ("says", "password", "hears"),
    [
        (V3 + b"\0\0\0\1", None, V3),
        (V3 + b"\0\0\0\2" + CHALLENGE + OK, b"pw", V3 + RESPONSE),
        (V7 + b"\1\1", None, V7 + b"\1"),
        (V7 + b"\1\2" + CHALLENGE + OK, b"pw", V7 + b"\2" + RESPONSE),
        (V8 + b"\1\1" + OK, None, V8 + b"\1"),
        (V8 + b"\1\2" + CHALLENGE + OK, b"pw", V8 + b"\2" + RESPONSE),
        # a password is shown where it is asked for, and where both will do
        (V8 + b"\3\1\2\x13" + CHALLENGE + OK, b"pw", V8 + b"\2" + RESPONSE),
        (V8 + b"\1\1" + OK, b"pw", V8 + b"\1"),
        # versions of others
        (b"RFB 003.889\n\1\1" + OK, None, V8 + b"\1"),
        (b"RFB 005.000\n\1\1" + OK, None, V8 + b"\1"),
    ],
)
def test_every_version_is_entered_with_and_without_a_password(
    says: bytes, password: bytes | None, hears: bytes, piece: int
) -> None:
    assert enter(says, access(password), piece=piece) == hears


@pytest.mark.parametrize(
    ("says", "how", "reason"),
    [
        (V3 + b"\0\0\0\0\0\0\0\4busy", access(), "it refuses: busy"),
        (V8 + b"\0\0\0\0\4busy", access(), "it refuses: busy"),
        (V8 + b"\0\0\0\0\4b\x1b\nz", access(), "it refuses: b  z"),
        (V8 + b"\0\xff\xff\xff\xffbusy", access(), "it refuses: no reason given"),
        (V8 + b"\1\2", access(), "it asks for a password, and none is known"),
        (V8 + b"\2\x05\x10", access(), r"it offers security types [5, 16] only"),
        (V8 + b"\2\1\2", access(tls=True), "it offers no TLS"),
        (V8 + b"\1\2" + CHALLENGE + b"\0\0\0\1\0\0\0\5wrong", access(b"pw"), "it refuses: wrong"),
        (V7 + b"\1\2" + CHALLENGE + b"\0\0\0\1", access(b"pw"), "it refuses"),
        (V8 + b"\1\x13\0\1", access(), "it speaks VeNCrypt 0.1"),
        (V8 + b"\1\x13\0\2\1", access(), "it refuses VeNCrypt 0.2"),
        (
            V8 + b"\1\x13\0\2\0\1\0\0\1\4",
            access(),
            "of its VeNCrypt types [260] none is set up here, or a password is missing",
        ),
    ],
)
def test_a_refusal_says_why(says: bytes, how: Access, reason: str) -> None:
    assert refused(says, how) == reason


CERTIFIED = ssl.create_default_context()
ANONYMOUS = encryption.anonymous()
BOTH = Encryption(certified=CERTIFIED, anonymous=ANONYMOUS, timeout=1.0)
TLS = b"<TLS to node1>"


@pytest.mark.parametrize(
    ("kinds", "password", "secured", "chosen", "context"),
    [
        ([257], None, BOTH, 257, ANONYMOUS),
        ([257, 260], None, BOTH, 260, CERTIFIED),
        ([258, 261], b"pw", BOTH, 261, CERTIFIED),
        ([258], b"pw", BOTH, 258, ANONYMOUS),
        ([260], b"pw", BOTH, 260, CERTIFIED),
        ([257, 260], None, Encryption(certified=None, anonymous=ANONYMOUS, timeout=1.0), 257, ANONYMOUS),
    ],
)
def test_of_vencrypt_the_best_that_is_set_up_is_taken(
    kinds: list[int],
    password: bytes | None,
    secured: Encryption,
    chosen: int,
    context: ssl.SSLContext,
) -> None:
    offered = b"".join(rfb.u32(kind) for kind in kinds)
    authenticated = chosen in (258, 261)
    says = V8 + b"\2\1\x13\0\2\0" + bytes([len(kinds)]) + offered + b"\1" + (CHALLENGE if authenticated else b"") + OK

    async def entering() -> None:
        peer = Console(says)
        await console.shake_hands(peer, access(password, tls=True), secured)
        assert peer.heard == V8 + b"\x13\0\2" + rfb.u32(chosen) + TLS + (RESPONSE if authenticated else b"")
        assert peer.context is context

    run(entering())


def test_without_certificates_a_console_is_not_trusted_by_mistake() -> None:
    only = Encryption(certified=CERTIFIED, anonymous=None, timeout=1.0)
    assert "none is set up" in refused(V8 + b"\1\x13\0\2\0\1" + rfb.u32(257), access(tls=True), only)


@at_leisure
@given(says=st.binary(max_size=60) | st.binary(max_size=60).map(lambda more: V8 + more))
def test_whatever_a_console_says_there_is_an_end_to_it(says: bytes) -> None:
    async def entering() -> None:
        try:
            await console.shake_hands(Console(says), access(b"pw"), BOTH)
        except Broken:
            pass

    run(entering())
