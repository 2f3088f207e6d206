"""The console page in a browser: it shows, it types, it says how it is, and it comes back."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from lab import process
from tests.integration.console_page.conftest import PATIENCE
from tests.integration.console_page.exchange import Console, Exchange
from tests.integration.console_page.scripted import Key, ScriptedConsole

Visit = Callable[..., Page]
expect.set_options(timeout=PATIENCE)

CTRL, ALT, SHIFT, ALTGR, DELETE = 0x1D, 0x38, 0x2A, 0xB8, 0xD3


def state(page: Page, words: str) -> None:
    expect(page.locator("#state")).to_have_text(words)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def until(page: Page, script: str) -> None:
    """Wait until this is so in the page, asked from outside: what polls within the page needs what its rules forbid."""
    process.wait_until(lambda: bool(page.evaluate(script)), what=script, timeout=60)


def wait_keys(scripted: ScriptedConsole, count: int) -> list[Key]:
    """The keys that came, when there are so many; there must not be more."""
    process.wait_until(lambda: len(scripted.keys) >= count, what=f"{count} keys, not {scripted.keys}", timeout=60)
    assert len(scripted.keys) == count
    return scripted.keys


def presses(keys: list[Key]) -> list[tuple[int, bool]]:
    return [(key.scancode, key.down) for key in keys]


def struck(*scancodes: int) -> list[tuple[int, bool]]:
    """Keys pressed in turn, and released the other way round."""
    return [(code, True) for code in scancodes] + [(code, False) for code in reversed(scancodes)]


@pytest.fixture
def page(visit: Visit, exchange: Exchange, console: Console) -> Page:
    opened = visit(exchange.offer(console))
    state(opened, "Connected")
    return opened


def test_the_token_leaves_the_address_and_the_servers_name_is_shown(page: Page, exchange: Exchange) -> None:
    expect(page.locator("#name")).to_have_text("web1")
    expect(page).to_have_title("web1 – console")
    assert page.url == f"{exchange.url}/console/"
    kept = page.evaluate("JSON.stringify([history.state, {...sessionStorage}, {...localStorage}, document.cookie])")
    first = exchange.asked[0][1]["token"]
    assert json.dumps(first) not in kept.replace("\\", "")
    expect(page.locator("#screen canvas")).to_be_visible()


def test_a_video_decoder_that_does_not_answer_keeps_nobody_waiting(
    visit: Visit, exchange: Exchange, console: Console
) -> None:
    script = "window.VideoDecoder = class { static isConfigSupported() { return new Promise(() => {}); } };"
    state(visit(exchange.offer(console), script=script), "Connected")


def test_what_is_drawn_is_shown(page: Page) -> None:
    script = """() => {
        const canvas = document.querySelector("#screen canvas");
        const at = (y) => [...canvas.getContext("2d").getImageData(5, y, 1, 1).data].slice(0, 3);
        return [canvas.width, canvas.height, at(5), at(25)];
    }"""
    until(page, "document.querySelector('#screen canvas').getContext('2d').getImageData(5, 5, 1, 1).data[0]")
    assert page.evaluate(script) == [720, 400, [0x10, 0x20, 0x30], [0x20, 0x30, 0x40]]


def test_typed_keys_arrive_by_their_places(page: Page, scripted: ScriptedConsole) -> None:
    page.keyboard.press("a")
    page.keyboard.press("Shift+KeyA")
    page.keyboard.press("Tab")
    assert presses(wait_keys(scripted, 8)) == [*struck(0x1E), *struck(SHIFT, 0x1E), *struck(0x0F)]


def test_combinations_are_pressed_and_released_whole(page: Page, scripted: ScriptedConsole) -> None:
    button(page, "Ctrl-Alt-Del").click()
    assert presses(wait_keys(scripted, 6)) == struck(CTRL, ALT, DELETE)
    scripted.keys.clear()
    button(page, "Keys").click()
    button(page, "Ctrl-Alt-F2").click()
    button(page, "Alt-F4").click()
    assert presses(wait_keys(scripted, 10)) == [*struck(CTRL, ALT, 0x3C), *struck(ALT, 0x3E)]
    page.keyboard.press("Escape")
    expect(page.locator("#keys-panel")).to_be_hidden()
    expect(button(page, "Keys")).to_be_focused()


def look_again(page: Page) -> None:
    """Do what a browser does whose tab is looked at again: the page asks then how the server is."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def paste(page: Page, text: str, layout: str) -> None:
    button(page, "Paste").click()
    dialog = page.get_by_role("dialog", name="Paste as keystrokes")
    dialog.get_by_label("The guest's keyboard layout").select_option(layout)
    dialog.get_by_label("Text").fill(text)


