"""What inotify tells of a folder."""

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.watcher import Changes, Watcher


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    (tmp_path / "folder").mkdir()
    found = Watcher(tmp_path / "folder")
    yield found
    found.close()


def told(watcher: Watcher) -> Changes:
    """What is told once there is something; the kernel has it ready when the change returns."""
    assert select.select([watcher.fileno()], [], [], 30)[0]
    return watcher.read()


def test_a_file_that_is_renamed_into_place_is_told(watcher: Watcher, tmp_path: Path) -> None:
    assert watcher.watch()
    (tmp_path / "new").write_text("x")
    (tmp_path / "new").rename(tmp_path / "folder" / "tap1")
    assert told(watcher) == Changes({"tap1"})


def test_what_is_written_and_removed_is_told_and_no_more_than_once(watcher: Watcher, tmp_path: Path) -> None:
    watcher.watch()
    (tmp_path / "folder" / "tap1").write_text("x")
    (tmp_path / "folder" / "tap2").write_text("x")
    (tmp_path / "folder" / "tap2").unlink()
    assert told(watcher) == Changes({"tap1", "tap2"})
    (tmp_path / "folder" / "tap3").write_text("x")
    assert told(watcher) == Changes({"tap3"})


def test_a_folder_is_taken_up_once_it_is_there(tmp_path: Path) -> None:
    later = Watcher(tmp_path / "later")
    assert (later.watch(), later.watching) == (False, False)
    (tmp_path / "later").mkdir()
    assert (later.watch(), later.watching) == (True, True)
    assert later.watch() is False
    later.close()


def test_a_folder_that_goes_is_told_and_can_be_watched_anew(watcher: Watcher, tmp_path: Path) -> None:
    watcher.watch()
    (tmp_path / "folder").rename(tmp_path / "away")
    assert told(watcher).rescan
    assert not watcher.watching
    (tmp_path / "folder").mkdir()
    assert watcher.watch()
    (tmp_path / "away" / "tap1").write_text("x")
    (tmp_path / "folder" / "tap2").write_text("x")
    while "tap2" not in (changes := told(watcher)).names:
        pass
    assert "tap1" not in changes.names


def test_a_name_that_is_no_text_has_everything_read(watcher: Watcher, tmp_path: Path) -> None:
    watcher.watch()
    Path(f"{tmp_path}/folder/\udcff").write_text("x")
    assert told(watcher).rescan
