"""Links: `self` has the version of the request, `bookmark` has none."""

from __future__ import annotations

from apiserver.urls import Urls

Link = dict[str, str]


class Links:
    """Makes the links of one answer."""

    def __init__(self, urls: Urls, version: str) -> None:
        self._root = urls.absolute("/compute")
        self._versioned = f"{self._root}/{version}"

    def own(self, kind: str, item_id: str) -> str:
        """Give the URL of an item, such as a server."""
        return f"{self._versioned}/{kind}/{item_id}"

    def both(self, kind: str, item_id: str) -> list[Link]:
        """Give an item's links."""
        return [{"rel": "self", "href": self.own(kind, item_id)}, *self.bookmark(kind, item_id)]

    def bookmark(self, kind: str, item_id: str) -> list[Link]:
        """Give the link by which other items refer to this one."""
        return [{"rel": "bookmark", "href": f"{self._root}/{kind}/{item_id}"}]
