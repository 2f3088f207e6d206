"""What no request changes: the domain, the roles, the services, the region; and the groups that there are none of."""

from __future__ import annotations

from collections.abc import Mapping

import flask

from apiserver import answers, docs
from apiserver.identity import catalog, models, views
from apiserver.resource import Resource
from common.errors import Forbidden, NotFound
from db.users import Role


class Listing(Resource):
    """A constant list, and its members by id."""

    #: what the list and a member are called in documents
    plural = ""
    singular = ""
    #: why nothing is added, changed or removed
    fixed = "these follow the configuration"

    def items(self) -> list[dict[str, object]]:
        """Give every member."""
        raise NotImplementedError

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, item_id: str | None = None) -> flask.Response:
        """List all, or show one by its id."""
        items = [self._linked(item) for item in self.items()]
        if item_id is None:
            return views.collection(self, self.plural, items)
        item = next((item for item in items if item["id"] == item_id), None)
        if item is None:
            raise NotFound(f"there is no {self.singular} {item_id}")
        return answers.json({self.singular: item})

    @docs.operation(faults=models.FIXED_FAULTS)
    def post(self, item_id: str | None = None) -> flask.Response:
        """Refuse to add one."""
        raise Forbidden(self.fixed)

    @docs.operation(faults=models.FIXED_FAULTS)
    def patch(self, item_id: str | None = None) -> flask.Response:
        """Refuse to change one."""
        raise Forbidden(self.fixed)

    @docs.operation(faults=models.FIXED_FAULTS)
    def delete(self, item_id: str | None = None) -> flask.Response:
        """Refuse to remove one."""
        raise Forbidden(self.fixed)

    def _linked(self, item: Mapping[str, object]) -> dict[str, object]:
        return {**item, "links": {"self": f"{views.home(self.front)}/v3/{self.plural}/{item['id']}"}}


class Domains(Listing):
    """The one domain."""

    plural, singular = "domains", "domain"
    fixed = "there is one domain, Default: no other can be made, and it can't be changed or removed"

    def items(self) -> list[dict[str, object]]:
        return [{**views.DOMAIN, "description": "Everybody and everything", "enabled": True, "tags": [], "options": {}}]


class Roles(Listing):
    """The roles there are."""

    plural, singular = "roles", "role"
    fixed = "the roles are admin, member and reader: none can be made, changed or removed"

    def items(self) -> list[dict[str, object]]:
        return [views.role_in_full(self.front, role) for role in Role]


class Groups(Listing):
    """Groups of users: there are none."""

    plural, singular = "groups", "group"
    fixed = "there are no groups: roles are given to users"

    def items(self) -> list[dict[str, object]]:
        return []


class Regions(Listing):
    """The one region."""

    plural, singular = "regions", "region"

    def items(self) -> list[dict[str, object]]:
        return [{"id": self.front.settings.region, "description": "", "parent_region_id": None}]


class Services(Listing):
    """The services there are."""

    plural, singular = "services", "service"

    def items(self) -> list[dict[str, object]]:
        wanted = self.args.get("type")
        return [
            {"id": entry.type, "type": entry.type, "name": entry.name, "enabled": True}
            for entry in catalog.ENTRIES
            if wanted in (None, entry.type)
        ]


class Endpoints(Listing):
    """Where the services are."""

    plural, singular = "endpoints", "endpoint"

    def items(self) -> list[dict[str, object]]:
        service, interface = self.args.get("service_id"), self.args.get("interface")
        return [
            {**catalog.endpoint(self.front, entry, kind), "service_id": entry.type, "enabled": True}
            for entry in catalog.ENTRIES
            for kind in catalog.INTERFACES
            if service in (None, entry.type) and interface in (None, kind)
        ]
