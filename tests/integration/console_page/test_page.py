"""The console page in a browser: it shows, it types, it says how it is, and it comes back."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.integration.console_page.conftest import PATIENCE
from tests.integration.console_page.exchange import Console, Exchange

Visit = Callable[..., Page]
expect.set_options(timeout=PATIENCE)


def state(page: Page, words: str) -> None:
    expect(page.locator("#state")).to_have_text(words)


def test_the_token_leaves_the_address_and_the_servers_name_is_shown(
    visit: Visit, exchange: Exchange, console: Console
) -> None:
    page = visit(exchange.offer(console))
    state(page, "Connected")
    expect(page.locator("#name")).to_have_text("web1")
    expect(page).to_have_title("web1 – console")
    assert page.url == f"{exchange.url}/console/"
    assert "token" not in page.evaluate("JSON.stringify(history.state)")
    expect(page.locator("#screen canvas")).to_be_visible()
    page.screenshot(path="/tmp/shots/first.png")
