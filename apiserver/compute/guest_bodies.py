"""What a create's body wants the guest to be given: user data, files, a password."""

from __future__ import annotations

import base64
import binascii

from apiserver.validation import Body, check_boolean, printable
from cloud import guests
from common.errors import Invalid

#: bytes of a path; the Compute API 1.1's limit
_LONGEST_PATH = 255
#: characters that base64 makes of the most user data, with a line break here and there
_LONGEST_TEXT = 100_000


def guest_spec(server: Body, *, password: str, given: bool) -> guests.GuestSpec:
    """Read it; raises Invalid. `given` tells whether the caller chose the password."""
    user_data = _decoded(server.raw("user_data"), "user_data")
    given_files = files(server)
    drive = server.raw("config_drive")
    wants_drive = drive not in (None, "") and check_boolean(drive, "config_drive")
    return guests.GuestSpec(
        password=password,
        user_data=user_data,
        files=given_files,
        insists=bool(given or user_data or given_files or wants_drive or server.has("key_name")),
    )


def files(server: Body) -> tuple[guests.File, ...]:
    """Read the files; raises Invalid. A path that does not begin at the root is taken from there."""
    if server.raw("personality") in (None, "", []):
        return ()
    found = []
    for number, file in enumerate(server.nested_list("personality")):
        where = f"personality[{number}]"
        file.only("path", "contents")
        path = f"/{file.text('path', shortest=1).removeprefix('/')}"
        if path.endswith("/") or ".." in path.split("/"):
            raise Invalid(f"{where}.path: {printable(path)} is not a file's path")
        if len(path.encode()) > _LONGEST_PATH:
            raise Invalid(f"{where}.path: {_LONGEST_PATH} bytes at most")
        found.append(guests.File(path, _decoded(file.raw("contents"), f"{where}.contents")))
    return tuple(found)


def _decoded(value: object, name: str) -> bytes:
    """Read base64, which may be broken into lines."""
    if value in (None, ""):
        return b""
    if not isinstance(value, str):
        raise Invalid(f"{name}: a text in base64 is expected")
    if len(value) > _LONGEST_TEXT:
        raise Invalid(f"{name}: {_LONGEST_TEXT} characters at most")
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as err:
        raise Invalid(f"{name}: this is not base64") from err
