from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver import validation
from apiserver.validation import Body
from common.errors import Invalid


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"null", b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xff"])
def test_a_body_that_is_not_a_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Invalid):
        validation.parse(raw)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_do_more_than_be_refused(raw: bytes) -> None:
    try:
        validation.parse(raw)
    except Invalid:
        return


@pytest.mark.parametrize("value", ["nul\x00", "bell\x07", "two\nlines", 5, ["x"], {}, True, "x" * 256])
def test_a_text_that_is_none_or_has_control_characters_or_is_too_long_is_refused_by_name(value: object) -> None:
    with pytest.raises(Invalid, match=r"^server\.name: "):
        Body({"name": value}, "server").text("name")


def test_a_text_of_several_lines_is_taken_where_lines_are_allowed() -> None:
    assert Body({"a": "two\r\n\tlines"}).text("a", lines=True) == "two\r\n\tlines"


def test_nul_is_refused_even_where_lines_are_allowed() -> None:
    with pytest.raises(Invalid):
        Body({"a": "nul\x00"}).text("a", lines=True)


def test_texts_of_any_language_are_taken() -> None:
    assert Body({"a": "Ερμούπολη 🏛"}).text("a") == "Ερμούπολη 🏛"


def test_what_is_missing_is_named_with_its_place() -> None:
    with pytest.raises(Invalid, match=r"^server\.flavor: missing$"):
        Body({"server": {}}).nested("server").text("flavor")


def test_null_counts_as_missing() -> None:
    assert Body({"a": None}).maybe_text("a") is None


@pytest.mark.parametrize(("value", "meant"), [(3, 3), ("3", 3), ("-1", -1)])
def test_whole_numbers_may_be_written_as_texts(value: object, meant: int) -> None:
    assert Body({"n": value}).integer("n", least=-1) == meant


@pytest.mark.parametrize("value", [1.5, "1.5", True, "", "x", "٣", "--1", [], 2**31, "9" * 5000, -1])
def test_what_is_no_whole_number_within_bounds_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match=r"^n: "):
        Body({"n": value}).integer("n")


@pytest.mark.parametrize(("value", "meant"), [(True, True), ("false", False), ("True", True), (0, False), ("1", True)])
def test_true_and_false_may_be_written_as_texts(value: object, meant: bool) -> None:
    assert Body({"b": value}).boolean("b") is meant


@pytest.mark.parametrize("value", ["maybe", 2, [], {}, "\x00"])
def test_what_is_neither_true_nor_false_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match=r"^b: "):
        Body({"b": value}).boolean("b")


@pytest.mark.parametrize("value", ["x", ["a"], {"k": 1}, {"k": None}, {"": "v"}, {"k" * 256: "v"}, {"k": "\x00"}])
def test_a_mapping_has_only_texts_of_limited_length(value: object) -> None:
    with pytest.raises(Invalid, match=r"^metadata"):
        Body({"metadata": value}).mapping("metadata")


def test_a_mapping_is_given_as_it_came() -> None:
    assert Body({"metadata": {"a": "b", "c": ""}}).mapping("metadata") == {"a": "b", "c": ""}


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T13:00:00 01:00", "2026-01-31T12:00:00"]
)
def test_times_are_read_with_or_without_zone_and_with_a_plus_lost_in_a_url(text: str) -> None:
    assert validation.check_moment(text, "changes-since") == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        validation.check_moment(text, "changes-since")


def test_unknown_members_are_refused_where_only_some_are_known() -> None:
    with pytest.raises(Invalid, match="colour"):
        Body({"name": "x", "colour": "red"}).only("name")


def test_members_of_a_list_are_named_by_their_place() -> None:
    items = Body({"networks": [{"uuid": "a"}, {}]}).nested_list("networks")
    with pytest.raises(Invalid, match=r"^networks\[1\]\.uuid: missing$"):
        items[1].text("uuid")


@pytest.mark.parametrize("value", ["x", {}, [1], ["x"]])
def test_what_is_no_list_of_objects_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match=r"^networks: "):
        Body({"networks": value}).nested_list("networks")
