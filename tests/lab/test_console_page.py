"""A tenant's browser on a real guest's screen: what is drawn there, what is typed on it, and who is let in."""

from __future__ import annotations

import base64
import contextlib
import io
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from cloud import accounts
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common import config
from db.sessions import Sessions
from db.users import Role
from lab import cloud as lab_cloud
from lab import process, screen_guest, seed
from tests.lab import direct_boot
from tests.lab.test_cloud import Session
from tests.lab.test_consoles import output
from tests.support.browser import chromium

CTRL = "/var/run/ganeti/kvm-hypervisor/ctrl"
PATIENCE = 120.0
PASSWORD = 'P@ss"w0rd{}|~'
_SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))
expect.set_options(timeout=PATIENCE * 1000)


@dataclass(frozen=True)
class Guest:
    """A server whose guest has a shell on its screen."""

    tenant: Session
    server: str

    def url(self) -> str:
        """What a tenant is given to open its screen with."""
        body = {"os-getVNCConsole": {"type": "novnc"}}
        console = self.tenant.call("POST", f"/servers/{self.server}/action", body)["console"]
        assert console["type"] == "novnc"
        return str(console["url"])

    def screen(self) -> Image.Image:
        """Its screen, as QEMU itself has it."""
        order = f"echo screendump /tmp/screen.ppm | socat -t 5 - UNIX-CONNECT:{CTRL}/syros-{self.server}.monitor >&2"
        dumped = self.tenant.cloud.cluster.run(["sh", "-c", f"{order}; base64 /tmp/screen.ppm"]).stdout
        return Image.open(io.BytesIO(base64.b64decode(dumped))).convert("RGB")

    def wait_said(self, words: str, times: int = 1) -> None:
        """Wait until so many lines of its serial console are this."""

        def said() -> bool:
            self.tenant.cloud.programs.restart_ended()
            return output(self.tenant, self.server).replace("\r", "").split("\n").count(words) >= times

        process.wait_until(said, what=f"the guest says {words}", timeout=PATIENCE, every=0.5)


@pytest.fixture(scope="module")
def guest(cloud: lab_cloud.LabCloud) -> Iterator[Guest]:
    direct_boot.use(cloud, screen_guest.write_initrd)
    tenant = Session(cloud, cloud.demo)
    flavor = next(each["id"] for each in tenant.call("GET", "/flavors")["flavors"] if each["name"] == "m1.small")
    image = tenant.call("GET", "/images")["images"][0]["id"]
    spec = {"name": "screen", "flavorRef": flavor, "imageRef": image}
    made = Guest(tenant, tenant.call("POST", "/servers", {"server": spec})["server"]["id"])
    tenant.wait(made.server, "ACTIVE")
    made.wait_said(screen_guest.READY)
    yield made
    tenant.call("DELETE", f"/servers/{made.server}")
    tenant.wait(made.server, "GONE")


def other_tenant(cloud: lab_cloud.LabCloud) -> seed.Login:
    """Somebody in a project of their own."""
    login = seed.Login("", "stranger", "elsewhere", Role.MEMBER)
    with contextlib.closing(Sessions(config.Database(url=cloud.postgres.url("syros")))) as sessions:
        rows = Cloud(sessions, CloudSettings())
        accounts.add_project(rows, login.project)
        accounts.add_user(rows, login.user, password=login.password, default_project=login.project)
        accounts.grant(rows, user=login.user, project=login.project, role=login.role)
    return login


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from chromium()


def state(page: Page, words: str) -> None:
    expect(page.locator("#state")).to_have_text(words)


def canvas(page: Page) -> Image.Image:
    """The picture on the page, as large as it is."""
    drawn = page.evaluate("document.querySelector('#screen canvas').toDataURL('image/png')")
    return Image.open(io.BytesIO(base64.b64decode(drawn.partition(",")[2]))).convert("RGB")


def type_line(page: Page, line: str) -> None:
    """Type as a person does on an American keyboard."""
    page.locator("#screen canvas").focus()
    for character in line:
        lower = _SHIFTED.get(character, character.lower())
        page.keyboard.press(character if lower == character else f"Shift+{lower}", delay=20)
    page.keyboard.press("Enter")


