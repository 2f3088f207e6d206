"""From a text to keys: what is planned for guests with different layouts, in the browser that plans it."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.integration.console_page.conftest import PATIENCE
from tests.integration.console_page.exchange import Exchange

Plan = Callable[[str, str], Any]

LAYOUTS = ("us", "gb", "de", "de-nodeadkeys", "fr", "es", "it", "gr-latin")
PASSWORD = 'P@ss"w0rd{}|~'


@pytest.fixture
def plan(visit: Callable[..., Page], exchange: Exchange) -> Plan:
    page = visit(f"{exchange.url}/console/")
    # all of its parts are there by then, this one too: until then it may load itself again
    expect(page.locator("#state")).to_have_text("Ended", timeout=PATIENCE)
    script = "async ([text, layout]) => (await import('/console/keystrokes.js')).plan(text, layout)"
    return lambda text, layout: page.evaluate(script, [text, layout])


def keys(planned: Any) -> str:
    """A plan as people write keys: each stroke's, with what is held; releases have to mirror presses."""
    words = []
    for stroke in planned["strokes"]:
        held: list[str] = []
        for event in stroke["events"]:
            if not event["down"]:
                assert held.pop() == event["code"]
                continue
            held.append(event["code"])
            if event["code"] not in ("ShiftLeft", "AltRight"):
                words.append("+".join(held))
        assert held == []
    return " ".join(words)


def test_a_password_is_other_keys_on_other_layouts(plan: Plan) -> None:
    assert keys(plan(PASSWORD, "us")) == (
        "ShiftLeft+KeyP ShiftLeft+Digit2 KeyS KeyS ShiftLeft+Quote KeyW Digit0 KeyR KeyD "
        "ShiftLeft+BracketLeft ShiftLeft+BracketRight ShiftLeft+Backslash ShiftLeft+Backquote"
    )
    assert keys(plan(PASSWORD, "de")) == (
        "ShiftLeft+KeyP AltRight+KeyQ KeyS KeyS ShiftLeft+Digit2 KeyW Digit0 KeyR KeyD "
        "AltRight+Digit7 AltRight+Digit0 AltRight+IntlBackslash AltRight+BracketRight"
    )
    assert keys(plan(PASSWORD, "fr")) == (
        "ShiftLeft+KeyP AltRight+Digit0 KeyS KeyS Digit3 KeyZ ShiftLeft+Digit0 KeyR KeyD "
        "AltRight+Digit4 AltRight+Equal AltRight+Digit6 AltRight+Digit2"
    )


def test_keysyms_are_those_of_what_is_typed(plan: Plan) -> None:
    events = plan("@ß€", "de")["strokes"]
    assert [event["keysym"] for event in events[0]["events"]] == [0xFE03, 0x40, 0x40, 0xFE03]
    assert events[1]["events"][0]["keysym"] == 0xDF
    assert events[2]["events"][1]["keysym"] == 0x20AC


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_types_all_of_ascii(plan: Plan, layout: str) -> None:
    text = "".join(sorted(set(string.printable) - set("\r\v\f")))
    planned = plan(text, layout)
    assert planned["missing"] == []
    assert [stroke["character"] for stroke in planned["strokes"]] == list(text)


@pytest.mark.parametrize(
    ("text", "layout", "wanted"),
    [
        ("^", "de", "Backquote Space"),
        ("`", "de", "ShiftLeft+Equal Space"),
        ("é", "de", "Equal KeyE"),
        ("À", "de", "ShiftLeft+Equal ShiftLeft+KeyA"),
        ("^", "de-nodeadkeys", "Backquote"),
        ("`", "es", "BracketLeft Space"),
        ("ñü", "es", "Semicolon ShiftLeft+Quote KeyU"),
        ("êë", "fr", "BracketLeft KeyE ShiftLeft+BracketLeft KeyE"),
        ("άϊ", "gr", "Semicolon KeyA ShiftLeft+Semicolon KeyI"),
        ("e\u0301", "de", "Equal KeyE"),
    ],
)
def test_dead_keys_are_followed_by_what_they_are_for(plan: Plan, text: str, layout: str, wanted: str) -> None:
    planned = plan(text, layout)
    assert (keys(planned), planned["missing"]) == (wanted, [])


def test_what_a_layout_can_not_type_is_named_once(plan: Plan) -> None:
    assert plan("aé ☃é€", "us")["missing"] == ["é", "☃", "€"]
    assert plan("´", "de")["missing"] == ["´"]
    assert plan("a", "gr")["missing"] == ["a"]
    assert plan("\x1b\u00a0", "us")["missing"] == ["\x1b", "\u00a0"]


def test_lines_end_with_enter_however_they_ended(plan: Plan) -> None:
    assert keys(plan("a\r\nb\rc\nd\t", "us")) == "KeyA Enter KeyB Enter KeyC Enter KeyD Tab"
