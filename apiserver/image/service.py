"""The Image API's routes."""

from __future__ import annotations

from apiserver.image import files, images, models, schemas, sharing, tasks, versions
from apiserver.routing import Route, Service

SERVICE = Service(
    name="image",
    description="Images that servers start from",
    prefixes=("/image",),
    routes=(
        Route("", versions.Versions),
        Route("/", versions.Versions),
        Route("/versions", versions.Versions),
        Route("/v2", versions.Versions),
        Route("/v2/", versions.Versions),
        Route("/v2/images", images.Images),
        Route("/v2/images/<image_id>", images.Image),
        Route("/v2/images/<image_id>/file", files.File),
        Route("/v2/images/<image_id>/tasks", tasks.Tasks),
        Route("/v2/images/<image_id>/tags/<tag>", sharing.Tag),
        Route("/v2/images/<image_id>/members", sharing.Members),
        Route("/v2/images/<image_id>/members/<member_id>", sharing.Member),
        Route("/v2/images/<image_id>/actions/deactivate", sharing.Deactivate),
        Route("/v2/images/<image_id>/actions/reactivate", sharing.Reactivate),
        Route("/v2/schemas/<name>", schemas.Schema),
    ),
    models=models.ALL,
)
