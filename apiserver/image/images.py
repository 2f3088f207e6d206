"""Images: list, register, show, change and delete."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlencode

import flask
from werkzeug.datastructures import MultiDict

from apiserver import answers, docs, paging, validation
from apiserver.image import bodies, models, views
from apiserver.resource import Resource
from cloud import image_changes, images
from common.errors import Invalid
from db.images import SORT_KEYS, DiskFormat, Filter, ImageStatus, MemberStatus, Visibility
from db.sorting import Order

_QUERY = {
    "limit": "How many, at most",
    "marker": "The id of the last image of the page before",
    "name": "The image's name",
    "id": "An id, or in: and several with commas between",
    "status": "A status such as active",
    "visibility": "public, community, shared, private, or all",
    "member_status": "Of images shared with the project: accepted, pending, rejected, or all",
    "owner": "A project's id",
    "disk_format": "raw, qcow2 or vmdk",
    "container_format": "bare",
    "protected": "true or false",
    "os_hidden": "true: only what is hidden",
    "tag": "A tag; may be given several times",
    "size_min": "Bytes, at least",
    "size_max": "Bytes, at most",
    "min_ram": "MiB",
    "min_disk": "GiB",
    "sort": "Keys with directions, such as name:asc,created_at:desc",
    "sort_key": "A key to sort by; may be given several times",
    "sort_dir": "asc or desc",
}
_UNSERVED = ("created_at", "updated_at")


class Images(Resource):
    """The images there are."""

    @docs.operation(
        gives=models.IMAGES, query=_QUERY, faults={400: "A parameter can't be meant", 401: "No valid token"}
    )
    def get(self) -> flask.Response:
        """List images, newest first."""
        args, page = flask.request.args, self.page()
        wanted = _wanted(args)
        rows = images.page(self.cloud, self.caller, wanted, limit=page.limit, marker=page.marker)
        document: dict[str, object] = {
            "images": [views.image(row) for row in rows],
            "first": _page_path(args, None),
            "schema": "/v2/schemas/images",
        }
        if page.limit and len(rows) == page.limit:
            document["next"] = _page_path(args, page, rows[-1].id)
        return answers.json(document)

    @docs.operation(
        body=models.NEW_IMAGE,
        gives=models.IMAGE,
        status=201,
        faults={
            400: "The body can't be meant",
            401: "No valid token",
            403: "Not yours to say, or not yours to make",
            409: "The id is taken",
            413: "The project has as many images as it may",
        },
    )
    def post(self) -> flask.Response:
        """Register an image, whose file is uploaded afterwards; members that are not attributes are its properties."""
        row = image_changes.create(self.cloud, self.caller, bodies.new_image(self.body()))
        return answers.json(views.image(row), 201, {"Location": self.urls.absolute(f"/image{views.ROOT}/{row.id}")})


class Image(Resource):
    """One image."""

    @docs.operation(gives=models.IMAGE, faults={401: "No valid token", 404: "There is none"})
    def get(self, image_id: str) -> flask.Response:
        """Show an image."""
        return answers.json(views.image(images.get(self.cloud, self.caller, image_id)))

    @docs.operation(
        body=models.IMAGE_STEP,
        gives=models.IMAGE,
        faults={
            400: "The patch can't be meant",
            401: "No valid token",
            403: "Not your image, or not yours to change",
            404: "There is none",
            409: "It has no such property",
            415: "Not a JSON patch of this API",
        },
    )
    def patch(self, image_id: str) -> flask.Response:
        """Change an image by the steps of a JSON patch: all of them, or none."""
        steps = bodies.changes(flask.request)
        return answers.json(views.image(image_changes.update(self.cloud, self.caller, image_id, steps)))

    @docs.operation(
        status=204, faults={401: "No valid token", 403: "Not your image, or protected", 404: "There is none"}
    )
    def delete(self, image_id: str) -> flask.Response:
        """Delete an image; servers made from it stay."""
        image_changes.delete(self.cloud, self.caller, image_id)
        return answers.empty(204)


def _wanted(args: MultiDict[str, str]) -> Filter:
    for key in _UNSERVED:
        if args.get(key):
            raise Invalid(f"{key}: lists of images can't be filtered by it")
    visibility, member_status = args.get("visibility"), args.get("member_status") or MemberStatus.ACCEPTED
    words: tuple[tuple[str | None, Collection[str]], ...] = (
        (args.get("status"), list(ImageStatus)),
        (visibility, [*Visibility, "all"]),
        (args.get("disk_format"), list(DiskFormat)),
        (args.get("container_format"), ["bare"]),
    )
    if any(word and word not in known for word, known in words):
        return Filter(ids=())  # a word that no image has
    if member_status not in (*MemberStatus, "all"):
        raise Invalid("member_status: accepted, pending, rejected or all is expected")
    return Filter(
        name=args.get("name") or None,
        statuses=[ImageStatus(args["status"])] if args.get("status") else (),
        visibility=Visibility(visibility) if visibility and visibility != "all" else None,
        community=visibility == "all",
        member_status=MemberStatus(member_status) if member_status != "all" else None,
        hidden=validation.check_boolean(args["os_hidden"], "os_hidden") if args.get("os_hidden") else False,
        protected=validation.check_boolean(args["protected"], "protected") if args.get("protected") else None,
        owner=args.get("owner") or None,
        disk_format=DiskFormat(args["disk_format"]) if args.get("disk_format") else None,
        tags=args.getlist("tag"),
        size_min=_number(args, "size_min", most=2**63 - 1),
        size_max=_number(args, "size_max", most=2**63 - 1),
        min_ram=_number(args, "min_ram"),
        min_disk=_number(args, "min_disk"),
        ids=_ids(args.get("id")),
        orders=_orders(args),
    )


def _orders(args: MultiDict[str, str]) -> tuple[Order, ...]:
    if args.get("sort"):
        if args.get("sort_key") or args.get("sort_dir"):
            raise Invalid("sort: it takes the place of sort_key and sort_dir")
        pairs = [part.strip().partition(":") for part in args["sort"].split(",")]
        keys = [(key, direction or "desc") for key, _, direction in pairs]
    else:
        given = [text for text in args.getlist("sort_key") if text]
        directions = [text for text in args.getlist("sort_dir") if text]
        if len(directions) > max(1, len(given)):
            raise Invalid("sort_dir: there are more than of sort_key")
        rest = directions[0] if directions else "desc"
        given = given or (["created_at"] if directions else [])
        keys = [(key, directions[n] if n < len(directions) else rest) for n, key in enumerate(given)]
    for key, direction in keys:
        if key not in SORT_KEYS:
            raise Invalid(f"sort: there is no {validation.printable(key)}; known are {', '.join(sorted(SORT_KEYS))}")
        if direction not in ("asc", "desc"):
            raise Invalid("sort: asc or desc is expected")
    found: dict[str, Order] = {}
    for key, direction in keys:
        found.setdefault(key, Order(SORT_KEYS[key], direction == "desc"))
    return tuple(found.values())


def _number(args: MultiDict[str, str], key: str, *, most: int = 2**31 - 1) -> int | None:
    return validation.check_integer(args[key], key, most=most) if args.get(key) else None


def _ids(text: str | None) -> list[str] | None:
    if not text:
        return None
    ids = text.removeprefix("in:").split(",") if text.startswith("in:") else [text]
    return [validation.check_text(item.strip().strip('"'), "id") for item in ids]


def _page_path(args: MultiDict[str, str], page: paging.Page | None, marker: str | None = None) -> str:
    """Give a page's path, which clients put behind the service's URL."""
    query = {key: values for key, values in args.lists() if key != "marker"}
    if page is not None and marker is not None:
        query |= {"limit": [str(page.limit)], "marker": [marker]}
    return f"{views.ROOT}?{urlencode(query, doseq=True)}" if query else views.ROOT
