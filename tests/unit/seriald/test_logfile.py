"""A guest's output is kept in bounded room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seriald import logfile
from seriald.logfile import LogFile


@settings(deadline=None)
@given(chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=30), size=st.integers(1, 40))
def test_the_last_bytes_are_kept_and_the_room_is_bounded(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], size: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    kept = LogFile(folder, "syros-1", size=size)
    for number, chunk in enumerate(chunks):
        kept.append(chunk)
        if number % 3 == 0:
            # as after a restart
            kept.close()
            kept = LogFile(folder, "syros-1", size=size)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 2 * size
    kept.close()
    assert (kept.tail() or b"") == b"".join(chunks)[-size:]


def test_a_guest_that_never_printed_has_no_log(tmp_path: Path) -> None:
    assert LogFile(tmp_path, "syros-1", size=10).tail() is None


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a\0", "a" * 201, "é"])
def test_no_guest_has_a_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no guest's name"):
        LogFile(tmp_path, name, size=10)


def test_a_disk_that_takes_no_more_loses_output_and_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = LogFile(tmp_path / "absent", "syros-1", size=10)
    kept.append(b"lost")
    kept.append(b"lost")
    assert [record.message for record in caplog.records] == ["log.unwritable"]
    (tmp_path / "absent").mkdir()
    kept.append(b"kept")
    kept.close()
    assert kept.tail() == b"kept"


@pytest.mark.parametrize(
    ("lines", "shown"), [(None, b"a\nb\n"), (0, b""), (1, b""), (2, b"b\n"), (3, b"a\nb\n"), (9, b"a\nb\n")]
)
def test_lines_are_counted_as_nova_counts_them(lines: int | None, shown: bytes) -> None:
    assert logfile.last_lines(b"a\nb\n", lines) == shown


def test_files_of_others_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "syros-1.log").touch()
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    assert logfile.remove_old(tmp_path, before=1.0, running=set()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
