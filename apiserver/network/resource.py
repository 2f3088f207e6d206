"""The base of the Network API's handlers: filters by query, chosen fields, links to the next page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import flask

from apiserver import paging, resource, sorting, validation
from apiserver.validation import Body
from cloud import accounts, policy
from cloud.context import Caller
from cloud.policy import Operation
from common.errors import Invalid, NotFound
from db.sorting import Column, Order

Document = dict[str, object]

_MOST_VALUES = 200
_OWNERS = ("project_id", "tenant_id")


class Resource(resource.Resource):
    """A path's methods, below version 2.0 of the Network API."""

    def texts(self, *names: str) -> list[str] | None:
        """Read a filter that may be given several times, under any of some names; None if it is not given."""
        values = [value for name in names for value in flask.request.args.getlist(name)]
        if len(values) > _MOST_VALUES:
            raise Invalid(f"{names[0]}: {_MOST_VALUES} at most")
        return [validation.check_text(value, names[0]) for value in values] or None

    def ids(self) -> list[str] | None:
        """Read the filter by id; none where it is by tags, which nothing has."""
        return [] if self.texts("tags", "tags-any") else self.texts("id")

    def flag(self, name: str) -> bool | None:
        """Read a filter that is true or false; None if it is not given."""
        value = flask.request.args.get(name)
        return validation.check_boolean(value, name) if value is not None else None

    def owner(self) -> str | None:
        """Read the filter by project."""
        given = self.texts("project_id", "tenant_id")
        return given[0] if given else None

    def acting(self, given: Body, one: str, many: str | None = None) -> Caller:
        """Give the caller as of the project that a new thing is to be of: an admin may name another than the token's.

        Raises Forbidden for anybody else, and Invalid for a project that is not there, or for several at once.
        """
        own = self.caller.project_id
        things = [given.raw(one), *_list(given.raw(many) if many is not None else None)]
        wanted = {_owner(thing) or own for thing in things if isinstance(thing, dict)}
        if wanted <= {own}:
            return self.caller
        policy.require(self.caller, Operation.NETWORK_WRITE_ALL)
        if len(wanted) > 1:
            raise Invalid("project_id: one project at a time is expected")
        try:
            (project_id,) = wanted
            project = accounts.project_by_id(self.cloud, validation.check_text(project_id, "project_id", longest=64))
        except NotFound as err:
            raise Invalid(f"project_id: {err}") from err
        return replace(self.caller, project_id=project.id, project_name=project.name)

    def orders(self, keys: Mapping[str, Column]) -> tuple[Order, ...]:
        """Read the order that is asked for."""
        return sorting.parse(flask.request.args, keys, descending=False)

    def listed(self, key: str, items: Sequence[Document], page: paging.Page) -> Document:
        """Make a list's document with the fields that are asked for, and the link to its next page."""
        ids = [str(item["id"]) for item in items]
        document: Document = {key: [self.chosen(item) for item in items]}
        following = paging.next_link(self.urls, page, ids)
        if following is not None:
            document[f"{key}_links"] = [{"rel": "next", "href": following}]
        return document

    def chosen(self, item: Document) -> Document:
        """Keep the members that `fields` names, or all where it is not given."""
        wanted = flask.request.args.getlist("fields")
        return {key: value for key, value in item.items() if key in wanted} if wanted else item


def _owner(thing: Mapping[str, object]) -> str:
    return next((str(thing[key]) for key in _OWNERS if thing.get(key)), "")


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
