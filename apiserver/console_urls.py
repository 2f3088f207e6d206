"""The URL by which a browser opens a console: the page's, with a token."""

from __future__ import annotations

from urllib.parse import urlencode

from apiserver.front import Front

_PATH = "/console/"


def of_token(front: Front, token: str) -> str:
    """Give the page's URL with a token: the configured page's, or that of the API's own."""
    desk = front.cloud.console_desk
    page = desk.settings.page_url if desk is not None else ""
    page = page or front.urls.absolute(_PATH)
    return f"{page}{'&' if '?' in page else '?'}{urlencode({'token': token})}"
