"""Log lines: an event's constant name, its facts, and the request they belong to."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from common import log

logger = logging.getLogger("syros.test")


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def text_log() -> io.StringIO:
    stream = io.StringIO()
    log.set_up(stream=stream)
    return stream


def json_log(level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    log.set_up(level=level, form="json", stream=stream)
    return stream


def test_a_text_line_has_the_time_level_logger_event_and_facts() -> None:
    stream = text_log()

    logger.info("job.applied", extra={"job": 7, "outcome": "applied"})

    at, rest = stream.getvalue().split(" ", 1)
    assert datetime.fromisoformat(at).tzinfo is not None
    assert rest == "INFO    syros.test: job.applied job=7 outcome=applied\n"


def test_a_json_line_has_the_same_facts() -> None:
    stream = json_log()

    logger.warning("job.late", extra={"job": 7, "where": {"cluster": "c1"}})

    line = json.loads(stream.getvalue())
    assert datetime.fromisoformat(line.pop("at")).tzinfo is not None
    assert line == {
        "level": "WARNING",
        "logger": "syros.test",
        "event": "job.late",
        "job": 7,
        "where": {"cluster": "c1"},
    }


def test_a_fact_that_json_does_not_know_is_written_as_text() -> None:
    stream = json_log()

    logger.info("odd", extra={"thing": ValueError("no")})

    assert json.loads(stream.getvalue())["thing"] == "no"


def test_the_bound_request_id_is_in_every_line_inside_and_in_none_outside() -> None:
    stream = json_log()

    logger.info("before")
    with log.bind("req-1"):
        logger.info("inside")
        with log.bind("req-2"):
            logger.info("deeper")
        logger.info("inside")
    logger.info("after")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("request_id") for line in lines] == [None, "req-1", "req-2", "req-1", None]


def test_a_request_id_given_as_a_fact_wins_over_the_bound_one() -> None:
    stream = json_log()

    with log.bind("req-1"):
        logger.info("other", extra={"request_id": "req-9"})

    assert json.loads(stream.getvalue())["request_id"] == "req-9"


def test_the_request_id_of_one_thread_is_not_seen_by_another() -> None:
    seen: list[str | None] = []

    with log.bind("req-1"):
        thread = threading.Thread(target=lambda: seen.append(log.current_request_id()))
        thread.start()
        thread.join()
        assert log.current_request_id() == "req-1"

    assert seen == [None]


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_comes_with_its_traceback(form: str) -> None:
    stream = io.StringIO()
    log.set_up(form=form, stream=stream)

    try:
        raise LookupError("nobody home")
    except LookupError:
        logger.exception("call.failed")

    assert "LookupError: nobody home" in stream.getvalue()
    assert "Traceback" in stream.getvalue()


def test_lines_below_the_level_are_left_out() -> None:
    stream = json_log("WARNING")

    logger.info("chatter")

    assert stream.getvalue() == ""


def test_the_broker_librarys_own_errors_are_left_to_us() -> None:
    stream = text_log()

    logging.getLogger("pika.connection").error("five lines of the same")

    assert stream.getvalue() == ""


def test_setting_up_twice_does_not_double_the_lines() -> None:
    text_log()
    stream = text_log()

    logger.info("once")

    assert stream.getvalue().count("once") == 1
