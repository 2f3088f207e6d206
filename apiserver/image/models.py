"""Shapes of the Image API's bodies, for its documentation."""

from __future__ import annotations

from flask_restx import Model, fields

IMAGE = Model(
    "Image",
    {
        "id": fields.String,
        "name": fields.String,
        "status": fields.String(enum=["queued", "saving", "importing", "active", "deactivated", "killed"]),
        "visibility": fields.String(enum=["public", "community", "shared", "private"]),
        "owner": fields.String,
        "protected": fields.Boolean,
        "disk_format": fields.String(enum=["raw", "qcow2", "vmdk"]),
        "container_format": fields.String(enum=["bare"]),
        "size": fields.Integer(description="Bytes"),
        "virtual_size": fields.Integer(description="Bytes that it takes on a disk"),
        "min_disk": fields.Integer(description="GiB"),
        "min_ram": fields.Integer(description="MiB"),
        "checksum": fields.String(description="MD5"),
        "os_hash_algo": fields.String,
        "os_hash_value": fields.String,
        "os_hidden": fields.Boolean,
        "os_glance_import_progress": fields.String(description="Percent, while it is checked or converted"),
        "os_glance_import_fault": fields.String(description="Why the file was refused"),
        "tags": fields.List(fields.String),
        "created_at": fields.DateTime,
        "updated_at": fields.DateTime,
        "self": fields.String,
        "file": fields.String,
        "schema": fields.String,
    },
)
IMAGES = Model(
    "Images",
    {
        "images": fields.List(fields.Nested(IMAGE)),
        "first": fields.String,
        "next": fields.String(description="Unless this is the last page"),
        "schema": fields.String,
    },
)
NEW_IMAGE = Model(
    "NewImage",
    {
        "name": fields.String,
        "id": fields.String,
        "container_format": fields.String(enum=["bare"]),
        "disk_format": fields.String(enum=["raw", "qcow2", "vmdk"]),
        "visibility": fields.String(enum=["public", "community", "shared", "private"]),
        "min_disk": fields.Integer(description="GiB"),
        "min_ram": fields.Integer(description="MiB"),
        "protected": fields.Boolean,
        "os_hidden": fields.Boolean,
        "owner": fields.String(description="A project's id; for admins"),
        "tags": fields.List(fields.String),
    },
)
IMAGE_STEP = Model(
    "ImageStep",
    {
        "op": fields.String(enum=["add", "replace", "remove"], required=True),
        "path": fields.String(required=True, example="/name"),
        "value": fields.Raw,
    },
)
MEMBER = Model(
    "ImageMember",
    {
        "image_id": fields.String,
        "member_id": fields.String,
        "status": fields.String(enum=["pending", "accepted", "rejected"]),
        "created_at": fields.DateTime,
        "updated_at": fields.DateTime,
        "schema": fields.String,
    },
)
MEMBERS = Model("ImageMembers", {"members": fields.List(fields.Nested(MEMBER)), "schema": fields.String})
NEW_MEMBER = Model("NewImageMember", {"member": fields.String(required=True, description="A project's id")})
MEMBER_STATUS = Model(
    "ImageMemberStatus",
    {"status": fields.String(enum=["pending", "accepted", "rejected"], required=True)},
)

ALL = (IMAGE, IMAGES, NEW_IMAGE, IMAGE_STEP, MEMBER, MEMBERS, NEW_MEMBER, MEMBER_STATUS)
