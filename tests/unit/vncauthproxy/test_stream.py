"""Streams: what waits, who waits for whom."""

from __future__ import annotations

import pytest

from tests.unit.vncauthproxy.peers import ScriptedPeer, run
from vncauthproxy.stream import Broken, address


def test_bytes_are_read_however_they_are_cut() -> None:
    async def test() -> None:
        peer = ScriptedPeer(b"abcdef", piece=1)
        assert (await peer.read(4), await peer.read(0), await peer.read(2)) == (b"abcd", b"", b"ef")
        with pytest.raises(Broken, match="closed"):
            await peer.read(1)

    run(test())


def test_who_sends_too_much_ahead_is_not_read_until_it_is_wanted() -> None:
    async def test() -> None:
        peer = ScriptedPeer(b"", stays=True)
        peer.say(bytes(20_000))
        assert not peer.reading
        assert len(await peer.read(19_999)) == 19_999
        assert not peer.reading
        peer.say(b"xy")
        assert await peer.read(1) == b"\0"
        assert await peer.read(2) == b"xy"
        peer.leave()
        with pytest.raises(Broken):
            await peer.read(1)

    run(test())


def test_the_slower_side_sets_the_pace() -> None:
    async def test() -> None:
        console, viewer = ScriptedPeer(b"", stays=True), ScriptedPeer(b"", stays=True)
        console.say(b"ahead ")
        console.relay_to(viewer)
        viewer.relay_to(console)
        console.say(b"then")
        assert viewer.heard == b"ahead then"
        viewer.be_slow(True)
        assert not console.reading and viewer.reading
        viewer.be_slow(False)
        assert console.reading
        viewer.say(b"back")
        assert console.heard == b"back"

    run(test())


def test_a_side_that_is_slow_already_when_the_relay_begins_is_waited_for() -> None:
    async def test() -> None:
        console, viewer = ScriptedPeer(b"", stays=True), ScriptedPeer(b"", stays=True)
        console.say(bytes(20_000))
        viewer.be_slow(True)
        console.relay_to(viewer)
        assert not console.reading
        viewer.be_slow(False)
        assert console.reading

    run(test())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("2001:db8::1", 5, 0, 0), "2001:db8::1"),
        ("", ""),
        (None, ""),
    ],
)
def test_an_address_is_shown_without_its_port(name: object, shown: str) -> None:
    assert address(name) == shown