@pytest.mark.parametrize(
    ("layout", "wanted"),
    [
        (
            "us",
            [
                *struck(SHIFT, 0x19),
                *struck(SHIFT, 0x03),
                *struck(0x1F),
                *struck(0x1F),
                *struck(SHIFT, 0x28),
                *struck(0x11),
                *struck(0x0B),
                *struck(0x13),
                *struck(0x20),
                *struck(SHIFT, 0x1A),
                *struck(SHIFT, 0x1B),
                *struck(SHIFT, 0x2B),
                *struck(SHIFT, 0x29),
            ],
        ),
        (
            "de",
            [
                *struck(SHIFT, 0x19),
                *struck(ALTGR, 0x10),
                *struck(0x1F),
                *struck(0x1F),
                *struck(SHIFT, 0x03),
                *struck(0x11),
                *struck(0x0B),
                *struck(0x13),
                *struck(0x20),
                *struck(ALTGR, 0x08),
                *struck(ALTGR, 0x0B),
                *struck(ALTGR, 0x56),
                *struck(ALTGR, 0x1B),
            ],
        ),
    ],
)
def test_a_pasted_text_is_typed_as_the_guests_layout_needs(
    page: Page, scripted: ScriptedConsole, layout: str, wanted: list[tuple[int, bool]]
) -> None:
    paste(page, 'P@ss"w0rd{}|~', layout)
    button(page, "Type it").click()
    expect(page.locator("#paste-dialog")).to_be_hidden()
    assert presses(wait_keys(scripted, len(wanted))) == wanted
    assert page.locator("#text").input_value() == ""


def test_nothing_is_sent_of_a_text_that_can_not_be_typed_whole(page: Page, scripted: ScriptedConsole) -> None:
    paste(page, "naïve ☃", "us")
    expect(page.locator("#missing")).to_have_text("This layout can't type: ï (U+00EF), ☃ (U+2603). Nothing is sent.")
    expect(button(page, "Type it")).to_be_disabled()
    page.locator("#paste-dialog select.layout").select_option("de")
    expect(page.locator("#missing")).to_contain_text("☃ (U+2603)")
    page.locator("#text").fill("fine")
    expect(button(page, "Type it")).to_be_enabled()
    assert scripted.keys == []


def test_a_long_text_can_be_stopped_between_two_keys(page: Page, scripted: ScriptedConsole) -> None:
    paste(page, "Ab" * 2000, "us")
    page.get_by_label("Pace").select_option("slow")
    button(page, "Type it").click()
    process.wait_until(lambda: len(scripted.keys) > 10, what="some keys", timeout=60)
    button(page, "Stop").click()
    expect(page.locator("#count")).to_contain_text("Stopped after")
    count = int(page.locator("#count").inner_text().split()[2])
    assert 0 < count < 4000
    assert page.locator("#text").input_value() == "Ab" * 2000
    keys = wait_keys(scripted, (count + 1) // 2 * 4 + count // 2 * 2)
    assert sum(1 if key.down else -1 for key in keys) == 0


def test_who_may_only_watch_is_told_so_and_has_no_keys(
    visit: Visit, exchange: Exchange, console: Console, scripted: ScriptedConsole
) -> None:
    page = visit(exchange.offer(console, view_only=True))
    state(page, "Connected")
    expect(page.get_by_text("View only")).to_be_visible()
    for name in ("Ctrl-Alt-Del", "Keys", "Paste", "Share"):
        expect(button(page, name)).to_be_hidden()
    page.locator("#screen canvas").click()
    page.keyboard.type("abc")
    button(page, "Actual size").click()
    expect(button(page, "Actual size")).to_have_attribute("aria-pressed", "true")
    assert scripted.keys == []


def test_a_lost_connection_is_made_again_with_a_fresh_ticket(
    page: Page, exchange: Exchange, scripted: ScriptedConsole
) -> None:
    scripted.cut()
    process.wait_until(lambda: len(scripted.connections) == 2, what="a second connection", timeout=60)
    state(page, "Connected")
    tokens = [body["token"] for path, body in exchange.asked if path == "sessions"]
    assert len(tokens) == len(set(tokens)) == 2
    page.keyboard.press("a")
    assert presses(wait_keys(scripted, 2)) == struck(0x1E)


def test_an_api_that_is_away_for_a_while_is_asked_again(visit: Visit, exchange: Exchange, console: Console) -> None:
    console.refusals += [(503, "The console proxy does not answer.")] * 2
    page = visit(exchange.offer(console))
    expect(page.locator("#notice-words")).to_have_text("The console proxy does not answer.")
    state(page, "Connected")
    assert exchange.count("sessions") == 3


def test_a_person_need_not_wait_for_the_next_attempt(page: Page, console: Console, scripted: ScriptedConsole) -> None:
    console.refusals += [(503, "Away.")] * 2
    scripted.cut()
    state(page, "Reconnecting")
    while page.locator("#state").inner_text() != "Connected":
        if button(page, "Try now").is_visible():
            button(page, "Try now").click()
        page.wait_for_timeout(20)


def test_who_was_taken_over_is_told_and_may_take_it_back(page: Page, scripted: ScriptedConsole) -> None:
    scripted.close(4409, "taken over by another viewer")
    state(page, "Taken over")
    expect(page.get_by_role("heading", name="Another viewer has taken over")).to_be_visible()
    assert len(scripted.connections) == 1
    button(page, "Take it back").click()
    state(page, "Connected")
    assert len(scripted.connections) == 2


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (1000, "the session was ended by the operator", "An operator has ended this session."),
        (1000, "nothing has happened for too long", "Nothing was typed or shown for too long."),
        (4403, "the ticket is unknown", "The console was refused: the ticket is unknown."),
    ],
)
def test_an_end_is_said_in_words_and_left_to_a_person(
    page: Page, scripted: ScriptedConsole, code: int, reason: str, words: str
) -> None:
    scripted.close(code, reason)
    state(page, "Ended")
    expect(page.get_by_role("heading", name="The console has ended")).to_be_visible()
    expect(page.locator("#notice-words")).to_have_text(words)
    assert len(scripted.connections) == 1
    button(page, "Connect again").click()
    state(page, "Connected")


