"""Images as the Compute API shows them, for older clients: the Image API's own rows in another form.

Their metadata are the images' properties.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import flask

from apiserver import answers, docs, times, validation
from apiserver.compute import models, server_bodies
from apiserver.compute.links import Links
from apiserver.compute.resource import Resource
from apiserver.compute.server_queries import reference
from apiserver.urls import Urls
from cloud import image_changes, images
from common.errors import NotFound
from db.images import Filter, ImageStatus
from db.images import Image as Row

_QUERY = {
    "limit": "How many, at most",
    "marker": "The id of the last image of the page before",
    "name": "The image's name",
    "status": "A status such as ACTIVE",
    "changes-since": "An ISO 8601 time: only what changed since, deleted images too",
    "minRam": "MiB",
    "minDisk": "GiB",
    "type": "BASE or SNAPSHOT",
    "server": "The server that the image was made of",
}
_STATUSES = {
    ImageStatus.QUEUED: "SAVING",
    ImageStatus.SAVING: "SAVING",
    ImageStatus.IMPORTING: "SAVING",
    ImageStatus.KILLED: "ERROR",
    ImageStatus.ACTIVE: "ACTIVE",
    ImageStatus.DEACTIVATED: "ACTIVE",
    ImageStatus.DELETED: "DELETED",
}
#: whether an image of that kind was made of a server
_KINDS = {"BASE": False, "SNAPSHOT": True}
#: the statuses that a filter's word means
_BY_STATUS = {
    word: [status for status, shown in _STATUSES.items() if shown == word] for word in dict.fromkeys(_STATUSES.values())
}


class _Listing(Resource):
    """What the two lists of images have in common."""

    def _list(self, *, detail: bool) -> flask.Response:
        page, links = self.page(), self.links
        rows = images.page(self.cloud, self.caller, self._wanted(), limit=page.limit, marker=page.marker)
        found = [_full(row, links, self.urls) if detail else _brief(row, links, self.urls) for row in rows]
        return answers.json(self.listed("images", found, page, [row.id for row in rows]))

    def _wanted(self) -> Filter:
        args = self.args
        status, since, kind = args.get("status"), args.get("changes-since"), args.get("type", "").upper()
        # no status and no kind but these is ever shown
        none = (bool(kind) and kind not in _KINDS) or (bool(status) and (status or "").upper() not in _BY_STATUS)
        return Filter(
            name=args.get("name") or None,
            statuses=_BY_STATUS.get(status.upper(), ()) if status else (),
            min_ram=validation.check_integer(args["minRam"], "minRam") if args.get("minRam") else None,
            min_disk=validation.check_integer(args["minDisk"], "minDisk") if args.get("minDisk") else None,
            ids=() if none else None,
            server_id=reference(args["server"]) if args.get("server") else None,
            snapshot=_KINDS.get(kind),
            changes_since=validation.check_moment(since, "changes-since") if since else None,
        )


class Images(_Listing):
    """The images there are."""

    @docs.operation(gives=models.IMAGES, query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List images by id and name, newest first."""
        return self._list(detail=False)


class ImagesInDetail(_Listing):
    """The images there are, with everything about each."""

    @docs.operation(gives=models.IMAGES, query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List images in detail, newest first."""
        return self._list(detail=True)


class Image(Resource):
    """One image."""

    @docs.operation(gives=models.IMAGE, faults=models.LOOK_FAULTS)
    def get(self, image_id: str) -> flask.Response:
        """Show an image."""
        return answers.json({"image": _full(images.get(self.cloud, self.caller, image_id), self.links, self.urls)})

    @docs.operation(
        status=204, faults={401: "No valid token", 403: "Not your image, or protected", 404: "There is none"}
    )
    def delete(self, image_id: str) -> flask.Response:
        """Delete an image; servers made from it stay."""
        image_changes.delete(self.cloud, self.caller, image_id)
        return answers.empty(204)


class Metadata(Resource):
    """An image's metadata."""

    @docs.operation(gives=models.METADATA, faults=models.LOOK_FAULTS)
    def get(self, image_id: str) -> flask.Response:
        """Show an image's metadata."""
        return answers.json({"metadata": images.get(self.cloud, self.caller, image_id).properties})

    @docs.operation(body=models.METADATA, gives=models.METADATA, faults=models.CHANGE_FAULTS)
    def post(self, image_id: str) -> flask.Response:
        """Add and change items; the others stay."""
        items = server_bodies.metadata(self.body())
        return self._set(image_id, lambda there: {**there, **items})

    @docs.operation(body=models.METADATA, gives=models.METADATA, faults=models.CHANGE_FAULTS)
    def put(self, image_id: str) -> flask.Response:
        """Replace all items by these."""
        items = server_bodies.metadata(self.body())
        return self._set(image_id, lambda _: items)

    def _set(self, image_id: str, decide: Callable[[Mapping[str, str]], Mapping[str, str]]) -> flask.Response:
        found = image_changes.set_properties(self.cloud, self.caller, image_id, decide)
        return answers.json({"metadata": found.properties})


class MetadataItem(Resource):
    """One of an image's metadata items."""

    @docs.operation(gives=models.METADATA_ITEM, faults=models.LOOK_FAULTS)
    def get(self, image_id: str, key: str) -> flask.Response:
        """Show one item."""
        found = images.get(self.cloud, self.caller, image_id).properties
        if key not in found:
            raise NotFound(f"image {image_id} has no metadata item {key}")
        return answers.json({"meta": {key: found[key]}})

    @docs.operation(body=models.METADATA_ITEM, gives=models.METADATA_ITEM, faults=models.CHANGE_FAULTS)
    def put(self, image_id: str, key: str) -> flask.Response:
        """Add or change one item."""
        item = server_bodies.metadata_item(self.body(), key)
        image_changes.set_properties(self.cloud, self.caller, image_id, lambda there: {**there, **item})
        return answers.json({"meta": item})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, image_id: str, key: str) -> flask.Response:
        """Remove one item."""

        def without(there: Mapping[str, str]) -> Mapping[str, str]:
            if key not in there:
                raise NotFound(f"image {image_id} has no metadata item {key}")
            return {each: value for each, value in there.items() if each != key}

        image_changes.set_properties(self.cloud, self.caller, image_id, without)
        return answers.empty(204)


def _brief(row: Row, links: Links, urls: Urls) -> dict[str, object]:
    alternate = {
        "rel": "alternate",
        "type": "application/vnd.openstack.image",
        "href": urls.absolute(f"/image/v2/images/{row.id}"),
    }
    return {"id": row.id, "name": row.name, "links": [*links.both("images", row.id), alternate]}


def _full(row: Row, links: Links, urls: Urls) -> dict[str, object]:
    status = _STATUSES[row.status]
    of_server = {"id": row.server_id, "links": links.both("servers", row.server_id)} if row.server_id else None
    return {
        **_brief(row, links, urls),
        **({"server": of_server} if of_server else {}),
        "status": status,
        "progress": _progress(row),
        "minDisk": row.min_disk,
        "minRam": row.min_ram,
        "created": times.zoned(row.created_at),
        "updated": times.zoned(row.updated_at),
        "metadata": row.properties,
        "OS-EXT-IMG-SIZE:size": row.size,
    }


def _progress(row: Row) -> int:
    if row.status in (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED):
        return 100
    # the file is a quarter of the way, its conversion the rest
    return 25 + (row.progress or 0) * 3 // 4 if row.status is ImageStatus.IMPORTING else 0
