"""JSON schemas of what the Image API answers, which its own Python client reads before anything else."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.image import views
from apiserver.resource import Resource
from common.errors import NotFound
from db.images import ImageStatus, Visibility

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["null", "string"]}
_NUMBER = {"type": "integer"}
_MAYBE_NUMBER = {"type": ["null", "integer"]}
_FLAG = {"type": "boolean"}

_IMAGE = {
    "name": "image",
    "properties": {
        **dict.fromkeys(("id", "name", "created_at", "updated_at"), _TEXT),
        "status": {**_TEXT, "enum": [status.value for status in ImageStatus]},
        "visibility": {**_TEXT, "enum": [visibility.value for visibility in Visibility]},
        **dict.fromkeys(("self", "file", "schema"), _TEXT),
        **dict.fromkeys(("owner", "checksum", "os_hash_algo", "os_hash_value"), _MAYBE_TEXT),
        **dict.fromkeys(("disk_format", "container_format"), _MAYBE_TEXT),
        **dict.fromkeys(("min_disk", "min_ram"), _NUMBER),
        **dict.fromkeys(("size", "virtual_size"), _MAYBE_NUMBER),
        **dict.fromkeys(("protected", "os_hidden"), _FLAG),
        "tags": {"type": "array", "items": _TEXT},
    },
    "additionalProperties": _TEXT,
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}
_IMAGES = {
    "name": "images",
    "properties": {
        "images": {"type": "array", "items": _IMAGE},
        **dict.fromkeys(("first", "next", "schema"), _TEXT),
    },
    "links": [
        {"rel": "first", "href": "{first}"},
        {"rel": "next", "href": "{next}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}
_MEMBER = {
    "name": "member",
    "properties": dict.fromkeys(("image_id", "member_id", "status", "created_at", "updated_at", "schema"), _TEXT),
}
_MEMBERS = {
    "name": "members",
    "properties": {"members": {"type": "array", "items": _MEMBER}, "schema": _TEXT},
    "links": [{"rel": "describedby", "href": "{schema}"}],
}
_SCHEMAS = {"image": _IMAGE, "images": _IMAGES, "member": _MEMBER, "members": _MEMBERS}


class Schema(Resource):
    """A schema by its name."""

    @docs.operation(faults={401: "No valid token", 404: "There is no such schema"})
    def get(self, name: str) -> flask.Response:
        """Show the schema of an image, of a member, or of a list of them."""
        if name not in _SCHEMAS:
            raise NotFound(f"there is no schema {name}; {views.SCHEMA} is one")
        return answers.json(_SCHEMAS[name])
