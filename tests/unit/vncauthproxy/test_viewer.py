"""The handshake with a viewer, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vncauthproxy.peers import ScriptedPeer, at_leisure, run
from vncauthproxy import rfb, viewer
from vncauthproxy.stream import Broken

PASSWORD = b"s3cret-1"
CHALLENGE = bytes(range(16))
RIGHT = rfb.response(CHALLENGE, PASSWORD)
HELLO = b"RFB 003.008\n"


@pytest.fixture(autouse=True)
def known_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.urandom", lambda count: CHALLENGE[:count])


def greet(says: bytes, *, password: bytes | None = PASSWORD, free: bool = True, piece: int = 1024) -> bytes:
    async def greeting() -> bytes:
        peer = ScriptedPeer(says, piece=piece)
        await viewer.shake_hands(peer, password=password, take=lambda: free)
        return peer.heard

    return run(greeting())


def refused(says: bytes, error: type[Broken], *, password: bytes | None = PASSWORD, free: bool = True) -> bytes:
    async def greeting() -> bytes:
        peer = ScriptedPeer(says)
        with pytest.raises(error) as caught:
            await viewer.shake_hands(peer, password=password, take=lambda: free)
        assert type(caught.value) is error
        return peer.heard

    return run(greeting())


@pytest.mark.parametrize("piece", [1, 5, 1024])
@pytest.mark.parametrize(
    ("says", "hears"),
    [
        (b"RFB 003.003\n" + RIGHT, HELLO + b"\0\0\0\2" + CHALLENGE + b"\0\0\0\0"),
        (b"RFB 003.007\n\2" + RIGHT, HELLO + b"\1\2" + CHALLENGE + b"\0\0\0\0"),
        (b"RFB 003.008\n\2" + RIGHT, HELLO + b"\1\2" + CHALLENGE + b"\0\0\0\0"),
    ],
)
def test_who_knows_the_password_comes_in_by_every_version(says: bytes, hears: bytes, piece: int) -> None:
    assert greet(says, piece=piece) == hears


@pytest.mark.parametrize(
    ("says", "hears"),
    [
        (b"RFB 003.003\n", HELLO + b"\0\0\0\1"),
        (b"RFB 003.007\n\1", HELLO + b"\1\1"),
        (b"RFB 003.008\n\1", HELLO + b"\1\1\0\0\0\0"),
    ],
)
def test_without_a_password_a_result_comes_in_the_last_version_alone(says: bytes, hears: bytes) -> None:
    assert greet(says, password=None) == hears


@pytest.mark.parametrize(
    ("says", "hears"),
    [
        (b"RFB 003.003\n" + bytes(16), HELLO + b"\0\0\0\2" + CHALLENGE + b"\0\0\0\1"),
        (b"RFB 003.007\n\2" + bytes(16), HELLO + b"\1\2" + CHALLENGE + b"\0\0\0\1"),
        (b"RFB 003.008\n\2" + bytes(16), HELLO + b"\1\2" + CHALLENGE + b"\0\0\0\1\0\0\0\x0ewrong password"),
    ],
)
def test_a_wrong_password_fails_with_a_reason_where_there_is_room_for_one(says: bytes, hears: bytes) -> None:
    assert refused(says, viewer.WrongPassword) == hears


def test_who_comes_late_is_told() -> None:
    heard = refused(b"RFB 003.008\n\2" + RIGHT, viewer.Refused, free=False)
    assert heard.endswith(b"\0\0\0\1\0\0\0\x1fthis console was opened already")


@pytest.mark.parametrize("chosen", [0, 1, 19, 255])
def test_what_was_not_offered_is_not_to_be_chosen(chosen: int) -> None:
    heard = refused(b"RFB 003.008\n" + bytes([chosen]) + RIGHT, Broken)
    assert heard.startswith(HELLO + b"\1\2\0\0\0\1") and CHALLENGE not in heard


@at_leisure
@given(says=st.binary(max_size=60) | st.binary(max_size=40).map(lambda more: b"RFB 003.008\n" + more))
def test_whatever_comes_instead_is_broken_and_lets_nobody_in(says: bytes) -> None:
    async def greeting() -> None:
        taken: list[bool] = []
        peer = ScriptedPeer(says)
        with pytest.raises(Broken):
            await viewer.shake_hands(peer, password=PASSWORD, take=lambda: not taken.append(True))
        assert not taken

    if RIGHT not in says:
        run(greeting())
