"""The identifiers that travel between processes: how they are made, and what they may look like."""

from __future__ import annotations

import re
import uuid

_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,15}")

DEFAULT_PREFIX = "syros-"

#: how the MAC address ends that the metadata service has in each network, behind the prefix of the network's guests
METADATA_MAC_END = ":a9:fe:fe"


def new_request_id() -> str:
    """Make a request id: it follows one click from HTTP to the database row."""
    return f"req-{uuid.uuid4()}"


def is_request_id(text: str) -> bool:
    """Tell whether the text is exactly one request id."""
    return _REQUEST_ID.fullmatch(text) is not None


def new_id() -> str:
    """Make the id of an instance, an image or an action: a dashed UUID."""
    return str(uuid.uuid4())


def new_hex_id() -> str:
    """Make the id of a user or a project: 32 hex digits, as Keystone's clients expect."""
    return uuid.uuid4().hex


def is_uuid(text: str) -> bool:
    """Tell whether the text is a dashed, lower-case UUID."""
    return _UUID.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Tell whether Ganeti names may start with this: lower case and dot-less, since Ganeti matches at dots."""
    return _PREFIX.fullmatch(text) is not None


def instance_name(prefix: str, instance_id: str) -> str:
    """Give the name that Ganeti knows the instance by."""
    return f"{prefix}{instance_id}"


def network_name(prefix: str, network_id: str) -> str:
    """Give the name of the network's object in Ganeti."""
    return f"{prefix}net-{network_id}"


def network_id(prefix: str, name: str) -> str | None:
    """Read a network id back from a Ganeti name; None if the name is not one of ours."""
    return instance_id(f"{prefix}net-", name)


def instance_id(prefix: str, name: str) -> str | None:
    """Read an instance id back from a Ganeti name; None if the name is not one of ours."""
    if not name.startswith(prefix):
        return None
    rest = name[len(prefix) :]
    return rest if is_uuid(rest) else None
