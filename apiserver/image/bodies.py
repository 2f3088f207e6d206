"""What the Image API's requests say: an image to register, and the steps of a JSON patch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import flask
import orjson
from werkzeug import exceptions

from apiserver import validation
from apiserver.validation import Body
from cloud.image_changes import Change, NewImage, Verb
from common.errors import Forbidden, Invalid
from db.images import DiskFormat, Visibility

PATCHES = ("application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch")

_T = TypeVar("_T")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST_VALUE = 65_535
_MOST_GIB = 1024 * 1024
_CONTAINER = "bare"
_STEPS = 256

#: what the cloud alone says of an image
_READ_ONLY = frozenset(
    {
        "id",
        "status",
        "size",
        "virtual_size",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "created_at",
        "updated_at",
        "self",
        "file",
        "schema",
        "deleted",
        "deleted_at",
        "direct_url",
        "locations",
        "location",
        "is_public",
        "stores",
    }
)
#: prefix of what the cloud alone writes
_OURS = "os_glance_"

_WORDS = {"add": Verb.PUT, "replace": Verb.REPLACE, "remove": Verb.REMOVE}


def new_image(body: Body) -> NewImage:
    """Read a request to register an image; raises Invalid, Forbidden for what only the cloud says."""
    keys = [key for key in body.keys() if key != "id"]  # noqa: SIM118  # a Body is no mapping
    for key in keys:
        _check_ours(key)
    # Any: the readers of the table give what each field is
    fields: dict[str, Any] = {}
    for key, (column, read) in _ATTRIBUTES.items():
        found = read(body.raw(key)) if body.has(key) else None
        if column is not None and found is not None:
            fields[column] = found
    return NewImage(
        name=fields.pop("name", ""),
        id=_id(body.raw("id")) if body.has("id") else None,
        owner=fields.pop("project_id", None),
        properties={_key(key): _value(body.raw(key), key) for key in keys if key not in _ATTRIBUTES},
        **fields,
    )


def changes(request: flask.Request) -> list[Change]:
    """Read a JSON patch; raises Invalid, Forbidden, UnsupportedMediaType."""
    if request.mimetype not in PATCHES:
        raise exceptions.UnsupportedMediaType(f"Content-Type: {PATCHES[0]} is expected")
    try:
        document = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as err:
        raise Invalid(f"the body is not JSON: {err}") from err
    steps = Body({"patch": document}).nested_list("patch", most=_STEPS)
    read = _change if request.mimetype == PATCHES[0] else _old_change
    return [change for step in steps for change in read(step)]


def tag(text: str) -> str:
    """Check a tag."""
    return validation.check_text(text, "tag", shortest=1)


def _change(step: Body) -> list[Change]:
    """Read one step of RFC 6902."""
    word = step.text("op")
    if word not in _WORDS:
        raise Invalid("op: add, replace or remove is expected")
    return _done(step, word, step.text("path", longest=600))


def _old_change(step: Body) -> list[Change]:
    """Read one step of the draft that became RFC 6902, where the path is the value of a member named for the verb."""
    words = [word for word in _WORDS if step.has(word)]
    if not words and step.has("op"):
        return _change(step)
    if len(words) != 1:
        raise Invalid("add, replace or remove is expected, with a path")
    return _done(step, words[0], step.text(words[0], longest=600))


def _done(step: Body, word: str, path: str) -> list[Change]:
    name = _name(path)
    _check_ours(name)
    if word != "remove" and step.keys().count("value") == 0:
        raise Invalid("value: missing")
    if name not in _ATTRIBUTES:
        value = None if word == "remove" else _value(step.raw("value"), name)
        return [Change(_WORDS[word], _key(name), value)]
    if word == "remove":
        raise Forbidden(f"{name} can't be removed")
    column, read = _ATTRIBUTES[name]
    found = read(step.raw("value"))
    return [Change(Verb.SET, column, found)] if column is not None else []


def _name(path: str) -> str:
    """Read a JSON pointer (RFC 6901) of one step."""
    if not path.startswith("/") or "/" in path[1:] or len(path) < 2:
        raise Invalid("path: one attribute or property is expected, such as /name")
    if re.search(r"~(?![01])", path):
        raise Invalid("path: ~ is written ~0")
    return path[1:].replace("~1", "/").replace("~0", "~")


def _check_ours(name: str) -> None:
    if name in _READ_ONLY or name.startswith(_OURS):
        raise Forbidden(f"{validation.printable(name)} is read-only")


def _key(name: str) -> str:
    return validation.check_text(name, "a property's name", shortest=1)


def _value(value: object, name: str) -> str:
    return validation.check_text(value, validation.printable(name), longest=_LONGEST_VALUE, lines=True)


def _id(value: object) -> str:
    text = validation.check_text(value, "id").lower()
    if not _UUID.fullmatch(text):
        raise Invalid("id: a UUID is expected")
    return text


def _image_name(value: object) -> str:
    return "" if value is None else validation.check_text(value, "name")


def _tags(value: object) -> list[str]:
    found = Body({"tags": value}).texts("tags", most=128)
    return list(dict.fromkeys(tag(text) for text in found))


def _word(words: Callable[[str], _T], name: str, known: str) -> Callable[[object], _T]:
    def read(value: object) -> _T:
        try:
            return words(validation.check_text(value, name))
        except ValueError as err:
            raise Invalid(f"{name}: {known} is expected") from err

    return read


def _number(name: str, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, str):
            raise Invalid(f"{name}: a whole number is expected")
        return validation.check_integer(value, name, most=most)

    return read


def _flag(name: str) -> Callable[[object], bool]:
    return lambda value: validation.check_boolean(value, name)


def _container(value: object) -> None:
    if value != _CONTAINER:
        raise Invalid(f"container_format: {_CONTAINER} is the only one that is taken")


#: an attribute's column, or None for one that is always the same, and how its value is read
_ATTRIBUTES: Mapping[str, tuple[str | None, Callable[[object], object]]] = {
    "name": ("name", _image_name),
    "visibility": ("visibility", _word(Visibility, "visibility", ", ".join(Visibility))),
    "disk_format": ("disk_format", _word(DiskFormat, "disk_format", ", ".join(DiskFormat))),
    "container_format": (None, _container),
    "min_disk": ("min_disk", _number("min_disk", _MOST_GIB)),
    "min_ram": ("min_ram", _number("min_ram", 2**31 - 1)),
    "protected": ("protected", _flag("protected")),
    "os_hidden": ("hidden", _flag("os_hidden")),
    "owner": ("project_id", lambda value: validation.check_text(value, "owner", longest=32)),
    "tags": ("tags", _tags),
}
