"""The console page is for everybody: on a small screen, by keyboard alone, in light and in dark, and by touch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.integration.console_page.exchange import Console, Exchange
from tests.integration.console_page.scripted import ScriptedConsole
from tests.integration.console_page.test_page import ALT, CTRL, button, presses, state, struck, until, wait_keys

Visit = Callable[..., Page]

#: WCAG 2.2, 1.4.3: the least contrast of text
AA = 4.5

CONTRASTS = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = ([r, g, b]) => [r, g, b]
        .map((value) => value / 255)
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const color = rgba(getComputedStyle(each).backgroundColor);
            if (color[3] === 255) return color;
        }
        return [255, 255, 255];
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.data.trim();
        if (!text || !element.checkVisibility() || element.closest(":disabled, textarea")) continue;
        const [one, other] = [luminance(rgba(getComputedStyle(element).color)), luminance(behind(element))];
        found.push([text, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)]);
    }
    return found;
}"""


def overflows(page: Page) -> list[str]:
    """What sticks out of the window to the side."""
    script = """() => [...document.querySelectorAll("body *")]
        .filter((element) => element.checkVisibility() && !element.closest("#screen, svg, .tools span"))
        .filter((element) => {
            const box = element.getBoundingClientRect();
            return box.left < -0.5 || box.right > innerWidth + 0.5;
        })
        .map((element) => element.outerHTML.slice(0, 80))"""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    found: list[str] = page.evaluate(script)
    return [*found, *(["the page itself"] if wide else [])]


def faint(page: Page) -> list[str]:
    found: list[tuple[str, float]] = page.evaluate(CONTRASTS)
    assert found
    return [text for text, contrast in found if contrast < AA]


def open_keys(page: Page) -> None:
    button(page, "Keys").click()


def open_paste(page: Page) -> None:
    button(page, "Paste").click()
    page.locator("#text").fill("☃")


def open_share(page: Page) -> None:
    button(page, "Share").click()
    button(page, "Make a link").click()
    expect(page.locator("#links li")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("show", [None, open_keys, open_paste, open_share])
def test_everything_fits_a_small_screen_and_is_readable(
    visit: Visit, exchange: Exchange, console: Console, show: Callable[[Page], None] | None, scheme: str
) -> None:
    console.name = "a-server-with-a-name-that-is-longer-than-any-telephone-is-wide"
    console.viewers = 12
    page = visit(exchange.offer(console), width=360, height=640, color_scheme=scheme)
    state(page, "Connected")
    if show is not None:
        show(page)
    assert overflows(page) == []
    assert faint(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ends_fit_a_small_screen_and_are_readable(
    visit: Visit, exchange: Exchange, console: Console, scripted: ScriptedConsole, scheme: str
) -> None:
    page = visit(exchange.offer(console), width=360, height=640, color_scheme=scheme)
    state(page, "Connected")
    scripted.close(4409, "taken over by another viewer")
    state(page, "Taken over")
    assert overflows(page) == []
    assert faint(page) == []


def test_the_screen_gives_the_keyboard_back(
    visit: Visit, exchange: Exchange, console: Console, scripted: ScriptedConsole
) -> None:
    page = visit(exchange.offer(console))
    state(page, "Connected")
    expect(page.locator("#screen canvas")).to_be_focused()
    for key in ("Control", "Alt", "Shift"):
        page.keyboard.down(key)
    expect(button(page, "Ctrl-Alt-Del")).to_be_focused()
    for key in ("Shift", "Alt", "Control"):
        page.keyboard.up(key)
    # what was held is released on the server, and the last key was not pressed there
    keys = wait_keys(scripted, 4)
    assert sorted(presses(keys)) == sorted(struck(CTRL, ALT))
    expect(page.locator("#note")).to_have_text("The keyboard is the page's again.")


def test_all_is_reached_by_keyboard_alone(
    visit: Visit, exchange: Exchange, console: Console, scripted: ScriptedConsole
) -> None:
    page = visit(exchange.offer(console))
    state(page, "Connected")
    page.keyboard.press("Control+Alt+Shift")
    visited = []
    for _ in range(6):
        visited.append(page.evaluate("document.activeElement.id"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", visited
        page.keyboard.press("Tab")
    assert visited == ["ctrl-alt-del", "keys", "paste", "share", "scale", "full"]
    expect(page.locator("#screen canvas")).to_be_focused()
    page.keyboard.press("Control+Alt+Shift")
    scripted.keys.clear()

    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Paste as keystrokes")).to_be_visible()
    page.keyboard.type("a")
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(button(page, "Type it")).to_be_focused()
    page.keyboard.press("Enter")
    assert presses(wait_keys(scripted, 2)) == struck(0x1E)
    expect(page.locator("#screen canvas")).to_be_focused()


def test_the_state_is_read_out(visit: Visit, exchange: Exchange, console: Console) -> None:
    page = visit(exchange.offer(console))
    expect(page.get_by_role("status").filter(has_text="Connected")).to_be_visible()
    expect(page.get_by_role("application", name="The server's screen. Control, Alt and Shift together")).to_be_visible()
    named = page.evaluate("""[...document.querySelectorAll("button, select, textarea, input")]
        .filter((element) => element.checkVisibility())
        .filter((element) => !(element.textContent.trim() || element.labels?.length || element.ariaLabel)).length""")
    assert named == 0


def test_a_touch_screen_types_characters_as_the_guests_layout_needs(
    visit: Visit, exchange: Exchange, console: Console, scripted: ScriptedConsole
) -> None:
    page = visit(exchange.offer(console), width=360, height=640, has_touch=True, is_mobile=True)
    state(page, "Connected")
    button(page, "Keys").tap()
    page.locator("#keys-panel select").select_option("de")
    button(page, "Type").tap()
    expect(page.locator("#soft-input")).to_be_focused()
    page.keyboard.insert_text("z")
    page.keyboard.insert_text("@")
    page.keyboard.press("Backspace")
    wanted = [*struck(0x15), *struck(0xB8, 0x10), *struck(0x0E)]
    assert presses(wait_keys(scripted, len(wanted))) == wanted
    page.keyboard.insert_text("☃")
    expect(page.locator("#note")).to_have_text("This layout can't type: ☃ (U+2603)")


def test_without_touch_there_is_no_button_for_it(visit: Visit, exchange: Exchange, console: Console) -> None:
    page = visit(exchange.offer(console))
    state(page, "Connected")
    expect(button(page, "Type")).to_be_hidden()


def test_the_picture_fits_or_is_as_large_as_it_is(visit: Visit, exchange: Exchange, console: Console) -> None:
    page = visit(exchange.offer(console), width=360, height=640)
    state(page, "Connected")
    width = "document.querySelector('#screen canvas').getBoundingClientRect().width"
    until(page, f"{width} <= 360")
    button(page, "Actual size").click()
    until(page, f"{width} === 720")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.reload()
    state(page, "Connected")
    until(page, f"{width} === 720")
