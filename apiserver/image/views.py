"""Images as the Image API's clients read them."""

from __future__ import annotations

from apiserver import times
from db.images import Image, ImageStatus, Member

ROOT = "/v2/images"
SCHEMA = "/v2/schemas/image"
MEMBER_SCHEMA = "/v2/schemas/member"
MEMBERS_SCHEMA = "/v2/schemas/members"

_WITHOUT_FILE = (ImageStatus.QUEUED, ImageStatus.SAVING, ImageStatus.KILLED)


def image(row: Image) -> dict[str, object]:
    """Describe an image; its own properties stand beside the rest and never in its place."""
    return {
        **row.properties,
        **_import(row),
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "visibility": row.visibility,
        "owner": row.project_id,
        "protected": row.protected,
        "disk_format": row.disk_format,
        "container_format": "bare",
        "size": None if row.status in _WITHOUT_FILE else row.size,
        "virtual_size": row.virtual_size,
        "min_disk": row.min_disk,
        "min_ram": row.min_ram,
        "checksum": row.checksum,
        "os_hash_algo": "sha512" if row.os_hash else None,
        "os_hash_value": row.os_hash,
        "os_hidden": row.hidden,
        "tags": row.tags,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.updated_at),
        "self": f"{ROOT}/{row.id}",
        "file": f"{ROOT}/{row.id}/file",
        "schema": SCHEMA,
    }


def member(row: Member) -> dict[str, object]:
    """Describe a project that an image is shared with."""
    return {
        "image_id": row.image_id,
        "member_id": row.project_id,
        "status": row.status,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.updated_at),
        "schema": MEMBER_SCHEMA,
    }


def _import(row: Image) -> dict[str, str]:
    """Tell how far the conversion is, or why the file was refused; texts, as properties are."""
    told: dict[str, str] = {}
    if row.progress is not None:
        told["os_glance_import_progress"] = str(row.progress)
    if row.fault is not None:
        told["os_glance_import_fault"] = row.fault
    return told
