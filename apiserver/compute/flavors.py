"""Flavors: the sizes that servers come in. Admins make and remove them."""

from __future__ import annotations

from collections.abc import Sequence

import flask

from apiserver import answers, docs, sorting, validation
from apiserver.compute import flavor_bodies, models
from apiserver.compute.links import Links
from apiserver.compute.resource import Resource
from cloud import flavors, policy
from cloud.policy import Operation
from common.errors import NotFound
from db.flavors import Flavor as Row

_QUERY = {
    "limit": "How many, at most",
    "marker": "The id of the last flavor of the page before",
    "minRam": "At least so many MiB of memory",
    "minDisk": "At least so many GiB of disk",
    "is_public": "true, false or None for both; for admins",
    "sort_key": f"One of {', '.join(sorted(flavors.SORT_KEYS))}; may be given several times",
    "sort_dir": "asc or desc",
}


class _Listing(Resource):
    """What the two lists of flavors have in common."""

    def _list(self, *, detail: bool) -> flask.Response:
        args, page = self.args, self.page()
        rows = flavors.page(
            self.cloud,
            self.caller,
            limit=page.limit,
            orders=sorting.parse(flask.request.args, flavors.SORT_KEYS, descending=False),
            marker=page.marker,
            public=_public(args.get("is_public")),
            min_ram=validation.check_integer(args.get("minRam") or 0, "minRam"),
            min_disk=validation.check_integer(args.get("minDisk") or 0, "minDisk"),
        )
        links = self.links
        found = [_full(row, links) if detail else _brief(row, links) for row in rows]
        return answers.json(self.listed("flavors", found, page, [row.id for row in rows]))


class Flavors(_Listing):
    """The flavors there are."""

    @docs.operation(gives=models.FLAVORS, query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List flavors by id and name."""
        return self._list(detail=False)

    @docs.operation(body=models.NEW_FLAVOR, gives=models.FLAVOR, faults=models.KEEP_FAULTS)
    def post(self) -> flask.Response:
        """Make a flavor; for admins."""
        policy.require(self.caller, Operation.FLAVOR_WRITE)
        made = flavors.add(self.cloud, flavor_bodies.creation(self.body()))
        return answers.json({"flavor": _full(made, self.links)})


class FlavorsInDetail(_Listing):
    """The flavors there are, with their sizes."""

    @docs.operation(gives=models.FLAVORS, query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List flavors with their sizes."""
        return self._list(detail=True)


class Flavor(Resource):
    """One flavor."""

    @docs.operation(gives=models.FLAVOR, faults=models.LOOK_FAULTS)
    def get(self, flavor_id: str) -> flask.Response:
        """Show a flavor."""
        return answers.json({"flavor": _full(flavors.get(self.cloud, self.caller, flavor_id), self.links)})

    @docs.operation(status=202, faults=models.KEEP_FAULTS)
    def delete(self, flavor_id: str) -> flask.Response:
        """Remove a flavor; servers that have it keep its size. For admins."""
        policy.require(self.caller, Operation.FLAVOR_WRITE)
        flavors.remove(self.cloud, flavor_id)
        return answers.empty(202)


class Accesses(Resource):
    """The projects that a flavor is open to."""

    @docs.operation(gives=models.FLAVOR_ACCESS, faults=models.LOOK_FAULTS)
    def get(self, flavor_id: str) -> flask.Response:
        """List the projects that a flavor is open to; for admins."""
        policy.require(self.caller, Operation.FLAVOR_WRITE)
        return answers.json(_accesses(flavor_id, flavors.accesses(self.cloud, flavor_id)))


class FlavorAction(Resource):
    """What is done to a flavor."""

    @docs.operation(body=models.FLAVOR_ACTION, gives=models.FLAVOR_ACCESS, faults=models.KEEP_FAULTS)
    def post(self, flavor_id: str) -> flask.Response:
        """Open a flavor to a project, or close it; for admins."""
        policy.require(self.caller, Operation.FLAVOR_WRITE)
        action, project_id = flavor_bodies.access(self.body())
        change = flavors.open_to if action == flavor_bodies.OPEN else flavors.close_to
        return answers.json(_accesses(flavor_id, change(self.cloud, flavor_id, project_id)))


class ExtraSpecs(Resource):
    """What a flavor has beyond its sizes."""

    @docs.operation(gives=models.EXTRA_SPECS, faults=models.LOOK_FAULTS)
    def get(self, flavor_id: str) -> flask.Response:
        """List a flavor's extra specs."""
        return answers.json({"extra_specs": flavors.get(self.cloud, self.caller, flavor_id).extra_specs})

    @docs.operation(body=models.EXTRA_SPECS, gives=models.EXTRA_SPECS, faults=models.KEEP_FAULTS)
    def post(self, flavor_id: str) -> flask.Response:
        """Set extra specs, leaving others as they are; for admins."""
        policy.require(self.caller, Operation.FLAVOR_WRITE)
        wanted = flavor_bodies.extra_specs(self.body())
        return answers.json({"extra_specs": flavors.set_extra_specs(self.cloud, flavor_id, wanted)})


class ExtraSpec(Resource):
    """One of a flavor's extra specs."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, flavor_id: str, key: str) -> flask.Response:
        """Show one extra spec."""
        found = flavors.get(self.cloud, self.caller, flavor_id).extra_specs
        if key not in found:
            raise NotFound(f"flavor {flavor_id} has no extra spec {key}")
        return answers.json({key: found[key]})

    @docs.operation(faults=models.KEEP_FAULTS)
    def put(self, flavor_id: str, key: str) -> flask.Response:
        """Set one extra spec; for admins."""
        policy.require(self.caller, Operation.FLAVOR_WRITE)
        wanted = flavor_bodies.extra_spec(self.body(), key)
        return answers.json(flavors.set_extra_specs(self.cloud, flavor_id, wanted))

    @docs.operation(faults=models.KEEP_FAULTS)
    def delete(self, flavor_id: str, key: str) -> flask.Response:
        """Remove one extra spec; for admins."""
        policy.require(self.caller, Operation.FLAVOR_WRITE)
        flavors.unset_extra_spec(self.cloud, flavor_id, key)
        return answers.empty(200)


def _accesses(flavor_id: str, project_ids: Sequence[str]) -> dict[str, object]:
    return {"flavor_access": [{"flavor_id": flavor_id, "tenant_id": project_id} for project_id in project_ids]}


def _public(text: str | None) -> bool | None:
    if text is None or text == "":
        return True
    return None if text.lower() == "none" else validation.check_boolean(text, "is_public")


def _brief(row: Row, links: Links) -> dict[str, object]:
    return {"id": row.id, "name": row.name, "links": links.both("flavors", row.id)}


def _full(row: Row, links: Links) -> dict[str, object]:
    return {
        **_brief(row, links),
        "vcpus": row.vcpus,
        "ram": row.ram,
        "disk": row.disk,
        "swap": row.swap or "",
        "rxtx_factor": row.rxtx_factor,
        "OS-FLV-DISABLED:disabled": not row.enabled,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "os-flavor-access:is_public": row.public,
    }
