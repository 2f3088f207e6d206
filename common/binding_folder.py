"""The bindings of this node's NICs as they were read last: what changes in their folder is read, and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from common import bindings
from common.bindings import Binding

log = logging.getLogger(__name__)

#: of a file, the inode, the time and the size
_Version = tuple[int, int, int]


class BindingFolder:
    """Knows the good bindings of a folder, by their taps; `look` and `load` tell which are other than before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bindings: dict[str, Binding] = {}
        self._versions: dict[str, _Version] = {}

    @property
    def bindings(self) -> Mapping[str, Binding]:
        """The bindings, as they are now: a view, and no copy."""
        return MappingProxyType(self._bindings)

    def look(self) -> set[str]:
        """Read every binding that changed; give the taps whose binding is new, another, or gone.

        Raises OSError where the folder can't be read.
        """
        names = bindings.names(self._folder)
        changed = {name for name in set(self._bindings) - set(names) if self._forget(name)}
        for name in set(self._versions) - set(names):
            del self._versions[name]
        return changed | self.load(names)

    def load(self, names: Iterable[str]) -> set[str]:
        """Read these bindings, if their files changed; give the taps whose binding is new, another, or gone."""
        return {name for name in names if bindings.is_interface(name) and self._read(name)}

    def _read(self, name: str) -> bool:
        version = _version(self._folder / name)
        if version is not None and version == self._versions.get(name):
            return False
        binding = bindings.read(self._folder, name) if version is not None else None
        if version is None:
            self._versions.pop(name, None)
        else:
            self._versions[name] = version
        if binding is None:
            return self._forget(name)
        if binding == self._bindings.get(name):
            return False
        self._bindings[name] = binding
        log.info("binding.read", extra={"interface": name, "instance": binding.instance})
        return True

    def _forget(self, name: str) -> bool:
        if self._bindings.pop(name, None) is None:
            return False
        log.info("binding.gone", extra={"interface": name})
        return True


def _version(path: Path) -> _Version | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # on the way of every look, a thousand times
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
