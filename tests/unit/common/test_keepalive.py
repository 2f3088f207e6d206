"""TCP notices peers that have vanished."""

from __future__ import annotations

import asyncio
import socket

from common import keepalive


def test_a_peer_that_vanishes_is_noticed_within_two_minutes() -> None:
    async def test() -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        connected = writer.get_extra_info("socket")
        assert not connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        keepalive.set_up(writer.transport)
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, every, times = (
            connected.getsockopt(socket.IPPROTO_TCP, each)
            for each in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + every * times <= 120
        writer.close()
        server.close()

    asyncio.run(test())


def test_a_socket_of_another_kind_is_left_alone() -> None:
    async def test() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            _, writer = await asyncio.open_connection(sock=ours)
            keepalive.set_up(writer.transport)
            assert not ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            writer.close()

    asyncio.run(test())
