"""An image's file: uploaded and downloaded in pieces, so that its size costs no memory."""

from __future__ import annotations

import flask

from apiserver import answers, docs, streams
from apiserver.resource import Resource
from cloud import image_files, image_uploads


class File(Resource):
    """An image's file."""

    @docs.operation(
        faults={
            204: "It has no file yet",
            401: "No valid token",
            403: "It is deactivated",
            404: "There is none, or its file is not in the store",
        }
    )
    def get(self, image_id: str) -> flask.Response:
        """Download an image; ranges are served."""
        found = image_files.find(self.cloud, self.caller, image_id)
        if found is None:
            return answers.empty(204)
        response = flask.send_file(found.path, mimetype=streams.BINARY, conditional=True, etag=False)
        if found.checksum is not None:
            response.headers["Content-MD5"] = found.checksum
        return response

    @docs.operation(
        status=204,
        faults={
            400: "The file is not of the image's format, or ended early",
            401: "No valid token",
            403: "Not your image, or uploads are for admins",
            404: "There is none",
            409: "It has a file, or gets one",
            413: "The file is too large, or the quota is used up",
            415: "Not application/octet-stream",
            503: "The image store is full or away",
        },
    )
    def put(self, image_id: str) -> flask.Response:
        """Upload an image's file: application/octet-stream, with or without a length."""
        with streams.upload() as (stream, length):
            image_uploads.receive(self.cloud, self.caller, image_id, stream, length=length)
        return answers.empty(204)
