"""The console page, vncauthproxy and QEMU: the keys that QEMU was told of, and who gets in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from common.consoles import Kind
from lab import process
from tests.integration.console_page.exchange import Console, Exchange
from tests.integration.console_page.test_page import button, paste, state, until
from tests.integration.vncauthproxy.conftest import Proxy, Qemu

Visit = Callable[..., Page]


@pytest.fixture
def proxy(start: Callable[..., Proxy], exchange: Exchange) -> Proxy:
    port = process.free_port()
    exchange.origins.append(f"ws://127.0.0.1:{port}")
    return start(
        plain_web=True,
        web_host="127.0.0.1",
        web_port=port,
        public_url=f"ws://127.0.0.1:{port}/",
        origins=[exchange.url],
    )


def console_of(proxy: Proxy, screen: Qemu) -> Console:
    def grant(view_only: bool) -> str:
        way = {"kind": Kind.WEBSOCKET, "view_only": view_only, "take_over": not view_only}
        granted = proxy.forward(screen.port, server="s1", **way)
        return f"{granted.url}?ticket={granted.secret}"

    return Console(grant)


def told(screen: Qemu) -> list[tuple[str, int]]:
    """The keys that QEMU was told of by their places, and whether they went down (1) or up (0)."""
    found = re.finditer(r"vnc_key_event_ext down (\d), sym 0x[0-9a-f]+, keycode 0x[0-9a-f]+ \[(\w+)\]", screen.log)
    return [(match[2], int(match[1])) for match in found]


def wait_told(screen: Qemu, wanted: list[tuple[str, int]]) -> None:
    process.wait_until(lambda: len(told(screen)) >= len(wanted), what=f"{wanted} in {screen.log}", timeout=60)
    assert told(screen) == wanted


def struck(*names: str) -> list[tuple[str, int]]:
    return [(name, 1) for name in names] + [(name, 0) for name in reversed(names)]


def test_qemus_screen_is_shown_and_its_keyboard_is_typed_on(
    visit: Visit, exchange: Exchange, proxy: Proxy, qemu: Callable[..., Qemu]
) -> None:
    screen = qemu()
    page = visit(exchange.offer(console_of(proxy, screen)))
    state(page, "Connected")
    # letters on black, as QEMU draws where there is no guest
    until(
        page,
        """() => {
        const canvas = document.querySelector("#screen canvas");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const bright = pixels.filter((value, index) => index % 4 === 0 && value > 127).length;
        return bright > 100 && bright < pixels.length / 8;
    }""",
    )
    expect(page.locator("#screen canvas")).to_be_focused()
    page.keyboard.press("z")
    wanted = struck("z")
    wait_told(screen, wanted)
    paste(page, "@|~", "de")
    button(page, "Type it").click()
    wanted += [*struck("alt_r", "q"), *struck("alt_r", "less"), *struck("alt_r", "bracket_right")]
    wait_told(screen, wanted)
    button(page, "Ctrl-Alt-Del").click()
    wait_told(screen, [*wanted, *struck("ctrl", "alt", "delete")])


def test_a_watcher_sees_and_no_key_of_theirs_arrives(
    visit: Visit, exchange: Exchange, proxy: Proxy, qemu: Callable[..., Qemu]
) -> None:
    screen = qemu()
    console = console_of(proxy, screen)
    watcher = visit(exchange.offer(console, view_only=True))
    state(watcher, "Connected")
    watcher.locator("#screen canvas").click()
    watcher.keyboard.type("abc")
    typist = visit(exchange.offer(console))
    state(typist, "Connected")
    expect(typist.locator("#screen canvas")).to_be_focused()
    typist.keyboard.press("z")
    wait_told(screen, struck("z"))
    state(watcher, "Connected")


def test_who_comes_second_takes_over_and_who_came_first_takes_it_back(
    visit: Visit, exchange: Exchange, proxy: Proxy, qemu: Callable[..., Qemu]
) -> None:
    screen = qemu()
    console = console_of(proxy, screen)
    first, watcher = visit(exchange.offer(console)), visit(exchange.offer(console, view_only=True))
    for page in (first, watcher):
        state(page, "Connected")
    second = visit(exchange.offer(console))
    state(second, "Connected")
    state(first, "Taken over")
    expect(first.locator("#notice-words")).to_contain_text("Somebody else has opened this console")
    button(first, "Take it back").click()
    state(first, "Connected")
    state(second, "Taken over")
    state(watcher, "Connected")
    expect(first.locator("#screen canvas")).to_be_focused()
    first.keyboard.press("z")
    wait_told(screen, struck("z"))


def test_a_ticket_is_good_once(visit: Visit, exchange: Exchange, proxy: Proxy, qemu: Callable[..., Qemu]) -> None:
    console = console_of(proxy, qemu())
    granted: list[str] = []
    grant = console.grant

    def remember(view_only: bool) -> str:
        granted.append(granted[0] if granted else grant(view_only))
        return granted[-1]

    console.grant = remember
    first = visit(exchange.offer(console))
    state(first, "Connected")
    second = visit(exchange.offer(console))
    state(second, "Ended")
    expect(second.locator("#notice-words")).to_contain_text("The console was refused: ")
    state(first, "Connected")


def test_a_session_that_an_operator_ends_is_said_to_have_ended(
    visit: Visit, exchange: Exchange, proxy: Proxy, qemu: Callable[..., Qemu]
) -> None:
    page = visit(exchange.offer(console_of(proxy, qemu())))
    state(page, "Connected")
    (session,) = proxy.control.sessions()
    assert proxy.control.kill(session=session.session) == 1
    state(page, "Ended")
    expect(page.locator("#notice-words")).to_have_text("An operator has ended this session.")
    button(page, "Connect again").click()
    state(page, "Connected")
    assert [each["reason"] for each in proxy.events("session.ended")] == ["killed"]