def paste(page: Page, text: str, layout: str) -> None:
    page.get_by_role("button", name="Paste").click()
    page.locator("#paste-dialog select.layout").select_option(layout)
    page.locator("#text").fill(text)
    page.get_by_role("button", name="Type it").click()
    expect(page.locator("#paste-dialog")).to_be_hidden()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name="Keys").click()


@pytest.fixture
def visit(browser: Browser, guest: Guest) -> Iterator[Callable[[str], Page]]:
    """Open a console's URL in a browser of its own."""
    contexts: list[BrowserContext] = []

    def open_page(url: str) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(visit: Callable[[str], Page], guest: Guest) -> Page:
    opened = visit(guest.url())
    state(opened, "Connected")
    return opened


def test_the_page_shows_the_guests_screen_pixel_by_pixel(guest: Guest, page: Page) -> None:
    expect(page.locator("#name")).to_have_text("screen")
    # what is drawn between two looks is another picture
    process.wait_until(
        lambda: canvas(page).tobytes() == guest.screen().tobytes(), what="the same picture", timeout=PATIENCE, every=0.5
    )
    # light letters on a dark ground
    assert len(canvas(page).getcolors() or ()) == 2


def test_a_command_typed_on_the_page_is_done_in_the_guest(guest: Guest, page: Page) -> None:
    type_line(page, 'echo "TYPED-$((6 * 7))" > /dev/ttyS0')
    guest.wait_said("TYPED-42")


@pytest.mark.parametrize(("layout", "command"), [("us", "american"), ("de", "german")])
def test_a_pasted_password_arrives_whatever_the_guests_layout(
    guest: Guest, page: Page, layout: str, command: str
) -> None:
    type_line(page, command)
    paste(page, f"echo '{command} {PASSWORD} yz-YZ' > /dev/ttyS0\n", layout)
    guest.wait_said(f"{command} {PASSWORD} yz-YZ")
    type_line(page, "american")


def test_a_token_opens_one_console_once(guest: Guest, visit: Callable[[str], Page]) -> None:
    url = guest.url()
    state(visit(url), "Connected")
    again = visit(url)
    state(again, "Ended")
    expect(again.locator("#notice-title")).to_have_text("The console can't be opened")
    changed = visit(f"{guest.url()}x")
    state(changed, "Ended")


def test_nobody_gets_the_url_of_anothers_server(guest: Guest) -> None:
    stranger = Session(guest.tenant.cloud, other_tenant(guest.tenant.cloud))
    with pytest.raises(urllib.error.HTTPError) as refused:
        Guest(stranger, guest.server).url()
    with refused.value as err:
        assert err.code == 404


def test_a_second_viewer_takes_over_and_the_first_takes_it_back(
    guest: Guest, page: Page, visit: Callable[[str], Page]
) -> None:
    second = visit(guest.url())
    state(second, "Connected")
    state(page, "Taken over")
    page.get_by_role("button", name="Take it back").click()
    state(page, "Connected")
    state(second, "Taken over")


def test_a_link_shows_the_screen_and_takes_no_key_until_it_is_revoked(
    guest: Guest, page: Page, visit: Callable[[str], Page]
) -> None:
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Link 1", exact=True).input_value()
    page.get_by_role("button", name="Close").click()
    watcher = visit(link)
    state(watcher, "Connected")
    expect(watcher.get_by_text("View only")).to_be_visible()
    watcher.locator("#screen canvas").click()
    watcher.keyboard.type("echo watched", delay=20)
    type_line(page, "echo TYPED-ALONE > /dev/ttyS0")
    guest.wait_said("TYPED-ALONE")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Revoke link 1").click()
    state(watcher, "Ended")
    expect(page.locator("#state")).to_have_text("Connected")


def test_a_server_that_is_reset_is_shown_again(guest: Guest, page: Page) -> None:
    guest.tenant.call("POST", f"/servers/{guest.server}/action", {"reboot": {"type": "HARD"}})
    guest.tenant.wait(guest.server, "ACTIVE")
    guest.wait_said(screen_guest.READY, times=2)
    state(page, "Connected")
    type_line(page, "echo TYPED-AGAIN > /dev/ttyS0")
    guest.wait_said("TYPED-AGAIN")
