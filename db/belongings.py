"""What a project still owns."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import orm

from db import floating_ips, images, instances, networks, ports


def of_project(session: orm.Session, project_id: str) -> list[str]:
    """Name the kinds of things that the project has and that are not deleted."""
    kinds = {
        "servers": sa.select(instances.Instance.id).where(
            instances.Instance.project_id == project_id, instances.Instance.deleted_at.is_(None)
        ),
        "floating IPs": sa.select(floating_ips.FloatingIp.id).where(floating_ips.FloatingIp.project_id == project_id),
        "ports": sa.select(ports.Port.id).where(ports.Port.project_id == project_id),
        "networks": sa.select(networks.Network.id).where(networks.Network.project_id == project_id),
        "images": sa.select(images.Image.id).where(
            images.Image.project_id == project_id, images.Image.deleted_at.is_(None)
        ),
    }
    return [kind for kind, query in kinds.items() if session.scalar(query.limit(1)) is not None]
