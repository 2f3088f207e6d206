"""The networks of a Ganeti in memory: what jobs do to them when a test finishes these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rapi.errors import RapiRefused

NOT_FOUND = ["OpPrereqError", ["Network not found", "unknown_entity"]]
IN_USE = ["OpPrereqError", ["Conflicting IP addresses found", "wrong_state"]]

#: what a job does; gives why it fails
Effect = Callable[[], "list[object] | None"]


class FakeNetworks:
    """Networks by name, as RAPI shows them."""

    def __init__(self, users: Callable[[str], list[str]]) -> None:
        self.shown: dict[str, dict[str, Any]] = {}
        self.groups = ["default"]
        self._users = users

    def get(self, name: str) -> dict[str, Any]:
        if name not in self.shown:
            raise RapiRefused(status=404, error_class="HttpNotFound", reason=f"{name} is not known")
        return {**self.shown[name], "inst_list": self._users(name)}

    def all(self) -> list[dict[str, Any]]:
        return [self.get(name) for name in self.shown]

    def add(self, name: str, tags: Sequence[str], **given: str | None) -> Effect:
        def effect() -> list[object] | None:
            if name in self.shown:
                return ["OpPrereqError", ["it already exists as a network", "already_exists"]]
            self.shown[name] = {"name": name, "tags": list(tags), "group_list": [], **given}
            return None

        return effect

    def change(self, name: str, changes: Mapping[str, Any]) -> Effect:
        return self._on(name, lambda shown: shown.update(changes))

    def tag(self, name: str, tags: Sequence[str]) -> Effect:
        return self._on(name, lambda shown: shown["tags"].extend(tags))

    def connect(self, name: str, group: str, mode: str, link: str) -> Effect:
        def connected(shown: dict[str, Any]) -> None:
            if group not in [row[0] for row in shown["group_list"]]:
                shown["group_list"].append([group, mode, link, ""])

        return self._on(name, connected)

    def disconnect(self, name: str, group: str) -> Effect:
        def effect() -> list[object] | None:
            if self._users(name):
                return IN_USE
            shown = self.shown[name]
            shown["group_list"] = [row for row in shown["group_list"] if row[0] != group]
            return None

        return effect

    def remove(self, name: str) -> Effect:
        def effect() -> list[object] | None:
            if name not in self.shown:
                return NOT_FOUND
            if self.shown[name]["group_list"]:
                return ["OpPrereqError", ["Network still connected", "wrong_state"]]
            del self.shown[name]
            return None

        return effect

    def refusal(self, names: Iterable[str | None]) -> list[object] | None:
        """Say why NICs can't be in these networks."""
        for name in names:
            if name is not None and not self.shown.get(name, {}).get("group_list"):
                return ["OpPrereqError", [f"No netparams found for network {name}", "wrong_input"]]
        return None

    def _on(self, name: str, change: Callable[[dict[str, Any]], object]) -> Effect:
        def effect() -> list[object] | None:
            if name not in self.shown:
                return NOT_FOUND
            change(self.shown[name])
            return None

        return effect
