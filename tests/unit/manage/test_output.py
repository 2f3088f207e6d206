from datetime import UTC, datetime, timedelta

import pytest

from manage import output, story
from manage.output import Format, Output


def test_only_a_column_of_numbers_is_flush_right(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Format.TABLE).rows([{"n": 1, "s": None, "t": "x"}, {"n": 100, "s": None, "t": "longer"}], ("n", "s", "t"))

    lines = capsys.readouterr().out.splitlines()

    assert [line.split() for line in lines] == [
        ["n", "s", "t"],
        [lines[1].strip()],
        ["1", "-", "x"],
        ["100", "-", "longer"],
    ]
    assert lines[2].index("1") == lines[3].index("1") + 2


def test_values_read_as_a_person_reads_them() -> None:
    values = [None, True, False, 0, "", [], ["a", "b"], {"k": 1}, datetime(2026, 1, 2, 3, 4, 5, 6, UTC)]

    assert [output.text(value) for value in values] == [
        "-", "yes", "no", "0", "-", "-", "a, b", "k=1", "2026-01-02 03:04:05Z",
    ]  # fmt: skip


def test_a_log_of_a_job_is_read_whatever_else_it_holds() -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=5)
    log = [[1, [5, 0], "message", " creating\n"], [2, "never", "message", "x"], None, [3, [5, 0], "remote-import", {}]]

    assert story.read_log({"oplog": [log, None]}) == ((at, "creating"),)
    assert story.read_log({}) == ()
