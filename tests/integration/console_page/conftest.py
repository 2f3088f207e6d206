"""A headless Chromium, and the page in it: a test fails if the page errs, breaks its rules or asks another host."""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.integration.console_page.exchange import Console, Exchange
from tests.integration.console_page.scripted import ScriptedConsole
from tests.integration.vncauthproxy.conftest import authority, qemu, start
from tests.support.browser import chromium

__all__ = ["authority", "qemu", "start"]

log = logging.getLogger(__name__)

PATIENCE = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # while it lasts, its loop is the thread's: no other test could have one
    yield from chromium()


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path_factory.mktemp("exchange"))
    yield exchange
    exchange.stop()


@pytest.fixture
def exchange(serving: Exchange) -> Exchange:
    serving.forget()
    return serving


@pytest.fixture
def scripted(exchange: Exchange) -> Iterator[ScriptedConsole]:
    console = ScriptedConsole()
    exchange.origins.append(console.origin)
    yield console
    console.stop()


@pytest.fixture
def console(scripted: ScriptedConsole) -> Console:
    return Console(scripted.grant)


@pytest.fixture
def visit(browser: Browser, exchange: Exchange) -> Iterator[Callable[..., Page]]:
    """Open a URL in a browser of its own (`width`, `height`, and more that Playwright's contexts take).

    `script` is run before the page's own.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(url: str, *, width: int = 1280, height: int = 800, script: str = "", **more: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **more)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.expose_binding("fault", lambda _source, text: faults.append(text))
        context.add_init_script(
            "addEventListener('securitypolicyviolation', (e) => fault(`${e.violatedDirective} ${e.blockedURI}`))"
        )
        context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.extend(_foreign(request.url, exchange)))
        page.on("requestfailed", lambda request: log.warning("%s: %s", request.url, request.failure))
        page.on("websocket", lambda socket: faults.extend(_foreign(socket.url, exchange)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def _foreign(url: str, exchange: Exchange) -> list[str]:
    parts = urllib.parse.urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return [] if origin in (exchange.url, *exchange.origins) or parts.scheme == "data" else [url]
