"""Sessions that have ended: taken over, and remembered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st

from common.console_proxy import ConsoleProxy
from common.consoles import EndedSession, Kind, Protocol
from tests.unit.vncauthproxy.bed import TOKEN, Bed, bed
from tests.unit.vncauthproxy.peers import PATIENCE, run
from tests.unit.vncauthproxy.test_websocket import grant, opened, web
from vncauthproxy.history import Past


def ended(number: int) -> EndedSession:
    now = datetime.now(UTC).isoformat()
    return EndedSession(
        session=str(number), kind=Kind.VNC, protocol=Protocol.RFB, view_only=False, server="s", user="u", project="p",
        request_id="r", host="h", port=1, viewer=None, granted_at=now, opened_at=None, shown=0, typed=0, ended_at=now,
        reason="expired",
    )  # fmt: skip


def reasons(made: Bed) -> dict[str, str]:
    return {each.session: each.reason for each in made.service.history(0, "").sessions}


@given(most=st.integers(1, 30), steps=st.lists(st.one_of(st.integers(0, 40), st.none()), max_size=12))
def test_whoever_asks_on_hears_of_each_end_once_or_that_it_is_lost(most: int, steps: list[int | None]) -> None:
    past = Past(most)
    total = told = lost = cursor = 0
    for step in [*steps, None]:
        if step is not None:
            for _ in range(step):
                total += 1
                past.add(ended(total))
            continue
        answer = past.after(cursor, past.boot)
        numbers = [int(each.session) for each in answer.sessions]
        assert numbers == list(range(total - len(numbers) + 1, total + 1))
        assert answer.next == total
        told, lost, cursor = told + len(numbers), lost + answer.lost, answer.next
        assert told + lost == total
        assert past.after(cursor, past.boot).sessions == []


def test_a_long_history_comes_in_pieces() -> None:
    past = Past(2500)
    for number in range(1, 2502):
        past.add(ended(number))
    pieces = []
    cursor = 0
    while (answer := past.after(cursor, past.boot)).sessions:
        pieces.append(len(answer.sessions))
        cursor = answer.next
    assert pieces == [1000, 1000, 500]


def test_the_cursor_of_another_process_is_not_believed() -> None:
    past = Past(10)
    for number in range(1, 4):
        past.add(ended(number))
    assert [each.session for each in past.after(2, "another").sessions] == ["1", "2", "3"]
    assert [each.session for each in past.after(9, "").sessions] == ["1", "2", "3"]
    assert [each.session for each in past.after(2, "").sessions] == ["3"]
    assert past.boot != Past(10).boot


def test_the_client_is_told_who_was_there_and_why_no_more() -> None:
    async def test() -> None:
        async with web(history=2) as made:
            client = ConsoleProxy("127.0.0.1", made.service.control_port, tls=None, token=TOKEN, timeout=PATIENCE)
            before = await asyncio.to_thread(client.history)
            assert (before.next, before.lost, before.sessions) == (0, 0, [])
            for number in range(3):
                way = await grant(made, server=f"s{number}")
                viewer, _ = await opened(made, way)
                made.service.kill(session=way.session, server=None, user=None, project=None)
                await viewer.closed()
            after = await asyncio.to_thread(lambda: client.history(before.next, boot=before.boot))
            assert (after.boot, after.next, after.lost) == (before.boot, 3, 1)
            assert [(each.server, each.reason, each.viewer) for each in after.sessions] == [
                ("s1", "killed", "127.0.0.1"), ("s2", "killed", "127.0.0.1"),
            ]  # fmt: skip
            last = after.sessions[-1]
            assert last.opened_at is not None
            granted_at, opened_at, ended_at = map(
                datetime.fromisoformat, (last.granted_at, last.opened_at, last.ended_at)
            )
            assert granted_at <= opened_at <= ended_at
            assert way.secret not in repr(after)

    run(test())


def test_who_takes_over_ends_those_who_work_there_and_nobody_else() -> None:
    async def test() -> None:
        async with web() as made:
            first, watching, elsewhere = [
                await grant(made, **more) for more in ({}, {"view_only": True}, {"server": "s2"})
            ]
            seen = [(await opened(made, way))[0] for way in (first, watching, elsewhere)]
            native = await made.forward()
            viewer = await made.view(native)
            await viewer.read(4)
            await made.console.visit()
            # one who does not take over is beside them, and so is one who has not come
            awaited = await made.forward()
            await made.console.visit()
            second = await grant(made, take_over=True)
            assert len(made.service.sessions()) == 6
            over, console = await opened(made, second)
            assert await seen[0].closed() == (4409, "taken over by another viewer")
            assert await viewer.rest() == b""
            assert reasons(made) == {first.session: "taken_over", native.session: "taken_over"}
            left = {each.session for each in made.service.sessions()}
            assert left == {each.session for each in (watching, elsewhere, awaited, second)}
            over.send(b"\1")
            assert await console.read(1) == b"\1"
            third = await grant(made, take_over=True)
            await opened(made, third)
            assert await over.closed() == (4409, "taken over by another viewer")
            shown = prometheus_client.generate_latest(made.service.metrics.registry).decode()
            assert 'syros_vncauthproxy_take_overs_total{protocol="rfb"} 3.0' in shown

    run(test())


def test_whoever_never_came_is_remembered_too() -> None:
    async def test() -> None:
        async with bed() as made:
            way = await made.forward(seconds=1.0)
            await made.until(lambda: reasons(made) == {way.session: "expired"})
            (told,) = made.service.history(0, "").sessions
            assert (told.viewer, told.opened_at) == (None, None)

    run(test())
