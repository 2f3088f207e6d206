"""Bodies that are files: read in pieces, and whatever breaks them off is the client's fault."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import flask
from werkzeug import exceptions

from apiserver.validation import printable
from cloud import image_uploads
from common.errors import Invalid

BINARY = "application/octet-stream"
#: of the body's length: what an image may have is the cloud's to say (None would mean the app's own limit)
_UNLIMITED = 2**62
#: bytes of a refused upload that are read all the same, so that its client hears the refusal
_DRAINED = 16 * 1024 * 1024


class Stream:
    """The request's body; one that breaks off is the client's fault, whatever the server's way to say so."""

    def __init__(self, request: flask.Request) -> None:
        self._stream = request.stream
        self._broken = False

    def read(self, size: int, /) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as err:  # each server has errors of its own for this
            self._broken = True
            raise Invalid("the upload ended before its end") from err

    def drain(self) -> None:
        """Read what a client still sends, up to a bound."""
        left = _DRAINED
        with contextlib.suppress(Invalid):
            while left > 0 and not self._broken and (chunk := self.read(image_uploads.CHUNK)):
                left -= len(chunk)


@contextlib.contextmanager
def upload() -> Iterator[tuple[Stream, int | None]]:
    """Give the body of the request under way, and its length if that is known; raises UnsupportedMediaType."""
    request = flask.request
    request.max_content_length = _UNLIMITED
    stream = Stream(request)
    try:
        if request.mimetype != BINARY:
            raise exceptions.UnsupportedMediaType(
                f"Content-Type: {BINARY} is expected, not {printable(request.mimetype)}"
            )
        yield stream, request.content_length
    except Exception:
        stream.drain()
        raise
