"""Every table, imported: what migrations and schema checks look at."""

from __future__ import annotations

from db import (
    backends,
    base,
    flavors,
    free_ranges,
    guest_data,
    idempotency,
    image_copies,
    images,
    instances,
    jobs,
    keypairs,
    networks,
    nodes,
    ports,
    projects,
    quotas,
    requests,
    security_groups,
    segments,
    server_groups,
    strangers,
    tags,
    tokens,
    users,
)

__all__ = [
    "backends",
    "flavors",
    "free_ranges",
    "guest_data",
    "idempotency",
    "image_copies",
    "images",
    "instances",
    "jobs",
    "keypairs",
    "metadata",
    "networks",
    "nodes",
    "ports",
    "projects",
    "quotas",
    "requests",
    "security_groups",
    "segments",
    "server_groups",
    "strangers",
    "tags",
    "tokens",
    "users",
]

metadata = base.Base.metadata