def test_a_used_token_opens_nothing(visit: Visit, exchange: Exchange, console: Console) -> None:
    url = exchange.offer(console)
    state(visit(url), "Connected")
    page = visit(url)
    state(page, "Ended")
    expect(page.get_by_role("heading", name="The console can't be opened")).to_be_visible()
    expect(page.locator("#notice-words")).to_have_text("This token has been used.")
    expect(page.locator("#retry")).to_be_hidden()


def test_without_a_token_the_page_says_where_to_get_one(visit: Visit, exchange: Exchange) -> None:
    page = visit(f"{exchange.url}/console/")
    state(page, "Ended")
    expect(page.locator("#notice-words")).to_contain_text("openstack console url show")
    assert exchange.asked == []


def test_a_reload_goes_on_with_the_same_console(page: Page, exchange: Exchange) -> None:
    page.reload()
    state(page, "Connected")
    assert exchange.count("sessions") == 2


def test_a_stopped_server_is_told_of_and_shown_when_it_runs_again(
    page: Page, console: Console, scripted: ScriptedConsole, exchange: Exchange
) -> None:
    console.status = "SHUTOFF"
    console.refusals.append((409, "The server is not running."))
    scripted.close(1000, "the console was closed")
    expect(page.locator("#notice-words")).to_have_text("The server is not running.")
    expect(button(page, "Connect again")).to_be_visible()
    look_again(page)
    state(page, "Ended, server SHUTOFF")
    console.status = "ACTIVE"
    look_again(page)
    state(page, "Connected")


def test_viewers_are_counted(page: Page, console: Console) -> None:
    expect(page.locator("#viewers")).to_be_hidden()
    console.viewers = 3
    look_again(page)
    expect(page.locator("#viewers")).to_have_text("3 viewers")


def test_a_token_that_is_good_no_more_is_not_shown_again(page: Page, exchange: Exchange) -> None:
    exchange.end_tokens()
    look_again(page)
    expect(page.locator("#create")).to_be_disabled()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    look_again(page)
    page.evaluate("fetch('icon.svg').then((answer) => answer.text())")
    assert [url.rpartition("/")[2] for url in sent] == ["icon.svg"]


def test_links_are_made_copied_and_revoked(page: Page, exchange: Exchange) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button(page, "Share").click()
    page.get_by_label("It lasts").select_option("900")
    button(page, "Make a link").click()
    expect(page.get_by_label("Link 1", exact=True)).to_be_visible()
    assert exchange.asked[-1][1]["seconds"] == 900 or exchange.asked[-2][1]["seconds"] == 900
    button(page, "Copy link 1").click()
    expect(page.locator("#links")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.get_by_label("Link 1", exact=True).input_value()
    assert copied not in page.evaluate("JSON.stringify({...sessionStorage})")
    button(page, "Revoke link 1").click()
    expect(page.locator("#links li")).to_have_count(0)
    assert exchange.links == {}


def test_a_part_that_does_not_come_at_first_is_asked_for_again(
    visit: Visit, exchange: Exchange, console: Console
) -> None:
    page = visit("about:blank")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    page.route("**/console/keystrokes.js", lose)
    page.goto(exchange.offer(console))
    state(page, "Connected")
    assert len(lost) == 1
    assert exchange.count("sessions") == 1


def test_a_part_that_never_comes_is_said(visit: Visit, exchange: Exchange, console: Console) -> None:
    page = visit("about:blank")
    page.route("**/console/keystrokes.js", lambda route: route.abort())
    page.goto(exchange.offer(console))
    expect(page.locator("#notice-title")).to_have_text("The page can't be loaded")
    state(page, "Ended")
    assert exchange.count("sessions") == 0
