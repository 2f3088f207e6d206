"""The sandbox's consoles in a browser, from the tenant's first request to the last key."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lab import process, scratch
from sandbox import terminal
from tests.e2e import client
from tests.e2e.sandbox_process import SandboxProcess
from tests.support.browser import chromium

PATIENCE = 120.0
#: the row of the simulated screen that is typed on
PROMPT_ROW = 8
expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from chromium()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    folder = scratch.folder("sandbox")
    started = SandboxProcess(folder)
    started.start()
    yield started
    started.stop()
    scratch.remove(folder)


@pytest.fixture(scope="module")
def tenant(sandbox: SandboxProcess) -> client.Client:
    found = client.Client(sandbox.url)
    secrets = json.loads((sandbox.folder / "secrets.json").read_text())
    found.log_in("demo", secrets["demo_password"])
    return found


@pytest.fixture
def server(tenant: client.Client) -> Iterator[str]:
    image = tenant.call("GET", "/images")["images"][0]["id"]
    spec = {"name": "web1", "flavorRef": "1", "imageRef": image}
    made = str(tenant.call("POST", "/servers", {"server": spec})["server"]["id"])

    def active() -> bool:
        return bool(tenant.call("GET", f"/servers/{made}")["server"]["status"] == "ACTIVE")

    process.wait_until(active, what="the server runs", timeout=PATIENCE, every=0.2)
    yield made
    tenant.call("DELETE", f"/servers/{made}")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[str], Page]]:
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(url: str) -> Page:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 800}))
        contexts[-1].set_default_timeout(PATIENCE * 1000)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.extend(_foreign(request.url)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def _foreign(url: str) -> list[str]:
    return [] if url.startswith(("http://127.0.0.1:", "data:")) else [url]


def console(tenant: client.Client, server: str) -> str:
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    return str(tenant.call("POST", f"/servers/{server}/remote-consoles", body)["remote_console"]["url"])


def state(page: Page, words: str) -> None:
    expect(page.locator("#state")).to_have_text(words)


def wait_shown(page: Page, row: int, text: str) -> None:
    """Wait until a row of the screen is exactly this, dot by dot."""
    wanted = terminal.dots(text, light=b"\xff", dark=b"\0")

    def shown() -> bool:
        drawn = page.evaluate("document.querySelector('#screen canvas').toDataURL('image/png')")
        picture = Image.open(io.BytesIO(base64.b64decode(drawn.partition(",")[2]))).convert("L")
        top = row * terminal.CELL_HEIGHT
        line = picture.crop((0, top, terminal.WIDTH, top + terminal.CELL_HEIGHT))
        return line.point(lambda value: 255 if value > 127 else 0).tobytes() == wanted

    process.wait_until(shown, what=f"{text!r} in row {row}", timeout=PATIENCE, every=0.1)


def test_a_tenant_sees_the_screen_types_and_pastes(
    tenant: client.Client, server: str, visit: Callable[[str], Page]
) -> None:
    page = visit(console(tenant, server))
    state(page, "Connected")
    expect(page.locator("#name")).to_have_text("web1")
    assert page.url.endswith("/console/")
    wait_shown(page, 2, "server   web1")
    expect(page.locator("#screen canvas")).to_be_focused()
    page.keyboard.type("ls")
    wait_shown(page, PROMPT_ROW, "$ ls_")
    page.get_by_role("button", name="Paste").click()
    page.get_by_label("Text", exact=True).fill(' P@ss"w0rd{}|~')
    page.get_by_role("button", name="Type it").click()
    wait_shown(page, PROMPT_ROW, '$ ls P@ss"w0rd{}|~_')


def test_a_token_is_good_once_and_a_reload_needs_none(
    tenant: client.Client, server: str, visit: Callable[[str], Page]
) -> None:
    url = console(tenant, server)
    page = visit(url)
    state(page, "Connected")
    second = visit(url)
    state(second, "Ended")
    expect(second.locator("#retry")).to_be_hidden()
    page.reload()
    state(page, "Connected")


def test_a_second_viewer_takes_over_and_a_link_only_watches(
    tenant: client.Client, server: str, visit: Callable[[str], Page]
) -> None:
    first = visit(console(tenant, server))
    state(first, "Connected")
    second = visit(console(tenant, server))
    state(second, "Connected")
    state(first, "Taken over")
    first.get_by_role("button", name="Take it back").click()
    state(first, "Connected")
    state(second, "Taken over")

    first.get_by_role("button", name="Share").click()
    first.get_by_role("button", name="Make a link").click()
    link = first.get_by_label("Link 1", exact=True).input_value()
    watcher = visit(link)
    state(watcher, "Connected")
    expect(watcher.get_by_text("View only")).to_be_visible()
    watcher.locator("#screen canvas").click()
    watcher.keyboard.type("watched")
    first.get_by_role("button", name="Close").click()
    expect(first.locator("#screen canvas")).to_be_focused()
    first.keyboard.type("alone")
    wait_shown(watcher, PROMPT_ROW, "$ alone_")

    first.get_by_role("button", name="Share").click()
    first.get_by_role("button", name="Revoke link 1").click()
    state(watcher, "Ended")
    state(first, "Connected")


def test_a_stopped_server_is_said_to_be_and_shown_again_when_it_runs(
    tenant: client.Client, server: str, visit: Callable[[str], Page]
) -> None:
    page = visit(console(tenant, server))
    state(page, "Connected")
    tenant.call("POST", f"/servers/{server}/action", {"os-stop": None})
    process.wait_until(
        lambda: tenant.call("GET", f"/servers/{server}")["server"]["status"] == "SHUTOFF",
        what="the server is stopped",
        timeout=PATIENCE,
        every=0.2,
    )
    state(page, "Ended, server SHUTOFF")
    expect(page.locator("#notice-words")).to_contain_text("is stopped")
    page.reload()
    state(page, "Ended")
    expect(page.get_by_role("button", name="Connect again")).to_be_visible()
    tenant.call("POST", f"/servers/{server}/action", {"os-start": None})
    process.wait_until(
        lambda: tenant.call("GET", f"/servers/{server}")["server"]["status"] == "ACTIVE",
        what="the server runs again",
        timeout=PATIENCE,
        every=0.2,
    )
    page.get_by_role("button", name="Connect again").click()
    state(page, "Connected")
