"""Pages of lists: `limit` and `marker` in, the `next` link out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import flask

from apiserver import validation
from apiserver.urls import Urls


@dataclass(frozen=True)
class Page:
    """What part of a list is wanted: at most `limit` items, after the item whose id is `marker`.

    A limit of 0 asks for an empty page.
    """

    limit: int
    marker: str | None


def parse(args: Mapping[str, str], *, max_limit: int) -> Page:
    """Read limit and marker from a query; raises Invalid for what is neither. Above the greatest limit, that counts."""
    limit = max_limit
    if args.get("limit"):
        limit = min(validation.check_integer(args["limit"], "limit"), max_limit)
    marker = args.get("marker") or None
    return Page(limit, validation.check_text(marker, "marker") if marker else None)


def next_link(urls: Urls, page: Page, ids: list[str], *, path: str | None = None) -> str | None:
    """Give the absolute URL of the page after the one with these ids; None if this is the last.

    The other parameters of the query are kept. A full page has a next one, which may turn out empty.
    """
    if page.limit == 0 or len(ids) < page.limit:
        return None
    query = {key: values for key, values in flask.request.args.lists() if key not in ("limit", "marker")}
    query["limit"] = [str(page.limit)]
    query["marker"] = [ids[-1]]
    return urls.absolute(path or flask.request.path, query)
