"""What is noticed of a folder of bindings."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from common import bindings
from common.binding_folder import BindingFolder
from common.bindings import Binding

TAP1 = Binding(interface="tap1", instance="syros-1", mac="02:53:79:00:00:01")
TAP2 = Binding(interface="tap2", instance="syros-2", mac="02:53:79:00:00:02")


@pytest.fixture
def folder(tmp_path: Path) -> BindingFolder:
    bindings.write(tmp_path, TAP1)
    found = BindingFolder(tmp_path)
    assert found.look() == {"tap1"}
    return found


def test_nothing_new_is_nothing_changed(folder: BindingFolder) -> None:
    assert folder.look() == set()
    assert folder.bindings == {"tap1": TAP1}


def test_what_comes_and_goes_is_told(folder: BindingFolder, tmp_path: Path) -> None:
    bindings.write(tmp_path, TAP2)
    bindings.remove(tmp_path, "tap1")
    assert folder.look() == {"tap1", "tap2"}
    assert folder.bindings == {"tap2": TAP2}


def test_only_what_is_asked_for_is_read(folder: BindingFolder, tmp_path: Path) -> None:
    other = replace(TAP1, mtu=1400)
    bindings.write(tmp_path, other)
    bindings.write(tmp_path, TAP2)
    assert folder.load(["tap1"]) == {"tap1"}
    assert folder.bindings == {"tap1": other}


def test_a_file_with_the_same_words_is_no_change(folder: BindingFolder, tmp_path: Path) -> None:
    bindings.write(tmp_path, TAP1)
    assert folder.look() == set()


def test_a_file_that_goes_bad_takes_its_binding_along(folder: BindingFolder, tmp_path: Path) -> None:
    (tmp_path / "tap1").write_text("{")
    assert folder.load(["tap1"]) == {"tap1"}
    assert folder.bindings == {}
    assert folder.look() == set()


def test_a_bad_file_is_read_once_and_again_when_it_is_mended(
    folder: BindingFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tap2").write_text("{")
    folder.look()
    folder.look()
    assert [record.message for record in caplog.records].count("binding.bad") == 1
    bindings.write(tmp_path, TAP2)
    assert folder.look() == {"tap2"}


def test_a_file_that_was_gone_and_came_back_is_new(folder: BindingFolder, tmp_path: Path) -> None:
    kept = tmp_path / ".kept"
    (tmp_path / "tap1").rename(kept)
    assert folder.load(["tap1"]) == {"tap1"}
    kept.rename(tmp_path / "tap1")
    assert folder.load(["tap1"]) == {"tap1"}
    assert folder.bindings == {"tap1": TAP1}


def test_what_names_no_interface_is_no_binding(folder: BindingFolder, tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("{")
    assert folder.load([".hidden", "../tap1", ""]) == set()
    assert folder.look() == set()


def test_a_folder_that_is_gone_is_an_error_and_nothing_is_forgotten(folder: BindingFolder, tmp_path: Path) -> None:
    os.rename(tmp_path, tmp_path.with_name("away"))  # noqa: PTH104
    with pytest.raises(FileNotFoundError):
        folder.look()
    assert folder.bindings == {"tap1": TAP1}
