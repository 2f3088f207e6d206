"""What the network script has set up on this node: a note for each tap, for those who change it later."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ganeti_hooks import document, firewall
from ganeti_hooks.nic import Nic

_DEVICES = Path("/sys/class/net")


@dataclass(frozen=True)
class Note:
    """A tap of a guest of ours."""

    tap: str
    instance: str
    #: the NIC's, in Ganeti's words
    name: str
    mac: str
    mode: str
    link: str
    #: see ganeti_hooks.firewall.of
    firewall: list[str] | None
    #: what else the tags say of the NIC; None where a former release has set it up
    told: Mapping[str, list[str]] | None = None


def write(folder: Path, nic: Nic) -> None:
    """Leave the note of a tap, in the place of any that it had."""
    note = Note(nic.tap, nic.instance, nic.name, nic.mac, nic.mode, nic.link, firewall.of(nic), nic.told)
    document.write(folder / nic.tap, vars(note))


def forget(folder: Path, tap: str) -> None:
    (folder / tap).unlink(missing_ok=True)


def gone(folder: Path) -> list[str]:
    """List the taps that a folder has files of, and that are not there any more."""
    return [path.name for path in folder.glob("[!.]*") if not (_DEVICES / path.name).exists()]


def of_instance(folder: Path, instance: str) -> Iterator[Note]:
    """Read the notes of an instance's taps that are there."""
    for path in sorted(folder.glob("[!.]*")):
        if not (_DEVICES / path.name).exists():
            continue
        note = Note(**json.loads(path.read_text(encoding="utf-8")))
        if note.instance == instance:
            yield note
