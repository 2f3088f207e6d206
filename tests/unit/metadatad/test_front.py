"""What connections get, over sockets of this machine: limits, refusals, and an answer of one's own."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from metadatad.api import Failed
from metadatad.exchange import Answer
from metadatad.front import Front
from metadatad.guests import Guest, Lan
from metadatad.metrics import Metrics
from metadatad.settings import MetadatadSettings

ID = "6f1b8bd0-1d3a-4a37-9c51-3a3f5f3ce001"
GUEST = Guest(ID, "tap1", "02:53:79:00:00:01", "br0", ipaddress.IPv4Address("127.0.0.1"))
REQUEST = b"GET /latest/user-data HTTP/1.1\r\nHost: x\r\nX-Instance-ID: another\r\n\r\n"


class Bed:
    """A front whose API is a function of the test's, at two links."""

    def __init__(self, **settings: object) -> None:
        self.metrics = Metrics()
        self.asked: list[tuple[str, str]] = []
        self.outcome: Answer | Failed | Exception = Answer(200, b"told", "a/b")
        self.hold: asyncio.Event | None = None
        told = {"guest_seconds": 30.0, **settings}
        self.front = Front(
            MetadatadSettings(api_url="https://api", secret="s", **told),  # type: ignore[arg-type]
            self.ask,
            self.metrics,
            timer=lambda: self.now,
        )
        self.now = 1000.0
        self.front.admit({(GUEST.lan, "127.0.0.1"): GUEST})
        self.ports: dict[str, int] = {}

    async def ask(self, instance_id: str, path: str) -> Answer:
        self.asked.append((instance_id, path))
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Bed"]:
        servers = []
        for link in ("br0", "br1"):

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: str = link) -> None:
                await self.front.serve(Lan(link, "02:53:79"), reader, writer)

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            self.ports[link] = server.sockets[0].getsockname()[1]
            servers.append(server)
        try:
            yield self
        finally:
            for server in servers:
                server.close()

    async def open(self, link: str = "br0") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.ports[link])

    async def say(self, data: bytes = REQUEST, link: str = "br0") -> bytes:
        """All that a connection answers."""
        reader, writer = await self.open(link)
        writer.write(data)
        try:
            return await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"syros_metadatad_{name}", labels) or 0


def run(bed: Bed, test: Callable[[Bed], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        async with bed.serving():
            await test(bed)

    asyncio.run(all_of_it())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_guest_is_told_what_is_its_own_whatever_it_claims() -> None:
    async def test(bed: Bed) -> None:
        said = await bed.say()
        assert said.startswith(b"HTTP/1.1 200 OK\r\n")
        assert said.endswith(b"\r\n\r\ntold")
        assert bed.asked == [(ID, "/latest/user-data")]

    bed = Bed()
    run(bed, test)
    assert bed.count("answered_total", status="200") == 1


def test_the_same_address_at_another_link_is_nobody() -> None:
    async def test(bed: Bed) -> None:
        assert (await bed.say(link="br1")).startswith(b"HTTP/1.1 404 ")
        assert bed.asked == []

    run(Bed(), test)


def test_a_failing_api_is_told_as_a_reason_to_ask_again_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="metadatad")

    async def test(bed: Bed) -> None:
        bed.outcome = Failed("unreachable")
        for _ in range(3):
            said = await bed.say()
            assert said.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: 5" in said
        bed.outcome = Answer(404, b"reason of the API's")
        said = await bed.say()
        assert said.startswith(b"HTTP/1.1 404 ")
        assert b"reason" not in said

    bed = Bed()
    run(bed, test)
    assert [record.message for record in caplog.records] == ["api.failed", "api.answers"]
    assert bed.count("api_failures_total", reason="unreachable") == 3


def test_a_fault_of_ours_ends_one_connection_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def test(bed: Bed) -> None:
        bed.outcome = ZeroDivisionError()
        with contextlib.suppress(ConnectionResetError):
            assert await bed.say() == b""
        bed.outcome = Answer(200, b"told")
        assert (await bed.say()).endswith(b"told")

    bed = Bed()
    run(bed, test)
    assert bed.count("unanswered_total", reason="failure") == 1
    assert "request.failed" in [record.message for record in caplog.records]


def test_what_is_asked_badly_is_refused_without_the_api() -> None:
    async def test(bed: Bed) -> None:
        assert (await bed.say(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        assert (await bed.say(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert bed.asked == []

    run(Bed(), test)


def test_a_connection_that_says_nothing_is_ended_in_time() -> None:
    async def test(bed: Bed) -> None:
        reader, writer = await bed.open()
        writer.write(b"GET / HT")
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
        await until(lambda: bed.count("connections") == 0)
        writer.close()

    bed = Bed(guest_seconds=0.2)
    run(bed, test)
    assert bed.count("unanswered_total", reason="timeout") == 1


def test_a_connection_that_is_closed_unused_is_counted_as_such() -> None:
    async def test(bed: Bed) -> None:
        _, writer = await bed.open()
        writer.close()
        await until(lambda: bed.count("unanswered_total", reason="nothing asked") == 1)

    run(Bed(), test)


@pytest.mark.parametrize(
    ("limits", "status"), [({"guest_connections": 2}, b"429"), ({"connections": 2}, b"503")], ids=["guest", "node"]
)
def test_a_connection_too_many_is_refused_at_once_until_another_ends(limits: dict[str, int], status: bytes) -> None:
    async def test(bed: Bed) -> None:
        held = [await bed.open() for _ in range(2)]
        await until(lambda: bed.count("connections") == 2)
        assert (await bed.say(b"")).startswith(b"HTTP/1.1 " + status)
        for _, writer in held:
            writer.close()
        await until(lambda: bed.count("connections") == 0)
        assert (await bed.say()).startswith(b"HTTP/1.1 200 ")

    run(Bed(**limits), test)


def test_who_asks_too_often_is_told_to_wait_and_the_api_is_left_alone() -> None:
    async def test(bed: Bed) -> None:
        said = [await bed.say() for _ in range(7)]
        assert [each[9:12] for each in said] == [b"200"] * 5 + [b"429"] * 2
        assert len(bed.asked) == 5
        bed.now += 1
        assert (await bed.say()).startswith(b"HTTP/1.1 200 ")

    run(Bed(guest_rate=1), test)


def test_who_has_gone_is_nobody() -> None:
    async def test(bed: Bed) -> None:
        bed.front.admit({})
        assert (await bed.say()).startswith(b"HTTP/1.1 404 ")
        assert bed.asked == []

    run(Bed(), test)


def test_who_does_not_hang_up_is_hung_up_on() -> None:
    async def test(bed: Bed) -> None:
        reader, writer = await bed.open()
        writer.write(REQUEST)
        assert (await asyncio.wait_for(reader.read(), 30)).endswith(b"told")
        await until(lambda: bed.count("connections") == 0)
        writer.close()

    bed = Bed()
    run(bed, test)
    assert bed.count("unanswered_total", reason="timeout") == 0
