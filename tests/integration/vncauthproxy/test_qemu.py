"""Real consoles, real viewers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from common.console_proxy import ConsoleProxyRefused
from common.consoles import Granted
from tests.integration.vncauthproxy import clients
from tests.integration.vncauthproxy.conftest import Proxy, Qemu
from tests.support.authority import Authority


@pytest.mark.parametrize("client", clients.CAPTURES)
def test_viewers_of_three_makers_see_what_they_see_directly(
    client: str, start: Callable[..., Proxy], qemu: Callable[..., Qemu], tmp_path: Path
) -> None:
    capture, form = clients.CAPTURES[client]
    screen = qemu()
    direct = tmp_path / f"direct.{form}"
    done = capture(Granted("", "none", host="127.0.0.1", port=screen.port, url=""), direct)
    assert done.returncode == 0, done.stderr
    proxy = start()
    shown = tmp_path / f"proxied.{form}"
    done = capture(proxy.forward(screen.port), shown)
    assert done.returncode == 0, f"{done.stderr}\n{proxy.log}"
    size, pixels = clients.looks(shown)
    assert (size, pixels) == clients.looks(direct)
    # letters on black: neither an empty screen nor a full one
    assert 100 < pixels.count(255) < len(pixels) // 2
    ended = proxy.wait_event("session.ended")
    assert (ended["reason"], ended["viewer"]) == ("viewer_left", "127.0.0.1")


@pytest.mark.parametrize(
    ("options", "objects", "more"),
    [
        (",password-secret=s", ("secret,id=s,data=qemu-pw1",), {"console_password": "qemu-pw1"}),
        (",tls-creds=t", ("tls-creds-anon,id=t,endpoint=server",), {"tls": True}),
        (
            ",tls-creds=t,password-secret=s",
            ("tls-creds-anon,id=t,endpoint=server", "secret,id=s,data=qemu-pw1"),
            {"tls": True, "console_password": "qemu-pw1"},
        ),
        (",tls-creds=t", ("tls-creds-x509,id=t,endpoint=server,verify-peer=off,dir={dir}",), {"tls": True}),
        (",tls-creds=t", ("tls-creds-x509,id=t,endpoint=server,verify-peer=on,dir={dir}",), {}),
        (
            ",tls-creds=t,password-secret=s",
            ("tls-creds-x509,id=t,endpoint=server,verify-peer=off,dir={dir}", "secret,id=s,data=qemu-pw1"),
            {"tls": True, "tls_name": "localhost", "console_password": "qemu-pw1"},
        ),
    ],
    ids=["vnc", "tlsnone", "tlsvnc", "x509none", "x509none-mutual", "x509vnc"],
)
def test_a_console_is_entered_however_ganeti_has_set_it_up(
    options: str,
    objects: tuple[str, ...],
    more: dict[str, object],
    start: Callable[..., Proxy],
    qemu: Callable[..., Qemu],
    authority: Authority,
    tmp_path: Path,
) -> None:
    authority.issue("server")
    cert, key = authority.issue("viewer")
    screen = qemu(options, *(each.format(dir=authority.ca.parent) for each in objects))
    proxy = start(console_ca=str(authority.ca), console_cert=str(cert), console_key=str(key), anonymous_tls=True)
    shown = tmp_path / "shown.png"
    done = clients.vncdotool_capture(proxy.forward(screen.port, **more), shown)
    assert done.returncode == 0, f"{done.stderr}\n{proxy.log}\n{screen.log}"
    assert clients.looks(shown)[1].count(255) > 100


def test_a_console_that_can_t_be_entered_is_told_to_who_asks(
    start: Callable[..., Proxy], qemu: Callable[..., Qemu], authority: Authority, tmp_path: Path
) -> None:
    authority.issue("server")
    other = Authority(tmp_path / "other")
    plain, locked = qemu(), qemu(",password-secret=s", "secret,id=s,data=qemu-pw1")
    certified = qemu(",tls-creds=t", f"tls-creds-x509,id=t,endpoint=server,verify-peer=off,dir={authority.ca.parent}")
    anonymous = qemu(",tls-creds=t", "tls-creds-anon,id=t,endpoint=server")
    proxy = start(console_ca=str(other.ca))
    for port, more, reason in (
        (plain.port, {"tls": True}, "offers no TLS"),
        (locked.port, {}, "asks for a password"),
        (locked.port, {"console_password": "wrong"}, "it refuses"),
        (certified.port, {}, "TLS failed: .*certificate"),
        (anonymous.port, {}, "none is set up"),
    ):
        with pytest.raises(ConsoleProxyRefused, match=reason) as caught:
            proxy.forward(port, **more)
        assert caught.value.code == "unreachable"
    assert proxy.control.sessions() == []
    trusting = start(console_ca=str(authority.ca))
    with pytest.raises(ConsoleProxyRefused, match=r"TLS failed: .*other\.example"):
        trusting.forward(certified.port, tls_name="other.example")


def test_keys_reach_the_guest_but_not_those_of_who_may_only_watch(
    start: Callable[..., Proxy], qemu: Callable[..., Qemu], tmp_path: Path
) -> None:
    screen = qemu()
    proxy = start()
    actions = ("type", "a", "move", "10", "20", "click", "1", "type", "b", "capture", str(tmp_path / "shown.png"))
    watching = clients.vncdotool(proxy.forward(screen.port, view_only=True), *actions)
    assert watching.returncode == 0, f"{watching.stderr}\n{proxy.log}"
    assert clients.looks(tmp_path / "shown.png")[1].count(255) > 100
    proxy.wait_event("session.ended", view_only=True, reason="viewer_left")
    working = clients.vncdotool(proxy.forward(screen.port), *actions)
    assert working.returncode == 0, working.stderr
    proxy.wait_event("session.ended", view_only=False, reason="viewer_left")
    assert screen.keys == [ord("a"), ord("b")]


def test_a_console_that_ends_ends_its_session(start: Callable[..., Proxy], qemu: Callable[..., Qemu]) -> None:
    screen = qemu()
    proxy = start()
    proxy.forward(screen.port)
    screen.end()
    proxy.wait_event("session.ended", reason="console_closed")
    assert proxy.control.sessions() == []
