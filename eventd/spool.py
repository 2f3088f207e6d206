"""The hooks' spool: one JSON file per hook run, read into an event, deleted once the broker has it.

A file is `{"v": 1, "at": <ISO time>, "env": {<name without GANETI_>: value}}`; names that start with a dot are being
written. What can't be read moves to `bad/`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson

from common import messages

log = logging.getLogger(__name__)

_VERSION = 1
_BAD = "bad"


class BadFile(Exception):
    """The file is not one that our hook wrote; the text says why."""


class Spool:
    """The directory; its files are read oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # published, and yet impossible to delete: a second publishing would not help
        self._stuck: set[Path] = set()

    def files(self, limit: int) -> list[Path]:
        """List the oldest files, at most `limit`; their names begin with the time they were written."""
        try:
            names = [entry for entry in self._path.iterdir() if not entry.name.startswith(".") and entry.name != _BAD]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [path for path in sorted(names) if path not in self._stuck][:limit]

    def done(self, path: Path) -> None:
        """Delete a file that the broker has confirmed."""
        try:
            path.unlink(missing_ok=True)
        except OSError as err:
            self._stuck.add(path)
            log.warning("spool.undeletable", extra={"path": str(path), "reason": repr(err)})

    def reject(self, path: Path, reason: str) -> None:
        """Move a file aside that no event can be read from."""
        log.warning("spool.bad", extra={"path": str(path), "reason": reason})
        try:
            (self._path / _BAD).mkdir(exist_ok=True)
            path.replace(self._path / _BAD / path.name)
        except OSError as err:
            self._stuck.add(path)
            log.warning("spool.undeletable", extra={"path": str(path), "reason": repr(err)})


def read(path: Path, cluster: str) -> messages.InstanceEvent | messages.NetworkEvent:
    """Read a file's event; raises BadFile, and OSError."""
    try:
        document = orjson.loads(path.read_bytes())
        if document["v"] != _VERSION:
            raise BadFile(f"version {document['v']!r}")
        env = {str(name): str(value) for name, value in document["env"].items()}
        return parse(env, cluster, at=datetime.fromisoformat(document["at"]).astimezone(UTC))
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise BadFile(repr(err)) from err


def parse(env: Mapping[str, str], cluster: str, *, at: datetime) -> messages.InstanceEvent | messages.NetworkEvent:
    """Read a hook's environment (names without GANETI_); raises BadFile.

    What held after the operation (POST_) wins over what held before.
    """
    after = {name.removeprefix("POST_"): value for name, value in env.items() if name.startswith("POST_")}
    facts = {**env, **after}
    opcode = facts.get("OP_CODE")
    if not opcode:
        raise BadFile("no OP_CODE")
    if facts.get("OBJECT_TYPE") == "NETWORK":
        return messages.NetworkEvent(
            cluster=cluster,
            opcode=opcode,
            network=facts.get("NETWORK_NAME") or None,
            group=facts.get("GROUP_NAME") or None,
            mode=facts.get("GROUP_NETWORK_MODE") or None,
            link=facts.get("GROUP_NETWORK_LINK") or None,
            at=at,
        )
    # a rename's variables keep the old name, after it as well
    instance = facts.get("INSTANCE_NEW_NAME") or facts.get("INSTANCE_NAME") or facts.get("OP_TARGET")
    if not instance:
        raise BadFile("no INSTANCE_NAME")
    return messages.InstanceEvent(
        cluster=cluster,
        instance=instance,
        opcode=opcode,
        node=facts.get("INSTANCE_PRIMARY") or None,
        nics=_nics(after if "INSTANCE_NIC_COUNT" in after else facts),
        at=at,
    )


def _nics(facts: Mapping[str, str]) -> tuple[messages.Nic, ...]:
    count = int(facts.get("INSTANCE_NIC_COUNT") or 0)
    return tuple(_nic(facts, index) for index in range(count))


def _nic(facts: Mapping[str, str], index: int) -> messages.Nic:
    def fact(name: str) -> str | None:
        return facts.get(f"INSTANCE_NIC{index}_{name}") or None

    return messages.Nic(
        index=index,
        mac=fact("MAC"),
        ip=fact("IP"),
        mode=fact("MODE"),
        link=fact("LINK"),
        network=fact("NETWORK_NAME"),
        uuid=fact("UUID"),
        name=fact("NAME"),
    )
