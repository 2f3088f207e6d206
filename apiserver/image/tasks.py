"""What is being done with an image's file, in the words of the Image API's tasks."""

from __future__ import annotations

import flask

from apiserver import answers, docs, times
from apiserver.resource import Resource
from cloud import images
from db.images import Image, ImageStatus

#: what an image's status says of the one task that there is: bringing in its file
_STATUSES = {
    ImageStatus.SAVING: "processing",
    ImageStatus.IMPORTING: "processing",
    ImageStatus.ACTIVE: "success",
    ImageStatus.DEACTIVATED: "success",
    ImageStatus.KILLED: "failure",
}


class Tasks(Resource):
    """The tasks of an image."""

    @docs.operation(faults={401: "No valid token", 404: "There is no such image"})
    def get(self, image_id: str) -> flask.Response:
        """List them: the one that brings in the file, or none before there is a file."""
        row = images.get(self.cloud, self.caller, image_id)
        return answers.json({"tasks": [_task(row)] if row.status in _STATUSES else []})


def _task(row: Image) -> dict[str, object]:
    return {
        "id": row.id,
        "image_id": row.id,
        "type": "import",
        "status": _STATUSES[row.status],
        "message": row.fault or "",
        "owner": row.project_id,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.updated_at),
        "schema": "/v2/schemas/task",
    }
