"""Identifiers are made in one form and recognised in no other."""

from __future__ import annotations

import pytest

from common import names

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_new_ids_are_what_their_readers_recognise() -> None:
    assert names.is_request_id(names.new_request_id())
    assert names.is_uuid(names.new_id())
    assert len(names.new_hex_id()) == 32
    assert int(names.new_hex_id(), 16) >= 0


def test_new_ids_differ() -> None:
    assert len({names.new_id() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "text",
    ["", "req-", UUID, f"req-{UUID} ", f"req-{UUID}\n", f"req-{UUID.upper()}", f"xreq-{UUID}", f"req-{UUID}0"],
)
def test_other_texts_are_no_request_ids(text: str) -> None:
    assert not names.is_request_id(text)


@pytest.mark.parametrize("text", ["", UUID.upper(), UUID.replace("-", ""), f"{UUID}\n", f" {UUID}", f"req-{UUID}"])
def test_other_texts_are_no_uuids(text: str) -> None:
    assert not names.is_uuid(text)


@pytest.mark.parametrize("prefix", ["s", "syros-", "cloud2-"])
def test_a_prefix_is_lower_case_and_starts_with_a_letter(prefix: str) -> None:
    assert names.is_prefix(prefix)


@pytest.mark.parametrize("prefix", ["", "Syros-", "2cloud-", "-x", "sy.ros-", "a" * 17, "sýros-", "syros-\n"])
def test_what_ganeti_could_take_apart_is_no_prefix(prefix: str) -> None:
    assert not names.is_prefix(prefix)


def test_an_instance_id_is_read_back_from_its_ganeti_name() -> None:
    assert names.instance_id("syros-", names.instance_name("syros-", UUID)) == UUID


@pytest.mark.parametrize(
    "name", ["web1", f"other-{UUID}", UUID, "syros-web1", f"syros-{UUID}.example.org", f"syros-{UUID.upper()}"]
)
def test_a_name_that_is_not_ours_has_no_instance_id(name: str) -> None:
    assert names.instance_id("syros-", name) is None


def test_a_networks_name_in_ganeti_is_read_back_and_is_no_instances() -> None:
    name = names.network_name("syros-", UUID)
    assert (name, names.network_id("syros-", name)) == (f"syros-net-{UUID}", UUID)
    assert names.instance_id("syros-", name) is None
    others = ("by-hand", names.instance_name("syros-", UUID), f"other-net-{UUID}", f"syros-net-net-{UUID}")
    assert [names.network_id("syros-", other) for other in others] == [None] * 4
