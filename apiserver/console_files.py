"""The console page: files that a browser loads, and the rules that it keeps with them.

The page takes a console token from its URL, trades it by /console/v1, and connects to a console proxy.
"""

from __future__ import annotations

from pathlib import Path

import flask

from apiserver import docs
from apiserver.resource import Resource
from apiserver.routing import Route, Service
from common.errors import NotFound

FOLDER = Path(__file__).parent / "console_page"

#: what is served, by the ends of the files' names
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

#: data: images are what noVNC makes of a guest's cursor and of compressed pictures
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Index(Resource):
    """The page itself."""

    public = True

    @docs.operation()
    def get(self) -> flask.Response:
        """Give the page, which nobody keeps: its URL had a token, and its rules name the proxies of today."""
        page = flask.send_from_directory(FOLDER, "index.html", mimetype=_TYPES[".html"], conditional=False, etag=False)
        page.headers["Cache-Control"] = "no-store"
        connect = " ".join(["connect-src 'self'", *self.front.console_origins()])
        page.headers["Content-Security-Policy"] = "; ".join([*_POLICY, connect])
        page.headers.update(_HEADERS)
        return page


class File(Resource):
    """A file that the page names."""

    public = True

    @docs.operation(faults={404: "There is no such file"})
    def get(self, name: str) -> flask.Response:
        """Give a script, a style or a picture, which a browser keeps and asks about again. Raises NotFound."""
        kind = _TYPES.get(Path(name).suffix)
        if kind is None or name == "index.html":
            raise NotFound("the console page has no such file")
        file = flask.send_from_directory(FOLDER, name, mimetype=kind, conditional=True)
        file.headers["Cache-Control"] = "no-cache"
        file.headers.update(_HEADERS)
        return file


SERVICE = Service(
    name="console",
    description="The console page",
    prefixes=("/console",),
    routes=(Route("/", Index), Route("/<path:name>", File)),
)
