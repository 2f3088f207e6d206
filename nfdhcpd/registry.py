"""The NICs of this node, by the index of their taps: their bindings, made ready for answers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from common.binding_folder import BindingFolder
from common.bindings import Binding
from nfdhcpd.nics import Nic, Surroundings, ready


class Kernel(Protocol):
    """What has to be known of the node's interfaces: see nfdhcpd.interfaces."""

    def name(self, index: int) -> str | None: ...

    def refresh(self) -> None: ...

    def around(self, binding: Binding) -> Surroundings | None: ...


class Registry:
    """Knows the NICs; a binding whose tap does not exist yet waits for it."""

    def __init__(self, folder: Path, kernel: Kernel, *, server_id: bytes, metadata: bool = False) -> None:
        self._files = BindingFolder(folder)
        self._bindings = self._files.bindings
        self._kernel = kernel
        self._server_id = server_id
        self._metadata = metadata
        self._nics: dict[str, Nic] = {}
        self._by_index: dict[int, Nic] = {}
        self._fresh: set[str] = set()

    def __len__(self) -> int:
        return len(self._bindings)

    @property
    def ready(self) -> int:
        """How many NICs have their taps."""
        return len(self._nics)

    def nic(self, name: str) -> Nic | None:
        """Give the NIC of a tap, if it has both a binding and the tap."""
        return self._nics.get(name)

    def find(self, index: int) -> Nic | None:
        """Give the NIC whose tap has this index; a tap that came after its binding is taken up here."""
        found = self._by_index.get(index)
        if found is not None:
            return found
        name = self._kernel.name(index)
        if name is None or name not in self._bindings:
            return None
        self._kernel.refresh()
        self._place(name)
        return self._by_index.get(index)

    def take_fresh(self) -> set[str]:
        """Give the names of the NICs that are new or changed since this was asked last."""
        fresh, self._fresh = self._fresh, set()
        return fresh

    def look(self) -> None:
        """Read every binding that changed, and look at every tap. Raises OSError where the folder can't be read."""
        self._take_up(self._files.look(), list(self._bindings))

    def load(self, names: list[str]) -> None:
        """Read these bindings, if they changed, and look at their taps."""
        self._take_up(self._files.load(names), names)

    def lost(self, name: str) -> None:
        """Forget a tap that can't be sent to; it is taken up again when it is seen."""
        nic = self._nics.pop(name, None)
        if nic is not None and self._by_index.get(nic.surroundings.index) is nic:
            del self._by_index[nic.surroundings.index]

    def _take_up(self, changed: Iterable[str], names: Iterable[str]) -> None:
        for name in changed:
            self.lost(name)
        self._kernel.refresh()
        for name in names:
            if name in self._bindings:
                self._place(name)

    def _place(self, name: str) -> None:
        """Make a binding ready for its tap as it is now."""
        binding = self._bindings[name]
        surroundings = self._kernel.around(binding)
        known = self._nics.get(name)
        if known is not None and known.surroundings == surroundings:
            return
        self.lost(name)
        if surroundings is None:
            return
        nic = ready(binding, surroundings, server_id=self._server_id, metadata=self._metadata)
        self._nics[name] = self._by_index[surroundings.index] = nic
        self._fresh.add(name)
