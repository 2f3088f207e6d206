"""Absolute URLs, as clients see them: under the configured public URL, or under the host that the request names."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import flask


class Urls:
    """Builds absolute URLs."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")

    def base(self) -> str:
        """Give the URL of the API's root, without a slash at its end."""
        return self._public_url or flask.request.host_url.rstrip("/")

    def absolute(self, path: str, query: Mapping[str, str | list[str]] | None = None) -> str:
        """Make the absolute URL of a path that begins with a slash."""
        text = f"{self.base()}{path}"
        return f"{text}?{urlencode(query, doseq=True)}" if query else text
