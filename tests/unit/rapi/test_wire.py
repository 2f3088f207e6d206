from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapi import client, errors, wire
from tests.unit.rapi import fake_rapi


@pytest.mark.parametrize("text", ["δ", "caf\u00e9", "a\nb", "tab\t", "\x7f", "\x00", "\u200b"])
def test_text_that_would_poison_a_queue_is_refused_wherever_it_hides(text: str) -> None:
    for query, body in (
        ((("reason", text),), None),
        ((), {"osparams": {"name": text}}),
        ((), {"osparams": {text: "name"}}),
        ((), {"nics": [["add", -1, {"name": text}]]}),
        ((), text),
    ):
        with pytest.raises(errors.RapiRefused) as refusal:
            wire.check(query, body)
        assert refusal.value.error_class == "NotAscii"
        assert text not in str(refusal.value)


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(errors.RapiRefused, match=r"body\.nics\[0\]\.name"):
        wire.check((), {"nics": [{"name": "δίκτυο"}]})


@given(st.text())
def test_a_path_is_ascii_or_refused(name: str) -> None:
    try:
        path = wire.resource("instances", name)
    except errors.RapiRefused:
        return
    assert path.isascii()
    assert path.count("/") == 3


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_address_another_resource_is_refused(name: str) -> None:
    with pytest.raises(errors.RapiRefused, match="names nothing"):
        wire.resource("instances", name)


def test_a_slash_in_a_name_does_not_leave_the_segment() -> None:
    assert wire.resource("instances", "a/../b") == "/2/instances/a%2F..%2Fb"


def test_secrets_of_a_body_are_found_and_removed_from_texts() -> None:
    secrets = wire.secrets_in(
        {"osparams": {"a": "open"}, "osparams_secret": {"b": "tok"}, "osparams_private": {"c": "tok-en"}}
    )
    assert secrets == {"tok", "tok-en"}
    assert wire.redact("open tok-en tok", secrets) == "open <redacted> <redacted>"


def test_nothing_is_sent_when_a_call_is_not_ascii(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: api.startup_instance("snf-λ", reason="r"),
        lambda: api.startup_instance("snf-1", reason="λόγος"),
        lambda: api.modify_instance("snf-1", reason="r", hotplug=False, osparams={"a": "ä"}),
        lambda: api.add_instance_tags("snf-1", ["ετικέτα"], reason="r"),
        lambda: api.set_node_role("node1", "ρόλος", reason="r"),
    )
    for call in calls:
        with pytest.raises(errors.RapiRefused) as refusal:
            call()
        assert refusal.value.status == 0
    assert server.requests == []
